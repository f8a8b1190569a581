// Below a few cars: what this month and the last one cost, and which source is silent or fails.

import { get, now, query, session } from "./api.js";
import { h } from "./dom.js";
import { money, month, number, t, zone } from "./prefs.js";
import { duration, rounded, sentence } from "./words.js";

const AGAIN_MS = 300000;
const SOON_MS = 5000; // while a source connects
const SILENT_MS = 24 * 3600000; // a source that is connected and has told nothing for so long
const SHOWN_SOURCES = 4;

/** Show it in an element and again every few minutes; the answer ends that. */
export function glance(root) {
  let timer = 0, ended = false;
  const again = async () => {
    const found = document.hidden ? null : await Promise.all([months(), sources()]).catch(() => null); // the stream tells of an outage
    if (ended) return;
    if (found) root.replaceChildren(...found.flat());
    timer = setTimeout(again, root.querySelector("[data-condition=connecting]") ? SOON_MS : AGAIN_MS);
  };
  again();
  return () => { ended = true; clearTimeout(timer); };
}

async function months() {
  if (!session.permissions.includes("read_charge_records") || session.share) return [];
  const current = new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit" }).format(now()).slice(0, 7);
  const before = beside(current, -1);
  const { meta } = await get(`records?${query({ "filter[from]": `${before}-01`, zone, "page[size]": 1 })}`);
  const tiles = [[current, t("{month} so far", { month: month(current) })], [before, month(before)]].map(([key, name]) => tile(key, name, meta.totals.byMonth.find((one) => one.key === key)));
  return meta.totalCount ? h("section", { "aria-label": t("Costs") }, h("h2", {}, t("Costs")), h("ul", { className: "glances" }, tiles)) : [];
}

function beside(key, by) {
  const [year, number] = key.split("-").map(Number);
  return new Date(Date.UTC(year, number - 1 + by)).toISOString().slice(0, 7);
}

function tile(key, name, sum) {
  const energy = sum?.energy_added_kwh === null ? "—" : `${rounded(sum?.energy_added_kwh ?? 0)} kWh`;
  const cost = sum?.cost.map((one) => money(one.amount, one.currency)).join(", ");
  const missing = sum?.without_cost ? t("{count} without cost", { count: sum.without_cost }) : "";
  const words = [t(sum?.sessions === 1 ? "{count} session" : "{count} sessions", { count: number(sum?.sessions ?? 0, 0) }), cost ? energy : "", cost ? missing : ""].filter(Boolean).join(" · ");
  const href = `#/sessions?${query({ from: `${key}-01`, to: `${beside(key, 1)}-01` })}`;
  return h("li", { className: "tile" }, h("h3", {}, h("a", { href }, name)), h("p", { className: "big" }, cost || energy), h("p", { className: "beside" }, words));
}

async function sources() {
  if (!session.manages) return [];
  const running = (await get("admin/sources")).data.filter((one) => one.is_running);
  if (running.length === 0) return [];
  const wrong = running.map((one) => [one, trouble(one)]).filter(([, words]) => words);
  const lines = wrong.slice(0, SHOWN_SOURCES).map(([one, words]) => h("li", { data: { condition: one.condition } }, h("span", { className: "condition", data: { tone: one.condition === "waiting" ? "bad" : "warn" } }, h("b", {}, one.name)), ` ${words}`));
  const well = running.length - wrong.length;
  if (well) lines.push(h("li", {}, h("span", { className: "condition", data: { tone: "good" } }, t("{count} without faults", { count: number(well, 0) }))));
  return h("section", { "aria-label": t("Sources") }, h("h2", {}, h("a", { href: "#/sources" }, t("Sources"))), h("ul", { className: "plain" }, lines));
}

function trouble(one) {
  if (one.condition === "waiting") return `${sentence(one.cause)}: ${one.sentence}`;
  if (one.type !== "ocpp" && one.condition !== "connected") return sentence(one.condition);
  const silentMs = now() - (one.last_message_at ?? one.since_at);
  return one.type !== "ocpp" && silentMs > SILENT_MS ? t("silent for {time}", { time: duration(silentMs / 60000) }) : "";
}
