// Charging sessions: all of them with totals, one of them with its curve, and what people know better.

import { change, get, now, query, request } from "./api.js";
import { Browser, history as signalHistory } from "./chart.js";
import { addNames, carField, firstCars } from "./cars.js";
import { askFor, button, choice, field, h, offer, setText, table } from "./dom.js";
import { money, month, number, sameYear, t, zone } from "./prefs.js";
import { duration, kilowatts, place, rounded, sentence, span } from "./words.js";

const PAGE = 100;
const kwh = (value) => (value === null || value === undefined ? "—" : `${rounded(value)} kWh`);
const even = (value) => (value === null || value === undefined ? "—" : `${number(value, 1, 1)} kWh`); // below each other in a column
const costs = (list) => list.map((one) => money(one.amount, one.currency)).join(", ") || "—";
const right = (cell) => ({ cell, className: "number" });

export async function showSessions(root, params, { go, idle }) {
  const cars = await firstCars(), { names } = cars;
  const chosen = Object.fromEntries(["car", "from", "to", "place", "type", "group"].map((name) => [name, params.get(name) ?? ""]));
  const asked = (more = {}) => `records?${query({ "filter[vehicleId]": chosen.car, "filter[from]": chosen.from, "filter[to]": chosen.to, "filter[place]": chosen.place, "filter[type]": chosen.type, zone, ...more })}`;
  const found = await get(asked({ "page[size]": PAGE, "page[number]": params.get("page") ?? 1 }));
  const { totals } = found.meta;
  await addNames(names, [chosen.car, ...found.data.map((one) => one.vehicle_id), ...totals.byVehicle.map((one) => one.key)].filter(Boolean));
  const refresh = (values) => {
    const next = query({ ...chosen, ...values });
    go(`#/sessions${next ? `?${next}` : ""}`);
  };
  const again = () => showSessions(root, params, { go, idle });
  const places = [...new Set([...totals.byPlace.map((one) => one.key).filter(Boolean), chosen.place].filter(Boolean))];
  const form = h("form", { className: "filters no-print", on: { change: () => refresh({ ...Object.fromEntries(new FormData(form)), page: "" }), submit: (event) => event.preventDefault() } },
    carField(cars, chosen.car, { all: true }), field(t("From"), "from", { type: "date", value: chosen.from }), field(t("Before"), "to", { type: "date", value: chosen.to }),
    choice(t("Place"), "place", [["", t("All")], ...places.map((one) => [one, one])], chosen.place), choice(t("Type"), "type", [["", t("All")], ["AC", "AC"], ["DC", "DC"]], chosen.type));
  const file = (form) => button(form === "csv" ? "CSV" : "Parquet", async () => offer(await (await request(asked({ format: form }))).blob(), `charging-sessions.${form}`));
  const actions = h("div", { className: "buttons" }, button(t("Add a session"), () => addSession(cars, chosen.car).then((done) => done && again())),
    button(t("Merge selected"), () => mergeChosen(root, found.data).then((done) => done && again()), { id: "merge" }), file("csv"), file("parquet"),
    h("a", { href: `#/statement?${query({ car: chosen.car || found.data[0]?.vehicle_id, month: (found.data[0]?.started_at ?? new Date().toISOString()).slice(0, 7) })}` }, t("Monthly statement")));
  root.replaceChildren(h("div", { className: "head" }, h("h1", {}, t("Sessions"), " ", h("span", { className: "count" }, number(found.meta.totalCount, 0))), actions), form,
    totalTiles(totals.all), totalsTable(totals, names, chosen, refresh), h("h2", {}, t("Each session")),
    h("div", { className: "close-set" }, table(t("Sessions"), [t("When"), t("Car"), t("Duration"), t("Added"), t("Drawn"), t("Losses"), t("Charge"), t("Type"), t("Place"), t("Cost"), t("Note")],
      found.data.map((one) => sessionRow(one, names, again)), t("No session matches. Sessions appear here once a car has charged."))),
    pager(found.meta, (page) => refresh({ page })), await editList(chosen.car ? [chosen.car] : [...new Set([...found.data.map((one) => one.vehicle_id), ...names.keys()])].slice(0, 20), names, again));
  idle();
}

function totalTiles(all) {
  const tile = (name, value, beside = "") => h("div", { className: "tile" }, h("dt", {}, name), h("dd", { className: "big" }, value), h("dd", { className: "beside" }, beside));
  return h("dl", { className: "tiles" }, tile(t("Sessions"), number(all.sessions, 0), duration(all.duration_s / 60)),
    tile(t("Energy added"), kwh(all.energy_added_kwh), all.without_energy ? t("{count} without energy", { count: all.without_energy }) : ""),
    tile(t("Energy drawn"), kwh(all.energy_drawn_kwh), all.without_drawn ? t("{count} without it", { count: all.without_drawn }) : ""), tile(t("Losses"), kwh(all.losses_kwh), all.without_drawn ? t("where both are known") : ""),
    tile(t("Cost"), costs(all.cost), all.without_cost ? t("{count} without cost", { count: all.without_cost }) : ""));
}

function totalsTable(totals, names, chosen, refresh) {
  const group = chosen.group || "month";
  const given = { month: totals.byMonth, car: totals.byVehicle, place: totals.byPlace }[group];
  const called = (one) => (group === "month" ? month(one.key) : group === "car" ? names.get(one.key) ?? one.key : one.key ?? t("No place"));
  const shown = h("div", { className: "segmented", role: "group", "aria-label": t("Totals by") }, [["month", "Month"], ["car", "Car"], ["place", "Place"]].map(([key, text]) => button(t(text), () => refresh({ group: key }), { "aria-pressed": String(key === group) })));
  const rows = given.map((one) => [called(one), right(number(one.sessions, 0)), right(even(one.energy_added_kwh)), right(even(one.energy_drawn_kwh)), right(even(one.losses_kwh)), right(costs(one.cost))]);
  return h("section", { className: "panel close-set" }, h("div", { className: "head" }, h("h2", {}, t("Totals by")), shown), table(t("Totals by"), [t({ month: "Month", car: "Car", place: "Place" }[group]), t("Sessions"), t("Added"), t("Drawn"), t("Losses"), t("Cost")], rows, t("Nothing to sum up.")));
}

function charge(one) {
  if (one.start_soc_percent === null && one.end_soc_percent === null) return "—";
  return [one.start_soc_percent, one.end_soc_percent].map((value) => (value === null ? "?" : `${number(value, 0)} %`)).join(" → ");
}

function losses(one, inWords = kwh) {
  return inWords(one.energy_added_kwh === null || one.energy_drawn_kwh === null ? null : one.energy_drawn_kwh - one.energy_added_kwh);
}

function sessionRow(one, names, again) {
  const pick = h("input", { type: "checkbox", name: "picked", value: one.id, "aria-label": t("Select the session of {time}", { time: sameYear(Date.parse(one.started_at)) }) });
  const open = h("button", { type: "button", className: "link", on: { click: () => showSession(one, names, again) } }, one.is_open ? t("{time}, in progress", { time: sameYear(Date.parse(one.started_at)) }) : span(one.started_at, one.ended_at));
  return [h("div", { className: "picked" }, pick, open), { cell: names.get(one.vehicle_id) ?? one.vehicle_id, className: "long" }, duration(one.duration_s / 60), right(even(one.energy_added_kwh)), right(even(one.energy_drawn_kwh)), right(losses(one, even)), charge(one), one.charging_type, { cell: place(one.place) || "—", className: "long" }, right(one.cost ? money(one.cost.amount, one.cost.currency) : "—"), { cell: one.note ?? "", className: "long" }];
}

function pager(meta, to) {
  const last = Math.ceil(meta.totalCount / meta.pageSize);
  if (last <= 1) return "";
  return h("nav", { className: "buttons no-print", "aria-label": t("Pages of sessions") }, button(t("Newer"), () => to(meta.pageNumber - 1), { disabled: meta.pageNumber <= 1 }), t("{page} of {last}", { page: meta.pageNumber, last }), button(t("Older"), () => to(meta.pageNumber + 1), { disabled: meta.pageNumber >= last }));
}

// One session

function showSession(one, names, again) {
  const [start, end] = [Date.parse(one.started_at), one.ended_at ? Date.parse(one.ended_at) : now()];
  const dialog = h("dialog", { "aria-label": t("Session") });
  const curve = new Browser(async (from, to) => {
    const [power, soc] = await Promise.all(["charge-wattage", "tractionbattery-stateofcharge"].map((code) => signalHistory(one.vehicle_id, code, from, to)));
    return { series: [{ label: t("Power"), unit: "watts", colour: "green", data: power }, { label: t("State of charge"), unit: "percent", colour: "blue", data: soc }], bands: [[start, end]] };
  }, { spans: [], span: end - start, label: t("Power and state of charge over time") });
  const facts = [
    [t("When"), one.is_open ? t("{time}, in progress", { time: sameYear(start) }) : span(one.started_at, one.ended_at)], [t("Energy added"), `${kwh(one.energy_added_kwh)}${one.is_estimated ? ` (${t("estimated")})` : ""}`],
    [t("Energy drawn"), kwh(one.energy_drawn_kwh)], [t("Losses"), losses(one)], [t("Energy from"), one.energy_method ? sentence(one.energy_method) : "—"], [t("Charge"), charge(one)],
    [t("Highest power"), one.max_power_w === null ? "—" : kilowatts(one.max_power_w)], [t("Type"), one.charging_type ?? "—"], [t("Place"), place(one.place) || "—"],
    [t("Charger"), one.is_public === null ? t("unknown") : one.is_public ? t("public") : t("private")], [t("Cost"), one.cost ? money(one.cost.amount, one.cost.currency) : "—"],
    [t("Sources"), one.sources.join(", ") || "—"], [t("Evidence"), (one.evidence ?? []).map((fact) => t("{fact} by {count} of {codes}", { fact: sentence(fact.fact), count: fact.sightings, codes: fact.signals.join(", ") })).join("; ") || "—"],
    [t("Note"), one.note ?? "—"], [t("Id"), one.id],
  ];
  const wrong = h("p", { className: "wrong", role: "alert" });
  const act = (work) => async () => {
    try {
      if (await work()) {
        dialog.close();
        again();
      }
    } catch (error) {
      setText(wrong, t(error.message));
    }
  };
  dialog.append(h("div", { className: "head" }, h("h2", {}, t("Session of {car}", { car: names.get(one.vehicle_id) ?? one.vehicle_id })), button(t("Close"), () => dialog.close(), { className: "quiet" })),
    curve.area, curve.read, h("dl", { className: "facts" }, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)])), wrong,
    h("div", { className: "buttons" }, button(t("Edit"), act(() => editSession(one))), button(t("Split"), act(() => splitSession(one, start, end))), button(t("Hide"), act(() => hideSession(one)), { className: "danger" })));
  dialog.addEventListener("close", () => { curve.close(); dialog.remove(); });
  document.body.append(dialog);
  dialog.showModal();
  curve.between(start - 300000, end + 300000).catch((error) => setText(wrong, t(error.message)));
}

const edits = (vehicle) => `vehicles/${encodeURIComponent(vehicle)}/records/edits`;
const local = (at) => new Date(at - new Date(at).getTimezoneOffset() * 60000).toISOString().slice(0, 19);
const amount = (text) => (text === "" || text === undefined ? undefined : Number(text));
const paid = (given) => (given.cost === "" ? undefined : { amount: Number(given.cost), currency: given.currency.toUpperCase() });

async function editSession(one) {
  const given = await askFor(t("Edit the session"), [
    field(t("Note"), "note", { value: one.note ?? "", maxLength: 200 }), field(t("Place"), "place", { value: one.place?.name ?? "" }),
    choice(t("Charger"), "shared", [["", t("unknown")], ["yes", t("public")], ["no", t("private")]], one.is_public === null ? "" : one.is_public ? "yes" : "no"),
    field(t("Energy added (kWh)"), "energy", { type: "number", min: 0, step: "any", value: one.energy_added_kwh ?? "" }),
    field(t("Cost"), "cost", { type: "number", min: 0, step: "any", value: one.cost?.amount ?? "" }), field(t("Currency"), "currency", { value: one.cost?.currency ?? "EUR", pattern: "[A-Za-z]{3}" }),
  ], t("Save"), t("Cancel"));
  if (!given) return false;
  const energy = amount(given.energy);
  const cost = paid(given);
  await change("POST", edits(one.vehicle_id), {
    type: "annotate", record: one.id, note: given.note || undefined, place: given.place && given.place !== one.place?.name ? given.place : undefined,
    isPublic: given.shared === "" ? undefined : given.shared === "yes", energyAddedKwh: energy === one.energy_added_kwh ? undefined : energy, cost: cost && (cost.amount !== one.cost?.amount || cost.currency !== one.cost?.currency) ? cost : undefined,
  });
  return true;
}

async function splitSession(one, start, end) {
  const given = await askFor(t("Split the session"), [field(t("The second begins at"), "at", { type: "datetime-local", step: 1, value: local((start + end) / 2), required: true })], t("Split"), t("Cancel"));
  if (!given) return false;
  await change("POST", edits(one.vehicle_id), { type: "split", record: one.id, at: new Date(given.at).toISOString() });
  return true;
}

async function hideSession(one) {
  const given = await askFor(t("Hide the session?"), [h("p", {}, t("It is kept, and can be shown again below the list."))], t("Hide"), t("Cancel"));
  if (!given) return false;
  await change("POST", edits(one.vehicle_id), { type: "remove", record: one.id });
  return true;
}

async function mergeChosen(root, rows) {
  const ids = [...root.querySelectorAll('input[name="picked"]:checked')].map((one) => one.value);
  const picked = rows.filter((one) => ids.includes(one.id)), cars = new Set(picked.map((one) => one.vehicle_id));
  const why = picked.length < 2 ? t("Select two or more sessions in the list first.") : cars.size > 1 ? t("These are sessions of different cars.") : "";
  if (why) {
    await askFor(t("Merge sessions"), [h("p", {}, why)], t("Close"), t("Cancel"));
    return false;
  }
  if (!(await askFor(t("Merge {count} sessions?", { count: picked.length }), [], t("Merge"), t("Cancel")))) return false;
  await change("POST", edits(picked[0].vehicle_id), { type: "merge", records: picked.map((one) => one.id) });
  return true;
}

async function addSession(cars, car) {
  const given = await askFor(t("Add a session"), [
    carField(cars, car || [...cars.names.keys()][0]), field(t("From"), "start", { type: "datetime-local", required: true }), field(t("To"), "end", { type: "datetime-local", required: true }),
    field(t("Energy added (kWh)"), "energy", { type: "number", min: 0, step: "any" }), field(t("Energy drawn (kWh)"), "drawn", { type: "number", min: 0, step: "any" }),
    choice(t("Type"), "kind", [["", t("unknown")], ["AC", "AC"], ["DC", "DC"]], ""), field(t("Place"), "place"), field(t("Cost"), "cost", { type: "number", min: 0, step: "any" }), field(t("Currency"), "currency", { value: "EUR", pattern: "[A-Za-z]{3}" }), field(t("Note"), "note"),
  ], t("Add"), t("Cancel"));
  if (!given) return false;
  try {
    await change("POST", edits(given.car), {
      type: "add", startedAt: new Date(given.start).toISOString(), endedAt: new Date(given.end).toISOString(), energyAddedKwh: amount(given.energy), energyDrawnKwh: amount(given.drawn),
      chargingType: given.kind || undefined, place: given.place || undefined, cost: paid(given), note: given.note || undefined,
    });
  } catch (error) {
    await askFor(t("The session was not added"), [h("p", { className: "wrong" }, t(error.message))], t("Close"), t("Cancel"));
    return false;
  }
  return true;
}

const EDITS = { Split: "Split", Merge: "Merged", Annotate: "Edited", Add: "Added", Remove: "Hidden", Imported: "Imported", Undo: "Taken back" };

async function editList(cars, names, again) {
  const lists = await Promise.all(cars.map((id) => get(edits(id)).then(({ data }) => data.map((one) => ({ ...one, car: id })), () => [])));
  const found = lists.flat().sort((one, other) => other.number - one.number).slice(0, 50);
  const undone = new Set(found.filter((one) => one.edit.type === "Undo").map((one) => one.edit.number));
  return h("details", { className: "apart" }, h("summary", {}, t("Edits")), table(t("Edits"), [t("When"), t("Car"), t("Change"), t("Session"), ""], found.filter((one) => one.edit.type !== "Undo").map((one) => [
    sameYear(Date.parse(one.madeAt)), names.get(one.car) ?? one.car, t(EDITS[one.edit.type]), (one.edit.records ?? [one.edit.record]).map((each) => each?.record_id ?? one.edit.record_id ?? "").join(", "),
    undone.has(one.number) ? t("taken back") : button(t("Take back"), async () => { await change("POST", edits(one.car), { type: "undo", number: one.number }); again(); }, { className: "quiet" }),
  ]), t("No session was edited.")));
}

// A statement to print

export async function showStatement(root, params, { go, idle }) {
  const cars = await firstCars(), { names } = cars;
  const newest = params.get("car") ? null : (await get(`records?${query({ zone, "page[size]": 1 })}`)).data[0];
  const car = params.get("car") ?? newest?.vehicle_id ?? [...names.keys()][0] ?? "";
  const chosen = params.get("month") || (newest?.started_at ?? new Date().toISOString()).slice(0, 7);
  const shown = car ? (await get(`fleet?${query({ "filter[id]": car })}`)).data[0] : null;
  const facts = shown ? [[shown.make, shown.model].filter(Boolean).join(" "), shown.year, shown.vin && t("VIN {vin}", shown)].filter((one) => one && one !== shown.name).join(" · ") : "";
  const [year, number_] = chosen.split("-").map(Number);
  const [from, to] = [new Date(year, number_ - 1, 1), new Date(year, number_, 1)];
  const found = car ? await get(`records?${query({ "filter[vehicleId]": car, "filter[from]": from.toISOString(), "filter[to]": to.toISOString(), zone, "page[size]": 500 })}`) : null;
  const form = h("form", { className: "filters no-print", on: { change: () => go(`#/statement?${query(Object.fromEntries(new FormData(form)))}`), submit: (event) => event.preventDefault() } },
    carField(cars, car), field(t("Month"), "month", { type: "month", value: chosen }), button(t("Print"), () => print(), { className: "primary" }), h("a", { href: "#/sessions" }, t("All sessions")));
  root.replaceChildren(form);
  idle();
  if (!found) return root.append(h("p", { className: "empty" }, t("No cars yet. Each car appears here as soon as a source reports it or somebody adds it.")));
  const { all } = found.meta.totals;
  const rows = found.data.toReversed().map((one) => [span(one.started_at, one.ended_at), place(one.place) || "—", one.charging_type, right(even(one.energy_added_kwh)), right(even(one.energy_drawn_kwh)), right(one.cost ? money(one.cost.amount, one.cost.currency) : "—")]);
  if (rows.length) rows.push([t("Total"), "", "", right(even(all.energy_added_kwh)), right(even(all.energy_drawn_kwh)), right(costs(all.cost))].map((one) => (one.cell ? { ...one, cell: h("b", {}, one.cell) } : one && h("b", {}, one))));
  const missing = [all.without_energy ? t("{count} without energy", { count: all.without_energy }) : "", all.without_cost ? t("{count} without cost", { count: all.without_cost }) : ""].filter(Boolean).join(", ");
  root.append(h("h1", {}, t("Charging of {car} in {month}", { car: shown?.name ?? car, month: month(chosen) })), h("p", { className: "sub" }, facts), h("p", { className: "lead" }, t("{count} sessions. Times are those of {zone}.", { count: all.sessions, zone }), missing ? ` ${missing}.` : ""),
    h("div", { className: "close-set" }, table(t("Sessions"), [t("When"), t("Place"), t("Type"), t("Added"), t("Drawn"), t("Cost")], rows, t("No session in this month."))));
}
