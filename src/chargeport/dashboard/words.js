// What signals say, in words. Nothing here touches the network.

import { distance, distanceUnit, money, number, sameYear, clockTime, t, wallTime, weekdays } from "./prefs.js";

/** The signals that there are, as the shell of the page brings them. */
export const CATALOGUE = JSON.parse(document.getElementById("signals").textContent);

export const rounded = (value) => number(value, value >= 100 ? 0 : value >= 10 ? 1 : 2);

export function kilowatts(watts) {
  const digits = watts === 0 ? 0 : Math.abs(watts) < 1e5 ? 2 : 1;
  return `${number(watts / 1000, digits, digits)} kW`;
}

export function duration(minutes) {
  if (minutes < 1 && minutes > 0) return `${Math.round(minutes * 60)} s`;
  const whole = Math.round(minutes);
  const hours = Math.floor(whole / 60);
  return hours ? `${hours} h ${whole % 60} min` : `${whole} min`;
}

// With spaces that do not break: an age stays on one line.
export function age(milliseconds) {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const [count, unit] = seconds < 60 ? [seconds, "s"]
    : seconds < 3600 ? [seconds / 60, "min"]
    : seconds < 172800 ? [seconds / 3600, "h"] : [seconds / 86400, t("days")];
  return t("{age} ago", { age: `${Math.floor(count)}\u00a0${unit}` }).replace(" ", "\u00a0");
}

export function sentence(text) {
  const plain = String(text).replaceAll("_", " ").trim();
  return t(plain.charAt(0).toUpperCase() + plain.slice(1).toLowerCase());
}

// IsChargingCableConnected -> Charging cable connected; VIN stays
export function label(name) {
  const words = name.replace(/^Is(?=[A-Z])/, "").replace(/([a-z])([A-Z])/g, "$1 $2").split(" ");
  const plain = words.map((one) => (/^[A-Z]{2,}$/.test(one) ? one : one.toLowerCase())).join(" ");
  return t(plain.charAt(0).toUpperCase() + plain.slice(1));
}

export const DAYS = ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"];

export function onDays(days) {
  const held = DAYS.filter((one) => days?.includes(one));
  if (held.length === 0 || held.length === 7) return t("every day");
  const names = weekdays();
  const short = held.map((one) => names[DAYS.indexOf(one)]);
  const inARow = DAYS.indexOf(held.at(-1)) - DAYS.indexOf(held[0]) === held.length - 1;
  return held.length > 2 && inARow ? `${short[0]}–${short.at(-1)}` : short.join(", ");
}

export function place(where) {
  if (!where) return "";
  const told = [where.name, where.address].filter(Boolean).join(", ");
  const known = where.latitude !== undefined && where.latitude !== null && where.longitude !== undefined && where.longitude !== null;
  return told || (known ? `${number(where.latitude, 4)}°, ${number(where.longitude, 4)}°` : "");
}

export function circumstance(entry) {
  if (entry.type === "GLOBAL") return t("In general");
  return entry.condition?.chargingType ?? (place(entry.condition) || t("At a place"));
}

function limits(body) {
  const lines = (body.values ?? []).map((one) => ({ head: circumstance(one), text: `${rounded(one.limit)} %` }));
  return { text: body.activeLimit === undefined ? t("No limit in force is reported") : t("{limit} % in force", { limit: rounded(body.activeLimit) }), lines };
}

function timer(entry) {
  const parts = (entry.schedules ?? []).map((one) => t("charges {from}–{to}, {days}", { from: wallTime(one.start), to: wallTime(one.end), days: onDays(one.days) }));
  parts.push(...(entry.departureTimers ?? []).map((one) => t("ready at {time}, {days}", { time: wallTime(one.time), days: onDays(one.days) })));
  if (entry.isOEMOptimizationEnabled) parts.push(t("the maker optimises"));
  return { head: circumstance(entry), text: parts.join("; ") || t("nothing set") };
}

function timers(body) {
  const set = body.values ?? [];
  return { text: set.length === 0 ? t("None set") : t("{count} set", { count: set.length }), lines: set.map(timer) };
}

export function span(start, end) {
  const [from, to] = [start, end].map((text) => (Number.isNaN(Date.parse(text)) ? null : new Date(text)));
  if (!from && !to) return t("Time unknown");
  if (!to) return t("From {time}", { time: sameYear(from) });
  if (!from) return t("Until {time}", { time: sameYear(to) });
  return `${sameYear(from)} – ${from.toDateString() === to.toDateString() ? clockTime(to) : sameYear(to)}`;
}

function price(cost) {
  if (cost?.energyAmount === undefined && cost?.otherAmount === undefined) return "";
  const total = (cost.energyAmount ?? 0) + (cost.otherAmount ?? 0);
  return cost.currency ? money(total, cost.currency) : number(total);
}

function pastSession(record) {
  const { startStateOfCharge: from, endStateOfCharge: to, isPublicCharger: shared } = record;
  const parts = [
    record.energyAdded === undefined ? "" : `${rounded(record.energyAdded)} kWh`,
    from === undefined || to === undefined ? "" : `${rounded(from)} → ${rounded(to)} %`,
    record.chargingType,
    shared === undefined ? "" : shared ? t("public") : t("private"),
    price(record.cost),
    place(record.location),
  ];
  return { head: span(record.startTime, record.endTime), text: parts.filter(Boolean).join(" · ") };
}

function records(body) {
  const all = body.values ?? [];
  if (all.length === 0) return { text: t("None"), lines: [] };
  const energy = all.reduce((sum, one) => sum + (one.energyAdded ?? 0), 0);
  const newest = [...all].sort((one, other) => (other.startTime ?? "").localeCompare(one.startTime ?? ""));
  return { text: t("{count} sessions, {energy} kWh", { count: all.length, energy: rounded(energy) }), lines: newest.map(pastSession), folded: true };
}

function capacity(body) {
  const choices = (body.availableCapacities ?? []).filter((one) => one.description || body.availableCapacities.length > 1);
  const lines = choices.map((one) => ({ head: one.description ?? t("Possible"), text: `${rounded(one.capacity)} kWh` }));
  return { text: body.capacity === undefined || body.capacity === null ? t("Not decided") : `${rounded(body.capacity)} kWh`, lines };
}

function range(body) {
  const lines = (body.additionalValues ?? []).map((one) => ({ head: sentence(one.type ?? "also"), text: `${distance(one.value)} ${distanceUnit()}` }));
  return { text: `${distance(body.value)} ${distanceUnit()}${body.type && body.type !== "DEFAULT" ? ` (${sentence(body.type)})` : ""}`, lines };
}

const UNITS = { ampere: "A", volts: "V", percent: "%" };

function measured(body) {
  const { value, unit } = body;
  if (value === true) return t("Yes");
  if (value === false) return t("No");
  if (typeof value === "number") return unit ? `${number(value)} ${UNITS[unit] ?? unit}` : number(value);
  if (value !== undefined) return String(value);
  return Object.entries(body).map(([name, each]) => `${label(name)}: ${String(each)}`).join(", ");
}

const BODIES = {
  "charge-chargelimits": limits,
  "charge-chargetimers": timers,
  "charge-chargerecords": records,
  "charge-chargerate": (body) => ({ text: `${distance(body.value)} ${distanceUnit()}/h` }),
  "charge-timetocomplete": (body) => ({ text: duration(body.value) }),
  "charge-detailedchargingstatus": (body) => ({ text: sentence(body.value) }),
  "charge-wattage": (body) => ({ text: kilowatts(body.value) }),
  "tractionbattery-nominalcapacity": capacity,
  "tractionbattery-range": range,
  "location-preciselocation": (body) => ({ text: place(body) || measured(body) }),
};

/** A body in words: a text, and lines below it for what has parts. */
export function inWords(code, body) {
  return BODIES[code]?.(body) ?? { text: measured(body) };
}

const REASONS = {
  NOT_REPORTED: ["Not reported", "No source has reported it for this vehicle yet."],
  UNREACHABLE: ["Unreachable", "The vehicle does not report: its last value is too old."],
  NOT_CHARGING: ["Not charging", "The charging session has ended, and nothing newer was reported."],
  NOT_CAPABLE: ["Vehicle not capable", "The vehicle does not have this."],
  NOT_PERMITTED: ["Not permitted", "The source has no permission to read this."],
  UNREADABLE: ["Invalid data", "The source reported an invalid value."],
  SOURCE_FAILED: ["Source failed", "The source failed to read this."],
};

/** Why there is no value that holds: a title and a sentence. */
export function reason(code) {
  const [title, detail] = REASONS[code] ?? [code, ""];
  return { code, title: REASONS[code] ? t(title) : sentence(title), detail: t(detail) };
}

/** Who said so: the name of a source, or from what it was derived. */
export function sourceInWords(source, derivedFrom) {
  if (!source) return "";
  if (derivedFrom?.length) return t("derived from {codes}", { codes: derivedFrom.map((each) => each.split("-")[1]).join(", ") });
  return source.startsWith("derived") ? t("derived") : source;
}

/** A signal of `/fleet`: current, old (a last value that is not true any more), or none; and why. */
export function standing(signal, now) {
  if (!signal) return { kind: "none", why: reason("NOT_REPORTED") };
  const { body, at, staleAt, source, status, derivedFrom } = signal;
  const code = status ?? (staleAt && Date.parse(staleAt) <= now ? "UNREACHABLE" : null);
  const from = { source: sourceInWords(source, derivedFrom), at: Date.parse(at) };
  if (body === undefined) return { kind: "none", why: reason(code ?? "NOT_REPORTED"), ...from };
  return { kind: code ? "old" : "current", why: code ? reason(code) : null, body, ...from };
}

const ICONS = { charging: "bolt", scheduled: "clock", full: "check", plugged: "plug", idle: "pause", error: "alert", silent: "silent", unknown: "unknown" };
const STATES = { charging: "Charging", scheduled: "Scheduled", full: "Fully charged", plugged: "Plugged in", idle: "Not charging", error: "Fault", silent: "Silent", unknown: "Not reported" };

// What the state says already: the list, the filter and the car then use the same words.
const SAID_BY_STATE = new Set(["CONNECTED", "FULLY_CHARGED", "SCHEDULED", "ERROR"]);

/** The state of a car in a word, with an icon. A silent one says what it did last. */
export function stateInWords(row, now) {
  const detailed = standing(row.signals["charge-detailedchargingstatus"], now);
  const charging = standing(row.signals["charge-ischarging"], now);
  const last = detailed.body?.value ?? (charging.body === undefined ? null : charging.body.value ? "CHARGING" : "NOT_CHARGING");
  if (row.state === "silent") return { icon: "silent", text: last ? t("Last known: {state}", { state: sentence(last) }) : t("Silent") };
  if (row.state === "unknown") return { icon: "unknown", text: `— ${t("Not reported")}` };
  const own = detailed.kind === "current" ? detailed.body.value : null;
  return { icon: ICONS[row.state], text: own === null || row.state === "charging" || SAID_BY_STATE.has(own) ? t(STATES[row.state]) : sentence(own) };
}

export const stateName = (state) => t(STATES[state]);
export const stateIcon = (state) => ICONS[state];
