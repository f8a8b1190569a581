"use strict";
// What signals say, in words. Nothing here touches the page or the network.

const FEW = { maximumFractionDigits: 2 };

function number(value, digits = FEW) {
  return new Intl.NumberFormat("en", typeof digits === "number" ? { maximumFractionDigits: digits } : digits).format(value);
}

function rounded(value) {
  return number(value, value >= 100 ? 0 : value >= 10 ? 1 : 2);
}

function kilowatts(watts) {
  return `${number(watts / 1000, { minimumFractionDigits: watts === 0 ? 0 : watts < 1e5 ? 2 : 1, maximumFractionDigits: watts < 1e5 ? 2 : 1 })} kW`;
}

function duration(minutes) {
  const whole = Math.round(minutes);
  const hours = Math.floor(whole / 60);
  return hours ? `${hours} h ${whole % 60} min` : `${whole} min`;
}

// With spaces that do not break: an age stays on one line.
function age(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [count, unit] = seconds < 60 ? [seconds, "s"]
    : seconds < 3600 ? [seconds / 60, "min"]
    : seconds < 172800 ? [seconds / 3600, "h"] : [seconds / 86400, "days"];
  return `${Math.floor(count)}\u00a0${unit}\u00a0ago`;
}

function sentence(text) {
  const plain = String(text).replaceAll("_", " ").trim();
  return plain.charAt(0).toUpperCase() + plain.slice(1).toLowerCase();
}

// IsChargingCableConnected -> Charging cable connected
function label(name) {
  return sentence(name.replace(/^Is(?=[A-Z])/, "").replace(/([a-z])([A-Z])/g, "$1 $2"));
}

const DAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];

function onDays(days) {
  if (!days?.length) return "";
  const held = DAYS.filter((day) => days.includes(day));
  const short = held.map((day) => sentence(day).slice(0, 3));
  if (held.length === 7) return ", every day";
  const inARow = DAYS.indexOf(held.at(-1)) - DAYS.indexOf(held[0]) === held.length - 1;
  return held.length > 2 && inARow ? `, ${short[0]}–${short.at(-1)}` : `, ${short.join(", ")}`;
}

function clockTime(text) {
  return text ? text.slice(0, 5) : "…";
}

function place(where) {
  if (!where) return "";
  const said = [where.name, where.address].filter(Boolean).join(", ");
  const known = where.latitude !== undefined && where.longitude !== undefined;
  return said || (known ? `${number(where.latitude, 4)}, ${number(where.longitude, 4)}` : "");
}

function circumstance(entry) {
  if (entry.type === "GLOBAL") return "In general";
  return entry.condition?.chargingType ?? (place(entry.condition) || "At a place");
}

function limits(body) {
  const lines = (body.values ?? []).map((one) => ({ head: circumstance(one), text: `${rounded(one.limit)} %` }));
  return { text: body.activeLimit === undefined ? "No limit in force is told" : `${rounded(body.activeLimit)} % in force`, lines };
}

function timer(entry) {
  const parts = (entry.schedules ?? []).map((one) => `charges ${clockTime(one.start)}–${clockTime(one.end)}${onDays(one.days)}`);
  parts.push(...(entry.departureTimers ?? []).map((one) => `ready at ${clockTime(one.time)}${onDays(one.days)}`));
  if (entry.isOEMOptimizationEnabled) parts.push("the maker optimises");
  return { head: circumstance(entry), text: sentenceStart(parts.join("; ") || "nothing set") };
}

function sentenceStart(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function timers(body) {
  const set = body.values ?? [];
  return { text: set.length === 0 ? "None set" : set.length === 1 ? "1 timer" : `${set.length} timers`, lines: set.map(timer) };
}

const DAY_AND_TIME = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const TIME = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

function span(start, end) {
  const [from, to] = [start, end].map((text) => (Number.isNaN(Date.parse(text)) ? null : new Date(text)));
  if (!from && !to) return "Time not told";
  if (!to) return `From ${DAY_AND_TIME.format(from)}`;
  if (!from) return `Until ${DAY_AND_TIME.format(to)}`;
  return `${DAY_AND_TIME.format(from)} – ${(from.toDateString() === to.toDateString() ? TIME : DAY_AND_TIME).format(to)}`;
}

function price(cost) {
  if (cost?.energyAmount === undefined && cost?.otherAmount === undefined) return "";
  const total = (cost.energyAmount ?? 0) + (cost.otherAmount ?? 0);
  return cost.currency ? `${cost.currency} ${number(total, { minimumFractionDigits: 2, maximumFractionDigits: 2 })}` : number(total);
}

function pastSession(record) {
  const { startStateOfCharge: from, endStateOfCharge: to, isPublicCharger: shared } = record;
  const parts = [
    record.energyAdded === undefined ? "" : `${rounded(record.energyAdded)} kWh`,
    from === undefined || to === undefined ? "" : `${rounded(from)} → ${rounded(to)} %`,
    record.chargingType,
    shared === undefined ? "" : shared ? "public" : "private",
    price(record.cost),
    place(record.location),
  ];
  return { head: span(record.startTime, record.endTime), text: parts.filter(Boolean).join(" · ") };
}

function records(body) {
  const all = body.values ?? [];
  if (all.length === 0) return { text: "None", lines: [] };
  const energy = all.reduce((sum, one) => sum + (one.energyAdded ?? 0), 0);
  const newest = [...all].sort((one, other) => (other.startTime ?? "").localeCompare(one.startTime ?? ""));
  return { text: `${all.length} ${all.length === 1 ? "session" : "sessions"}, ${rounded(energy)} kWh`, lines: newest.map(pastSession), folded: true };
}

function capacity(body) {
  const choices = (body.availableCapacities ?? []).filter((one) => one.description || body.availableCapacities.length > 1);
  const lines = choices.map((one) => ({ head: one.description ?? "Possible", text: `${rounded(one.capacity)} kWh` }));
  return { text: body.capacity === undefined || body.capacity === null ? "Not decided" : `${rounded(body.capacity)} kWh`, lines };
}

function range(body) {
  const lines = (body.additionalValues ?? []).map((one) => ({ head: sentence(one.type ?? "also"), text: `${number(one.value, 0)} km` }));
  return { text: `${number(body.value, 0)} km${body.type && body.type !== "DEFAULT" ? ` (${sentence(body.type).toLowerCase()})` : ""}`, lines };
}

const UNITS = { ampere: "A", volts: "V", percent: "%" };

function measured(body) {
  const { value, unit } = body;
  if (value === true) return "Yes";
  if (value === false) return "No";
  if (typeof value === "number") return unit ? `${number(value)} ${UNITS[unit] ?? unit}` : number(value);
  if (value !== undefined) return /^[A-Z]+_[A-Z_]+$/.test(value) ? sentence(value) : String(value);
  return Object.entries(body).map(([name, each]) => `${label(name)}: ${String(each)}`).join(", ");
}

const TOLD = {
  "charge-chargelimits": limits,
  "charge-chargetimers": timers,
  "charge-chargerecords": records,
  "charge-chargerate": (body) => ({ text: `${number(body.value, 0)} km/h` }),
  "charge-detailedchargingstatus": (body) => ({ text: sentence(body.value) }),
  "charge-timetocomplete": (body) => ({ text: duration(body.value) }),
  "charge-wattage": (body) => ({ text: kilowatts(body.value) }),
  "tractionbattery-nominalcapacity": capacity,
  "tractionbattery-range": range,
};

// A body in words: a text, and lines below it for what has parts.
function told(code, body) {
  return TOLD[code]?.(body) ?? { text: measured(body) };
}

const NOT_REPORTED = { title: "Not reported", detail: "No source has reported it for this vehicle yet." };
const OVERDUE = { code: "UNREACHABLE", title: "Unreachable", detail: "No newer report has come: the last one is too old to be true now." };

// A signal as the API gives it, in the few facts that the page needs.
function signalOf(resource) {
  const { code, status, body } = resource.attributes;
  const { oemUpdatedAt, ingestedAt, staleAt, derivedFrom } = resource.meta ?? {};
  const source = derivedFrom ? `derived from ${derivedFrom.map((each) => each.split("-")[1]).join(", ")}` : resource.meta?.source;
  const error = status.value === "SUCCESS" ? null : (status.error ?? { title: status.value, detail: "" });
  return { code, body, error, source, derived: Boolean(derivedFrom), at: Date.parse(oemUpdatedAt), storedAt: Date.parse(ingestedAt), staleAt: Date.parse(staleAt) };
}

// How a signal stands at `now`: current, old (a last value that is not true any more), or none; and why.
function standing(signal, now) {
  if (!signal) return { kind: "none", why: NOT_REPORTED };
  const { body, at, error, staleAt, source } = signal;
  if (body === undefined) return { kind: "none", why: error ?? NOT_REPORTED, source };
  const why = error ?? (staleAt <= now ? OVERDUE : null);
  return { kind: why ? "old" : "current", why, body, at, source };
}

// Whether the car has fallen silent: live values are overdue, and none is current.
function silence(signals, now) {
  const stands = [...signals.values()].map((signal) => ({ live: !Number.isNaN(signal.staleAt), ...standing(signal, now) }));
  const overdue = stands.find((one) => one.kind === "old" && one.why.code === "UNREACHABLE");
  return overdue && !stands.some((one) => one.live && one.kind === "current") ? overdue.why : null;
}

const ICONS = [
  [/DISCHARG/, "bolt"], [/^(CHARGING|STARTING)$/, "bolt"], [/SCHEDUL|CONSERV/, "clock"], [/FULL/, "check"],
  [/ERROR|NO_POWER|FAULT/, "alert"], [/SUSPEND|STOP|^NOT_CHARGING/, "pause"], [/CONNECT/, "plug"],
];

// The state of charging in a word, with an icon; `on` where energy flows now.
function stateOf(signals, now) {
  const charging = standing(signals.get("charge-ischarging"), now);
  const detailed = standing(signals.get("charge-detailedchargingstatus"), now);
  const raw = detailed.body?.value ?? (charging.body === undefined ? null : charging.body.value ? "CHARGING" : "NOT_CHARGING");
  if (raw === null || raw === undefined) return { text: `— ${sentence(detailed.why?.title ?? "not reported")}`, icon: "unknown", on: false };
  const basis = detailed.body ? detailed : charging;
  if (basis.kind === "old" || silence(signals, now)) return { text: `Last known: ${sentence(raw)}`, icon: "silent", on: false };
  const icon = ICONS.find(([form]) => form.test(raw))?.[1] ?? "unknown";
  return { text: sentence(raw), icon, on: charging.kind === "current" ? charging.body.value === true : raw === "CHARGING" };
}
