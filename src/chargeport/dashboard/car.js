// One car: what every signal says, from whom and how old, or why nothing; how power and charge went; limits and timers.

import { get, now, query, session, turns } from "./api.js";
import { Browser, changes, history } from "./chart.js";
import { choice, field, h, icon, setText, table } from "./dom.js";
import { Live, briefOf } from "./live.js";
import { dayTime, fullTime, number, sameYear, t, wallTime, weekdays } from "./prefs.js";
import { CATALOGUE, DAYS, age, circumstance, duration, inWords, label, reason, rounded, sentence, sourceInWords, standing, stateInWords } from "./words.js";

const HOUR = 3600000, DAY = 24 * HOUR;
const SECTIONS = [
  ["Power and session", ["ischarging", "detailedchargingstatus", "wattage", "voltage", "amperage", "chargerphases", "chargerate", "timetocomplete", "energyadded"]],
  ["Battery", ["stateofcharge", "range", "nominalcapacity"]],
  ["Port and cable", ["ischargingcableconnected", "ischargingcablelatched", "ischargingportflapopen", "chargeportstatuscolor", "chargingconnectortype", "isfastchargerpresent", "fastchargertype"]],
  ["Limits, timers and records", ["chargelimits", "amperagemax", "amperagerequested", "chargetimers", "chargerecords"]],
];
const [SOC, RANGE, POWER, FINISH, ADDED] = ["tractionbattery-stateofcharge", "tractionbattery-range", "charge-wattage", "charge-timetocomplete", "charge-energyadded"];
const DECIDING = new Set(["charge-ischarging", "charge-detailedchargingstatus", "charge-ischargingcableconnected"]);

export async function showCar(root, params, { rest, state, go }) {
  const id = rest[0];
  const view = new CarView(root, id);
  const again = () => view.live ? view.reload() : go(location.hash);
  const controls = session.simulates ? await import("./simulator.js").then(({ carControls }) => carControls(id, again)) : "";
  let commands;
  try {
    await view.load();
    commands = session.manages ? await lastCommands(id) : "";
  } catch (error) {
    throw Object.assign(error, { beside: controls }); // a fault of the simulator may be why: there it is taken back
  }
  view.frame(controls, commands);
  view.live = new Live(() => `stream?${query({ vehicle: id })}`, { open: () => view.reload(), hear: (kind, data) => view.hear(kind, data), state });
  return () => view.close();
}

class CarView {
  constructor(root, id) {
    Object.assign(this, { root, id, rows: new Map(), signals: new Map(), coverage: new Map(), charts: [] });
  }

  close() {
    clearInterval(this.ticking);
    clearTimeout(this.reloading);
    this.live?.close();
    for (const chart of this.charts) chart.close();
  }

  async load() {
    const path = `v3/vehicles/${encodeURIComponent(this.id)}`;
    const [all, coverage, fleet] = await Promise.all([get(`${path}/signals`), get(`${path}/coverage`), get(`fleet?${query({ "filter[id]": this.id })}`)]);
    for (const one of all.data) this.signals.set(one.attributes.code, briefOf(one));
    for (const one of coverage.data) this.coverage.set(one.code, one);
    [this.car] = fleet.data;
    if (!this.car) throw new Error(t("No vehicle with this id is known to this server."));
  }

  async reload() {
    await this.load();
    this.show();
  }

  hear(kind, data) {
    if (!data?.signal) return;
    const { code } = data.signal.attributes;
    this.signals.set(code, briefOf(data.signal));
    this.car.signals[code] = this.signals.get(code);
    if (DECIDING.has(code) || kind === "ended" || !this.coverage.get(code)?.source) this.soon();
    this.show();
  }

  // Which source counts, and what follows from charging, is the server's to say.
  soon() {
    this.reloading ??= setTimeout(() => {
      this.reloading = null;
      this.reload().catch(() => null);
    }, 700);
  }

  // The frame

  frame(controls, commands) {
    const model = [this.car.make, this.car.model].filter(Boolean).join(" ");
    const sub = [model === this.car.name ? "" : model, this.car.year, this.car.powertrainType].filter(Boolean).join(" · ");
    this.status = h("p", { className: "status" });
    this.why = h("p", { className: "reason", hidden: true });
    this.tiles = h("dl", { className: "tiles" });
    this.week = h("div", { className: "two" });
    this.root.replaceChildren(
      session.share ? "" : h("p", { className: "crumb" }, h("a", { href: "#/" }, `← ${t("Cars")}`)),
      h("div", { className: "car-head" }, h("div", {}, h("h1", {}, this.car.name), h("p", { className: "sub" }, sub), h("p", { className: "sub" }, [this.car.vin, ...this.car.aliases.filter((one) => one !== this.car.name), this.car.id].filter(Boolean).join(" · "))), this.status),
      this.why, this.tiles, controls, this.chartPanel(), this.week, h("section", { className: "panel" }, h("h2", {}, t("All signals")), this.signalTables()), this.anySignal(), commands);
    this.ticking = setInterval(() => document.hidden || this.show(), 1000);
    this.show();
  }

  chartPanel() {
    const compare = h("input", { type: "checkbox", on: { change: () => this.chart.between(this.chart.from, this.chart.to) } });
    this.chart = new Browser(async (from, to) => {
      const wanted = [history(this.id, POWER, from, to), history(this.id, SOC, from, to), this.sessionsBetween(from, to)];
      if (compare.checked) wanted.push(history(this.id, POWER, 2 * from - to, from));
      const [power, soc, bands, before] = await Promise.all(wanted);
      const series = [{ label: t("Power"), unit: "watts", colour: "green", data: power }, { label: t("State of charge"), unit: "percent", colour: "blue", data: soc }];
      legend.lastChild.hidden = !before;
      if (before) series.push({ label: t("Power in the period before"), unit: "watts", colour: "amber", dash: [5, 4], data: [before[0].map((at) => at + (to - from) / 1000), before[1]] });
      return { series, bands };
    }, { spans: [["24 h", DAY], [t("7 days"), 7 * DAY], [t("30 days"), 30 * DAY]], span: DAY, label: t("Power and state of charge over time") });
    this.chart.clock = now;
    this.charts.push(this.chart);
    const legend = h("p", { className: "legend" }, [["power", t("Power")], ["soc", t("State of charge")], ["compared", t("Power in the period before")]].map(([name, text]) => h("span", { className: name }, h("i"), text)));
    this.chart.fit().catch((error) => setText(this.chart.read, t(error.message)));
    return h("section", { className: "panel" }, h("div", { className: "head" }, h("h2", {}, t("Power and state of charge")), this.chart.tools), h("div", { className: "head" }, legend, h("label", {}, compare, " ", t("Compare with the period before"))), this.chart.area, this.chart.read);
  }

  async sessionsBetween(from, to) {
    const found = await get(`records?${query({ "filter[vehicleId]": this.id, "filter[from]": new Date(from - 7 * DAY).toISOString(), "filter[to]": new Date(to).toISOString(), "page[size]": 500 })}`).catch(() => ({ data: [] }));
    return found.data.map((one) => [Date.parse(one.started_at), one.ended_at ? Date.parse(one.ended_at) : now()]);
  }

  anySignal() {
    const signal = (wanted) => CATALOGUE.find((one) => one.code === wanted);
    const isNumeric = (wanted) => ["quantity", "count", "flag"].includes(signal(wanted).kind);
    const series = (wanted, colour) => async (one, other) => ({ label: label(signal(wanted).name), unit: signal(wanted).unit ?? "", colour, data: await history(this.id, wanted, one, other) });
    const local = (at) => new Date(at - new Date(at).getTimezoneOffset() * 60000).toISOString().slice(0, 16);
    const code = choice(t("Signal"), "code", CATALOGUE.map((one) => [one.code, label(one.name)]), "charge-voltage");
    const beside = choice(t("Compare with"), "beside", [["", "—"], ...CATALOGUE.filter((one) => isNumeric(one.code)).map((one) => [one.code, label(one.name)])], "");
    const from = field(t("From"), "from", { type: "datetime-local", value: local(now() - DAY) }), to = field(t("To"), "to", { type: "datetime-local", value: local(now()) });
    const result = h("div"), turn = turns();
    const show = async () => {
      const isNewest = turn();
      const wanted = code.querySelector("select").value, other = beside.querySelector("select").value, [start, end] = [from, to].map((one) => new Date(one.querySelector("input").value).getTime());
      if (!(start < end)) return result.replaceChildren(h("p", { className: "wrong" }, t("The end must be after the start.")));
      this.any?.close();
      const found = await changes(this.id, wanted, start, end);
      if (!isNewest()) return; // another signal was asked for meanwhile
      const list = table(t("Changes"), [t("Time"), t("Value"), t("Source")], found.changes.map((one) => [sameYear(Date.parse(one.meta.oemUpdatedAt ?? one.meta.ingestedAt)), one.body ? inWords(wanted, one.body).text : reason(one.status?.error?.code ?? "NOT_REPORTED").title, sourceInWords(one.meta.source, one.meta.derivedFrom)]), t("Nothing was reported in this time."));
      result.replaceChildren();
      if (isNumeric(wanted)) {
        const drawn = [series(wanted, "green"), ...(other && other !== wanted ? [series(other, "blue")] : [])];
        this.any = new Browser(async (from_, to_) => ({ series: await Promise.all(drawn.map((each) => each(from_, to_))) }), { spans: [], span: end - start, label: t("Chart of the signal") });
        this.charts.push(this.any);
        result.append(h("div", { className: "head" }, h("p", { className: "legend" }, h("span", { className: "power" }, h("i"), label(signal(wanted).name)), drawn[1] ? h("span", { className: "soc" }, h("i"), label(signal(other).name)) : ""), this.any.tools), this.any.area, this.any.read);
        this.any.between(start, end);
      }
      result.append(list, found.isCut ? h("p", { className: "hint" }, t("The first {count} changes; choose a shorter time for more.", { count: 200 })) : "");
    };
    const form = h("form", { className: "filters", on: { submit: (event) => { event.preventDefault(); show().catch((error) => result.replaceChildren(h("p", { className: "wrong" }, t(error.message)))); } } }, code, beside, from, to, h("button", {}, t("Show")));
    return h("section", { className: "panel" }, h("h2", {}, t("Any signal over any time")), form, result);
  }

  signalTables() {
    const bare = (code) => code.slice(code.indexOf("-") + 1);
    const placed = new Set(SECTIONS.flatMap(([, names]) => names));
    const sections = [...SECTIONS.map(([title, names]) => [title, names.map((name) => CATALOGUE.find((one) => bare(one.code) === name)).filter(Boolean)]), ["More", CATALOGUE.filter((one) => !placed.has(bare(one.code)))]];
    return sections.map(([title, signals]) => h("div", { className: "signals" }, h("h3", {}, t(title)), h("table", {}, h("caption", { className: "unseen" }, t(title)),
      h("thead", {}, h("tr", {}, [t("Signal"), t("Value"), t("Age"), t("Source")].map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, signals.map((one) => this.signalRow(one))))));
  }

  signalRow({ code, name, summary }) {
    const [value, old, source] = ["value", "age", "source"].map((kind) => h("td", { className: kind }));
    const row = h("tr", { data: { code } }, h("th", { scope: "row", title: summary }, label(name), h("code", {}, code)), value, old, source);
    this.rows.set(code, { row, value, old, source });
    return row;
  }

  // What is shown

  show() {
    const stands = stateInWords(this.car, now());
    const key = JSON.stringify(stands);
    if (this.statusKey !== key) {
      this.statusKey = key;
      this.status.parentElement.dataset.state = this.tiles.dataset.state = this.car.state;
      this.status.replaceChildren(icon(stands.icon), stands.text);
    }
    this.why.hidden = this.car.state !== "silent";
    if (!this.why.hidden) setText(this.why, this.car.heardAt ? t("Last reported {age}. Values are from that time.", { age: age(now() - Date.parse(this.car.heardAt)) }) : t("Nothing reported yet"));
    this.showTiles();
    for (const [code, parts] of this.rows) this.showSignal(code, parts);
    this.showWeek();
  }

  showTiles() {
    const of = (code) => standing(this.signals.get(code), now());
    const soc = of(SOC), finish = of(FINISH), limit = of("charge-chargelimits").body?.activeLimit;
    const ready = finish.kind === "current" && finish.body.value > 0 ? dayTime(finish.at + finish.body.value * 60000, now()) : "—";
    const tiles = [
      [t("State of charge"), soc.body ? `${number(soc.body.value, 1)} %` : "—", limit === undefined ? "" : t("charges to {limit} %", { limit: rounded(limit) }), soc],
      [t("Power"), of(POWER).body ? inWords(POWER, of(POWER).body).text : "—", "", of(POWER)],
      [t("Ready"), ready, finish.kind === "current" ? duration(finish.body.value) : "", finish],
      [t("Range"), of(RANGE).body ? inWords(RANGE, of(RANGE).body).text : "—", "", of(RANGE)],
      [t("Energy added"), of(ADDED).body ? inWords(ADDED, of(ADDED).body).text : "—", "", of(ADDED)],
    ];
    const key = JSON.stringify(tiles.map(([, text, beside, stands]) => [text, beside, stands.kind]));
    if (this.tilesKey === key) return;
    this.tilesKey = key;
    this.tiles.replaceChildren(...tiles.map(([name, text, beside, stands]) => h("div", { className: "tile" }, h("dt", {}, name), h("dd", { className: "big", data: { kind: stands.kind } }, text), h("dd", { className: "beside" }, stands.kind === "old" && text !== "—" ? t("last known") : beside))));
  }

  showSignal(code, { row, value, old, source }) {
    const stands = standing(this.signals.get(code), now()), covered = this.coverage.get(code);
    const why = stands.why && (covered?.status === "NOT_PERMITTED" ? { title: t("Not permitted"), detail: covered.reason } : stands.why);
    row.dataset.kind = stands.kind;
    const others = (covered?.sources ?? []).filter((one) => !one.isEffective);
    const key = JSON.stringify([stands.kind, stands.body, why?.title, stands.source, others.map((one) => [one.source, one.body, one.why])]);
    if (row.dataset.key !== key) {
      row.dataset.key = key;
      value.replaceChildren(...this.valueOf(code, stands, why));
      source.replaceChildren(...this.whoSaid(code, stands), ...this.otherWords(code, others));
    }
    const at = stands.at;
    setText(old, Number.isFinite(at) ? age(now() - at) : "—");
    if (Number.isFinite(at) && old.title === "") old.title = fullTime(at);
    else if (Number.isFinite(at)) old.title = fullTime(at);
  }

  valueOf(code, stands, why) {
    const because = why ? [h("p", { className: "why" }, h("b", {}, why.title), why.detail ? `: ${why.detail}` : "")] : [];
    if (stands.kind === "none") return [h("span", {}, "—"), ...because];
    const { text, lines = [], folded = false } = inWords(code, stands.body);
    const head = h("span", {}, stands.kind === "old" ? t("last known: {value}", { value: text }) : text);
    if (lines.length === 0) return [head, ...because];
    const list = h("ul", {}, lines.map((one) => h("li", {}, h("b", {}, one.head), ` ${one.text}`)));
    return folded ? [h("details", {}, h("summary", {}, text), list), ...because] : [head, list, ...because];
  }

  whoSaid(code, stands) {
    const codes = this.signals.get(code)?.derivedFrom ?? [];
    if (codes.length > 3) return [h("details", {}, h("summary", {}, t("derived from {count} signals", { count: codes.length })), h("ul", { className: "sources-of" }, codes.map((one) => h("li", {}, one))))];
    return [stands.source || (stands.kind === "current" ? t("entered for the vehicle") : "—")];
  }

  otherWords(code, others) {
    if (others.length === 0) return [];
    return [h("details", {}, h("summary", {}, others.length === 1 ? t("another source") : t("{count} other sources", { count: others.length })),
      h("ul", { className: "sources-of" }, others.map((one) => h("li", {}, h("b", {}, sourceInWords(one.source)), " ", one.body ? inWords(code, one.body).text : reason(one.status).title, one.oemUpdatedAt ? `, ${sameYear(Date.parse(one.oemUpdatedAt))}` : "", h("br"), h("small", {}, t(one.reason))))))];
  }

  // Limits and timers as a week

  showWeek() {
    const [limits, timers] = ["charge-chargelimits", "charge-chargetimers"].map((code) => standing(this.signals.get(code), now()).body);
    const key = JSON.stringify([limits, timers]);
    if (this.weekKey === key) return;
    this.weekKey = key;
    const set = (timers?.values ?? []).filter((one) => one.schedules?.length || one.departureTimers?.length);
    const parts = set.map((one) => h("section", { className: "panel" }, h("h2", {}, t("Timer: {place}", { place: circumstance(one) })), weekOf(one)));
    const values = limits?.values ?? [];
    if (values.length) {
      parts.push(h("section", { className: "panel" }, h("h2", {}, t("Charge limits")), table(t("Charge limits"), [t("Where"), t("Limit")], values.map((one) => [circumstance(one), `${rounded(one.limit)} %${one.limit === limits.activeLimit ? ` (${t("in force")})` : ""}`]))));
    }
    this.week.replaceChildren(...parts);
  }
}

// What it was told to do last, and what came of it.
async function lastCommands(id) {
  const { data } = await get(`v3/vehicles/${encodeURIComponent(id)}/commands?page[size]=5`);
  if (data.length === 0) return "";
  const rows = data.map(({ attributes: { commandType, parameters, status }, meta }) => [sameYear(Date.parse(meta.executedAt)), sentence(commandType.replaceAll("-", " ")), parameters.percent === undefined ? "" : `${number(parameters.percent)} %`, h("div", {}, sentence(status.value), status.error ? h("small", {}, ` ${status.error.detail}`) : "")]);
  return h("section", { className: "panel" }, h("h2", {}, t("Last commands")), table(t("Last commands"), [t("Time"), t("Command"), t("Value"), t("Outcome")], rows));
}

const minutes = (text) => {
  const [hour, minute] = text.split(":").map(Number);
  return hour * 60 + minute;
};

// Where a block lies in each day: one past midnight ends on the next day.
function blocks(schedule) {
  const [start, end] = [schedule.start ? minutes(schedule.start) : 0, schedule.end ? minutes(schedule.end) : 1440];
  const found = Array.from({ length: 7 }, () => []);
  for (const name of schedule.days?.length ? schedule.days : DAYS) {
    const index = DAYS.indexOf(name);
    if (start < end) found[index].push([start, end]);
    else {
      found[index].push([start, 1440]);
      if (end > 0) found[(index + 1) % 7].push([0, end]);
    }
  }
  return found;
}

function weekOf(timer) {
  const names = weekdays();
  const schedules = (timer.schedules ?? []).map((one) => [one, blocks(one)]);
  const rows = names.flatMap((name, index) => {
    const bars = schedules.flatMap(([one, days]) => days[index].map(([start, end]) => {
      const bar = h("span", { className: "block", title: `${wallTime(one.start)}–${wallTime(one.end)}` });
      bar.style.left = `${start / 14.4}%`;
      bar.style.width = `${(end - start) / 14.4}%`;
      return bar;
    }));
    const ready = (timer.departureTimers ?? []).filter((one) => !one.days?.length || one.days.includes(DAYS[index])).map((one) => {
      const mark = h("span", { className: "ready", title: t("ready at {time}", { time: wallTime(one.time) }) });
      mark.style.left = `${minutes(one.time) / 14.4}%`;
      return mark;
    });
    const words = [...schedules.filter(([, days]) => days[index].length).map(([one]) => `${wallTime(one.start)}–${wallTime(one.end)}`), ...(timer.departureTimers ?? []).filter((one) => !one.days?.length || one.days.includes(DAYS[index])).map((one) => t("ready at {time}", { time: wallTime(one.time) }))];
    return [h("span", {}, name), h("div", { className: "day", role: "img", "aria-label": `${name}: ${words.join(", ") || t("nothing set")}` }, bars, ready)];
  });
  const lines = [...(timer.schedules ?? []).map((one) => `${wallTime(one.start)}–${wallTime(one.end)}`), ...(timer.departureTimers ?? []).map((one) => t("ready at {time}", { time: wallTime(one.time) }))];
  return h("div", {}, h("p", { className: "sub" }, lines.join(" · "), timer.isOEMOptimizationEnabled ? ` · ${t("the maker optimises")}` : ""), h("div", { className: "week" }, rows, h("div", { className: "hours", "aria-hidden": "true" }, ["00", "06", "12", "18", "24"].map((hour) => h("span", {}, hour)))));
}
