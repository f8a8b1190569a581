// What the reader chose: language, units, clock, colours. Kept in this browser only.

const KEY = "chargeport.preferences";
const USUAL = { language: "auto", distance: "km", clock: "auto", theme: "auto" };

function stored() {
  try {
    return { ...USUAL, ...JSON.parse(localStorage.getItem(KEY) ?? "{}") };
  } catch {
    return { ...USUAL };
  }
}

export const prefs = stored();
export const language = prefs.language === "auto" ? (navigator.language.startsWith("de") ? "de" : "en") : prefs.language;
const region = navigator.language.startsWith(language) ? navigator.language : language === "de" ? "de-DE" : "en-GB";
const hourCycle = prefs.clock === "auto" ? {} : { hourCycle: prefs.clock === "12" ? "h12" : "h23" };
export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

let words = {};

/** Load the words of the language; English ones are the keys. */
export async function loadWords() {
  document.documentElement.lang = language;
  if (language === "de") words = (await import("./de.js")).default;
}

/** A sentence in the reader's language; `{name}` is replaced. */
export function t(text, values = {}) {
  return (words[text] ?? text).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

export function applyTheme() {
  if (prefs.theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = prefs.theme;
}

export function save(changed) {
  Object.assign(prefs, changed);
  localStorage.setItem(KEY, JSON.stringify(prefs));
}

export function number(value, digits = 2, least = 0) {
  return new Intl.NumberFormat(region, { maximumFractionDigits: digits, minimumFractionDigits: least }).format(value);
}

export function money(amount, currency) {
  return new Intl.NumberFormat(region, { style: "currency", currency }).format(amount);
}

const form = (options) => new Intl.DateTimeFormat(region, { ...options, ...("hour" in options ? hourCycle : {}) });
const FULL = form({ day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY_TIME = form({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const DATED_TIME = form({ day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
const TIME = form({ hour: "2-digit", minute: "2-digit" });
const DAY = form({ day: "numeric", month: "short" });
const MONTH = form({ month: "long", year: "numeric" });

export const fullTime = (at) => FULL.format(at);
export const clockTime = (at) => TIME.format(at);
export const day = (at) => DAY.format(at);
export const month = (text) => MONTH.format(new Date(`${text}-15T12:00:00`));
export const sameYear = (at) => (new Date(at).getFullYear() === new Date().getFullYear() ? DAY_TIME : DATED_TIME).format(at);

export function dayTime(at, now) {
  const [one, other] = [new Date(at), new Date(now)];
  return one.toDateString() === other.toDateString() || Math.abs(one - other) < 16 * 3600000 ? TIME.format(one) : DAY_TIME.format(one);
}

export function wallTime(text) {
  if (!text) return "…";
  const [hour, minute] = text.split(":").map(Number);
  return TIME.format(new Date(2024, 0, 1, hour, minute));
}

export const distanceUnit = () => prefs.distance;
export const distance = (km, digits = 0) => number(prefs.distance === "mi" ? km / 1.609344 : km, digits);

export function weekdays() {
  const name = new Intl.DateTimeFormat(region, { weekday: "short" });
  return Array.from({ length: 7 }, (_, index) => name.format(new Date(2024, 0, 1 + index)));
}
