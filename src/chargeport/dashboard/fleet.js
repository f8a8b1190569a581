// Every car at a glance: cards for a few, a dense table for many. Only what is in sight is read and followed.

import { get, hearInstant, now, query } from "./api.js";
import { h, icon, setText } from "./dom.js";
import { Live, briefOf } from "./live.js";
import { dayTime, distance, distanceUnit, fullTime as title, number, t } from "./prefs.js";
import { age, duration, kilowatts, rounded, standing, stateIcon, stateInWords, stateName } from "./words.js";

const SOC = "tractionbattery-stateofcharge", RANGE = "tractionbattery-range", POWER = "charge-wattage", FINISH = "charge-timetocomplete";
const LIMITS = "charge-chargelimits", ADDED = "charge-energyadded", CABLE = "charge-ischargingcableconnected";
const CODES = [SOC, RANGE, "charge-ischarging", "charge-detailedchargingstatus", CABLE, POWER, FINISH, LIMITS, ADDED];
const DECIDING = new Set(["charge-ischarging", "charge-detailedchargingstatus", CABLE]);
const SORTS_OF = { car: ["name"], state: ["state"], soc: ["-soc", "soc"], power: ["-power"], finish: ["finish"], heard: ["-heard", "heard"] };
const PAGE = 100;
const AS_CARDS = 12; // so many are shown as cards, unless the reader chose otherwise
const FIRST_CARDS = 24;
const ROW_PX = 36;
const MARGIN_ROWS = 8;
const READ_AFTER_MS = 80; // rows that are scrolled past at once are not read
const SPARK = 120;

/** Show the fleet; the answer takes it away again. */
export function showFleet(root, params, { go, state }) {
  const view = new FleetView(root, params, go, state);
  return () => view.close();
}

class FleetView {
  constructor(root, params, go, state) {
    Object.assign(this, { root, go, rows: new Map(), places: new Map(), drawn: new Map(), powers: new Map(), total: null, pages: new Set(), dirty: new Set(), more: 0, asked: 0 });
    this.text = params.get("text") ?? "";
    this.states = new Set((params.get("state") ?? "").split(",").filter(Boolean));
    this.sort = params.get("sort") ?? "name";
    this.choice = params.get("view");
    this.frame();
    this.onScroll = () => this.schedule();
    addEventListener("scroll", this.onScroll, { passive: true });
    addEventListener("resize", this.onScroll);
    this.ticking = setInterval(() => this.tick(), 1000);
    this.load().catch(() => null).then(() => this.closed || this.follow(state));
  }

  follow(state) {
    this.live = new Live(() => this.streamPath(), { open: () => this.load(), hear: (kind, data) => this.hear(kind, data), state });
  }

  close() {
    removeEventListener("scroll", this.onScroll);
    removeEventListener("resize", this.onScroll);
    clearInterval(this.ticking);
    for (const timer of [this.waiting, this.typing, this.reading]) clearTimeout(timer);
    this.closed = true;
    this.live?.close();
    this.endGlance?.();
  }

  // What is around the list

  frame() {
    this.count = h("span", { className: "count" });
    this.search = h("input", { type: "search", id: "search", value: this.text, placeholder: t("Name, make, model, VIN, plate"), on: { input: () => this.later(() => this.changed({ text: this.search.value })) } });
    this.order = h("select", { id: "sort", on: { change: () => this.changed({ sort: this.order.value }) } },
      [["name", "Name"], ["state", "State"], ["-soc", "Charge, most first"], ["soc", "Charge, least first"], ["-power", "Power"], ["finish", "Ready first"], ["-heard", "Reported last"], ["heard", "Silent longest"]]
        .map(([value, text]) => h("option", { value, selected: value === this.sort }, t(text))));
    this.toggle = h("button", { type: "button", className: "quiet", on: { click: () => this.changed({ choice: this.isTable() ? "cards" : "table" }) } });
    this.chips = h("div", { className: "chips", role: "group", "aria-label": t("States") });
    this.list = h("div", { id: "cars" });
    this.below = h("div", { id: "glance", hidden: true });
    this.tools = h("div", { className: "tools", hidden: true },
      h("label", { className: "search" }, h("span", { className: "unseen" }, t("Find a car")), this.search),
      h("label", { className: "order" }, h("span", {}, t("Sort")), this.order), this.toggle);
    this.root.replaceChildren(h("div", { className: "head" }, h("h1", {}, t("Cars"), " ", this.count), this.tools), this.chips, this.list, this.below);
    this.list.append(h("p", { className: "loading" }, t("Loading")));
  }

  later(act) {
    clearTimeout(this.typing);
    this.typing = setTimeout(act, 250);
  }

  changed(values) {
    Object.assign(this, values);
    const kept = { text: this.text, state: [...this.states].join(","), sort: this.sort === "name" ? "" : this.sort, view: this.choice };
    history.replaceState(null, "", `#/${query(kept) ? `?${query(kept)}` : ""}`);
    this.more = 0;
    scrollTo({ top: 0 });
    this.load();
  }

  isTable() {
    return this.choice ? this.choice === "table" : this.total > AS_CARDS;
  }

  // What is read

  path(number, size = PAGE, ids = "") {
    const values = ids ? { "filter[id]": ids } : { "filter[text]": this.text, "filter[state]": [...this.states].join(","), sort: this.sort };
    return `fleet?${query({ ...values, "page[number]": number, "page[size]": size })}`;
  }

  async load() {
    const asked = this.asked += 1;
    const { data, meta } = await get(this.path(1, this.total !== null && this.total <= PAGE ? PAGE : 50));
    if (asked !== this.asked || this.closed) return;
    const followed = this.followed(), shown = this.path(1);
    if (shown !== this.shown) this.rows.clear(); // else each stays in sight until it is read again
    this.shown = shown;
    this.places.clear();
    this.pages = new Set();
    this.total = meta.totalCount;
    for (const index of this.rows.keys()) if (index >= this.total) this.rows.delete(index);
    this.filtered = this.text !== "" || this.states.size > 0;
    this.put(data, 0);
    if (data.length === Math.min(PAGE, this.total)) this.pages.add(1);
    hearInstant(meta.asOf);
    this.showAround(meta);
    this.draw();
    if (followed !== this.followed()) this.later2();
  }

  put(data, from) {
    data.forEach((row, index) => {
      this.rows.set(from + index, row);
      this.places.set(row.id, from + index);
      if (row.signals) this.notePower(row);
    });
  }

  // Reads what is in sight a page at a time; after each it looks where the reader is now, so what was scrolled past is left out.
  readSoon() {
    this.reading ??= setTimeout(async () => {
      let page;
      try {
        while (!this.closed && (page = this.missingPage())) await this.readPage(page);
      } catch {
        return; // the stream says that the server is away, and reads again when it is back
      } finally {
        this.reading = null;
      }
    }, READ_AFTER_MS);
  }

  missingPage() {
    const [first, last] = this.shape === "table" ? [this.first, this.last] : [0, Math.min(this.total, FIRST_CARDS + this.more) - 1];
    for (let page = Math.floor(first / PAGE) + 1; page <= Math.floor(last / PAGE) + 1; page += 1) if (!this.pages.has(page)) return page;
    return null;
  }

  async readPage(page) {
    const asked = this.asked;
    const { data } = await get(this.path(page));
    if (asked !== this.asked || this.closed) return;
    this.pages.add(page);
    this.put(data, (page - 1) * PAGE);
    this.draw();
    this.later2();
  }

  showAround(meta) {
    setText(this.count, this.total || this.filtered ? number(this.total, 0) : "");
    this.tools.hidden = this.total < 2 && !this.filtered;
    setText(this.toggle, this.isTable() ? t("As cards") : t("As table"));
    if (meta.states === null || (this.total < 2 && !this.filtered)) return this.chips.replaceChildren(...(meta.states === null && this.total > 1 ? this.chipsOf({}) : []));
    this.chips.replaceChildren(...this.chipsOf(meta.states));
  }

  chipsOf(counts) {
    const known = ["charging", "scheduled", "full", "plugged", "idle", "error", "silent", "unknown"];
    const shown = Object.keys(counts).length ? known.filter((one) => counts[one] || this.states.has(one)) : known;
    return shown.map((one) => h("button", { type: "button", className: "chip", "aria-pressed": String(this.states.has(one)), data: { state: one }, on: { click: () => {
      if (!this.states.delete(one)) this.states.add(one);
      this.changed({});
    } } }, icon(stateIcon(one)), stateName(one), counts[one] ? h("span", { className: "number" }, number(counts[one], 0)) : null));
  }

  // What is drawn

  schedule() {
    this.drawing ??= requestAnimationFrame(() => {
      this.drawing = null;
      if (!this.closed) this.draw();
    });
  }

  draw() {
    if (this.total === null) return;
    if (this.total === 0) return this.drawNothing();
    if (this.isTable()) this.drawTable();
    else this.drawCards();
    this.drawBelow();
  }

  // For a home or a small fleet: what it cost, and what its sources do. It is read once the cars are there.
  async drawBelow() {
    this.below.hidden = this.isTable() || this.filtered || this.total > AS_CARDS;
    if (this.below.hidden || this.hasGlance) return;
    this.hasGlance = true;
    const { glance } = await import("./glance.js");
    if (!this.closed) this.endGlance = glance(this.below);
  }

  drawNothing() {
    this.shape = null;
    this.list.replaceChildren(h("p", { className: "empty" }, this.filtered ? t("No car matches.") : t("No cars yet. Each car appears here as soon as a source reports it or somebody adds it.")));
  }

  drawCards() {
    if (this.shape !== "cards") this.begin("cards", h("div", { className: "cards" }));
    const wanted = Math.min(this.total, FIRST_CARDS + this.more);
    if (wanted > this.rows.size) this.readSoon();
    const cards = [];
    for (let index = 0; index < wanted; index += 1) {
      const row = this.rows.get(index);
      if (row) cards.push(this.part(row, () => newCard(row)).element);
    }
    place(this.body, cards);
    this.forgetBut(new Set(cards));
    const rest = this.list.querySelector(".more");
    if (wanted < this.total && !rest) this.list.append(h("button", { type: "button", className: "more", on: { click: () => { this.more += FIRST_CARDS; this.draw(); this.later2(); } } }, t("Show more")));
    if (wanted >= this.total) rest?.remove();
  }

  drawTable() {
    if (this.shape !== "table") {
      const heads = [["car", t("Car")], ["state", t("State")], ["soc", t("Charge")], ["power", t("Power")], ["finish", t("Ready")], ["range", t("Range")], ["heard", t("Reported")]];
      this.before = h("tr", { className: "spacer", "aria-hidden": "true" }, h("td"));
      this.after = h("tr", { className: "spacer", "aria-hidden": "true" }, h("td"));
      const body = h("tbody", {}, this.before, this.after);
      this.begin("table", h("table", { className: "fleet" }, h("caption", { className: "unseen" }, t("Cars")),
        h("thead", {}, h("tr", { "aria-rowindex": 1 }, heads.map((each) => this.headOf(...each)))), body), body);
    }
    for (const head of this.element.tHead.querySelectorAll("th[data-sorts]")) head.setAttribute("aria-sort", head.dataset.sorts.split(",").includes(this.sort) ? (this.sort.startsWith("-") ? "descending" : "ascending") : "none");
    this.element.setAttribute("aria-rowcount", this.total + 1);
    const top = this.element.getBoundingClientRect().top + this.element.tHead.offsetHeight;
    const first = Math.max(0, Math.min(this.total - 1, Math.floor(-top / ROW_PX) - MARGIN_ROWS));
    const last = Math.min(this.total - 1, Math.ceil((innerHeight - top) / ROW_PX) + MARGIN_ROWS);
    const shown = [];
    for (let index = first; index <= last; index += 1) {
      const row = this.rows.get(index);
      const element = row ? this.part(row, () => newRow(row)).element : h("tr", { className: "waiting" }, h("td", {}, "…"));
      element.setAttribute("aria-rowindex", index + 2);
      shown.push(element);
    }
    this.before.firstChild.style.height = `${first * ROW_PX}px`;
    this.after.firstChild.style.height = `${Math.max(0, this.total - 1 - last) * ROW_PX}px`;
    place(this.body, [this.before, ...shown, this.after]);
    this.forgetBut(new Set(shown));
    const moved = this.first !== first || this.last !== last;
    [this.first, this.last] = [first, last];
    if (this.missingPage()) this.readSoon();
    if (moved && this.total > PAGE) this.later2();
  }

  // A column's head orders the rows by it; pressed again, the other way where there is one.
  headOf(name, text) {
    const sorts = SORTS_OF[name];
    if (!sorts) return h("th", { scope: "col", className: name }, text);
    const press = () => {
      this.order.value = this.sort === sorts[0] ? sorts.at(-1) : sorts[0];
      this.changed({ sort: this.order.value });
    };
    return h("th", { scope: "col", className: name, data: { sorts: sorts.join(",") } }, h("button", { type: "button", className: "head-button", on: { click: press } }, text));
  }

  begin(shape, element, body = element) {
    Object.assign(this, { shape, element, body });
    this.drawn.clear();
    this.list.replaceChildren(element);
  }

  part(row, make) {
    let part = this.drawn.get(row.id);
    if (!part) this.drawn.set(row.id, part = make());
    if (part.row !== row || part.version !== row.version) {
      part.row = row;
      part.version = row.version;
      drawn(part, () => part.show(row, this.powers.get(row.id)));
    }
    return part;
  }

  forgetBut(elements) {
    for (const [id, part] of this.drawn) if (!elements.has(part.element)) this.drawn.delete(id);
  }

  tick() {
    if (document.hidden) return;
    for (const part of this.drawn.values()) if (part.row) drawn(part, () => part.show(part.row, this.powers.get(part.row.id)));
  }

  // What changes

  later2() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => {
      if (this.live && this.followed() !== this.following) this.live.restart();
    }, 600);
  }

  inSight() {
    if (this.total === null) return [];
    const [first, last] = this.total <= PAGE ? [0, this.total - 1] : this.isTable() ? [this.first ?? 0, this.last ?? 20] : [0, FIRST_CARDS + this.more - 1];
    const ids = [];
    for (let index = first; index <= last; index += 1) if (this.rows.has(index)) ids.push(this.rows.get(index).id);
    return ids;
  }

  followed() {
    return this.inSight().sort().join(",");
  }

  streamPath() {
    this.following = this.followed();
    return `stream?${query({ vehicle: this.following, signal: CODES.join(","), vehicles: "true" })}`;
  }

  hear(kind, data) {
    if (kind === "vehicles") return this.load().catch(() => null);
    const row = this.rows.get(this.places.get(data.vehicle)), { code } = data.signal.attributes;
    if (row?.id !== data.vehicle) return this.total === 0 ? this.load().catch(() => null) : null;
    row.signals[code] = briefOf(data.signal);
    row.version = (row.version ?? 0) + 1;
    const { at } = row.signals[code];
    if (at && (!row.heardAt || at > row.heardAt)) row.heardAt = at;
    if (code === POWER) this.notePower(row);
    if (DECIDING.has(code) || kind === "ended") this.refresh(row.id);
    this.schedule();
  }

  // What decides on a car's state is decided by the server.
  refresh(id) {
    this.dirty.add(id);
    this.refreshing ??= setTimeout(async () => {
      const ids = [...this.dirty].slice(0, PAGE);
      this.dirty.clear();
      this.refreshing = null;
      try {
        const { data } = await get(this.path(1, PAGE, ids.join(",")));
        for (const row of data) {
          const index = this.places.get(row.id);
          if (this.rows.get(index)?.id === row.id) this.rows.set(index, row);
        }
        this.schedule();
      } catch {
        return; // the stream says that the server is away
      }
    }, 300);
  }

  notePower(row) {
    const stands = standing(row.signals[POWER], now());
    if (stands.kind !== "current") return;
    const series = this.powers.get(row.id) ?? [];
    if (series.length && series.at(-1)[0] === stands.at) return;
    series.push([stands.at, stands.body.value]);
    if (series.length > SPARK) series.shift();
    this.powers.set(row.id, series);
    if (this.powers.size > 500) this.powers.delete(this.powers.keys().next().value);
  }
}

// Put these children in this order, and touch only what differs: what has the focus keeps it.
function place(parent, children) {
  children.forEach((child, index) => {
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
  while (parent.children.length > children.length) parent.lastElementChild.remove();
}

// What can't be drawn of one car is said there: a fault of this page, not of the server, and not of the other cars.
function drawn(part, draw) {
  try {
    draw();
  } catch (error) {
    console.error("a car can't be drawn", error);
    part.element.dataset.state = "broken";
    setText(part.status, t("Can't be shown: a fault of the page"));
  }
}

const ago = (row) => age(now() - Date.parse(row.heardAt));
const carLink = (id) => `#/cars/${encodeURIComponent(id)}`;
const facts = (row) => [row.name === [row.make, row.model].filter(Boolean).join(" ") ? "" : [row.make, row.model].filter(Boolean).join(" "), row.year, row.powertrainType].filter(Boolean).join(" · ");

function heard(row) {
  return row.heardAt ? ago(row) : t("nothing yet");
}

function socText(row) {
  const soc = standing(row.signals[SOC], now());
  return { soc, text: soc.body ? `${number(soc.body.value, 0)} %` : "—" };
}

function limitOf(row) {
  return standing(row.signals[LIMITS], now()).body?.activeLimit ?? null;
}

function battery() {
  const fill = h("span", { className: "fill" }), mark = h("span", { className: "mark" });
  const element = h("span", { className: "battery", role: "meter", "aria-valuemin": 0, "aria-valuemax": 100, "aria-label": t("State of charge") }, fill, mark);
  return { element, show(row) {
    const { soc } = socText(row), limit = limitOf(row), value = soc.body?.value;
    element.dataset.kind = soc.kind;
    fill.style.width = `${value ?? 0}%`;
    mark.hidden = limit === null;
    if (limit !== null) mark.style.left = `${limit}%`;
    element.setAttribute("aria-valuenow", value ?? 0);
    element.setAttribute("aria-valuetext", value === undefined ? t("unknown") : limit === null ? `${number(value, 1)} %` : t("{soc} %, charges to {limit} %", { soc: number(value, 1), limit: number(limit, 0) }));
  } };
}

function finish(row) {
  const left = standing(row.signals[FINISH], now());
  if (left.kind !== "current" || !left.body.value) return null;
  const at = (Number.isFinite(left.at) ? left.at : now()) + left.body.value * 60000;
  return { at, text: dayTime(at, now()), left: duration(Math.max(0, (at - now()) / 60000)) };
}

function newRow(row) {
  const cells = Object.fromEntries(["state", "soc", "power", "finish", "range", "heard"].map((name) => [name, h("td", { className: name })]));
  const status = h("span"), sign = h("span"), level = battery(), soc = h("span", { className: "figure" });
  cells.state.append(sign, status);
  cells.soc.append(soc, level.element);
  const name = h("a", { href: carLink(row.id) }), sub = h("small");
  const element = h("tr", { data: { vehicle: row.id } }, h("th", { scope: "row", className: "car" }, name, sub), Object.values(cells));
  let shownIcon = "";
  return { element, status, show(one) {
    setText(name, one.name);
    name.title = one.name;
    setText(sub, facts(one));
    const stands = stateInWords(one, now());
    element.dataset.state = one.state;
    setText(status, stands.text);
    if (shownIcon !== stands.icon) sign.replaceChildren(icon(shownIcon = stands.icon));
    setText(soc, socText(one).text);
    level.show(one);
    const power = standing(one.signals[POWER], now()), range = standing(one.signals[RANGE], now());
    setText(cells.power, power.kind === "current" ? kilowatts(power.body.value) : "—");
    setText(cells.finish, finish(one)?.text ?? "—");
    setText(cells.range, range.body ? `${distance(range.body.value)} ${distanceUnit()}` : "—");
    setText(cells.heard, heard(one));
    if (one.heardAt) cells.heard.title = title(Date.parse(one.heardAt));
  } };
}

function newCard(row) {
  const name = h("a", { href: carLink(row.id) }), sub = h("p", { className: "sub" }), status = h("span"), sign = h("span");
  const soc = h("p", { className: "big" }), beside = h("p", { className: "beside" }), power = h("p", { className: "big" }), until = h("p", { className: "beside" }), gained = h("p", { className: "beside" });
  const space = "http://www.w3.org/2000/svg";
  const spark = document.createElementNS(space, "svg"), line = document.createElementNS(space, "path"), area = document.createElementNS(space, "path");
  spark.setAttribute("viewBox", "0 0 100 28");
  spark.setAttribute("preserveAspectRatio", "none");
  spark.setAttribute("aria-hidden", "true");
  spark.setAttribute("class", "spark");
  area.setAttribute("class", "area");
  line.setAttribute("class", "line");
  spark.append(area, line);
  const level = battery(), foot = h("footer"), why = h("p", { className: "reason" });
  const element = h("article", { className: "card", data: { vehicle: row.id } },
    h("header", {}, h("div", { className: "named" }, h("h2", {}, name), sub), h("p", { className: "status" }, sign, status)),
    why, h("div", { className: "charge" }, soc, beside, level.element), h("div", { className: "power" }, power, until, gained, spark), foot);
  let shownIcon = "";
  return { element, status, show(one, powers) {
    setText(name, one.name);
    name.title = one.name;
    setText(sub, facts(one));
    const stands = stateInWords(one, now());
    element.dataset.state = one.state;
    setText(status, stands.text);
    if (shownIcon !== stands.icon) sign.replaceChildren(icon(shownIcon = stands.icon));
    why.hidden = one.state !== "silent";
    setText(why, one.state !== "silent" ? "" : one.heardAt ? t("Last reported {age}. Values are from that time.", { age: ago(one) }) : t("Nothing reported yet"));
    const { soc: charge, text } = socText(one), limit = limitOf(one), range = standing(one.signals[RANGE], now());
    soc.dataset.kind = charge.kind;
    setText(soc, text);
    setText(beside, [limit === null ? "" : t("to {limit} %", { limit: number(limit, 0) }), range.body ? `${distance(range.body.value)} ${distanceUnit()}` : ""].filter(Boolean).join(" · "));
    level.show(one);
    const flow = standing(one.signals[POWER], now()), added = standing(one.signals[ADDED], now()), ready = finish(one);
    power.dataset.kind = flow.kind;
    setText(power, flow.body ? kilowatts(flow.body.value) : "—");
    setText(until, !flow.body ? flow.why.title : flow.kind === "old" && one.state !== "silent" ? t("last known") : ready ? t("ready {time} ({left})", { time: ready.text, left: ready.left }) : "");
    const energy = flow.kind === "current" && added.kind === "current" && added.body.value > 0 ? t("{energy} kWh added", { energy: rounded(added.body.value) }) : "";
    setText(gained, energy);
    gained.hidden = energy === "";
    spark.toggleAttribute("hidden", one.state !== "charging" || !powers || powers.length < 2);
    if (!spark.hasAttribute("hidden")) drawSpark(line, area, powers);
    foot.hidden = !why.hidden;
    setText(foot, one.heardAt ? t("Reported {age}", { age: heard(one) }) : t("Nothing reported yet"));
  } };
}

function drawSpark(line, area, points) {
  const [from, to] = [points[0][0], points.at(-1)[0]], most = Math.max(...points.map(([, value]) => value), 1);
  const path = points.map(([at, value], index) => `${index ? "L" : "M"}${((at - from) / (to - from || 1) * 100).toFixed(1)} ${(26 - Math.max(0, value) / most * 24).toFixed(1)}`).join("");
  line.setAttribute("d", path);
  area.setAttribute("d", `${path}V28H0Z`);
}
