// What whoever runs the server looks after: sources and what could not be understood, webhooks, applications, settings.

import { change, get, now, request, turns } from "./api.js";
import { auditLog } from "./audit.js";
import { addNames } from "./cars.js";
import { askFor, button, choice, field, h, offer, table } from "./dom.js";
import { number, sameYear, t } from "./prefs.js";
import { age, duration, sentence } from "./words.js";

const since = (at) => age(now() - at);
const condition = (tone, text) => h("span", { className: "condition", data: { tone } }, text);
const AGAIN_MS = 10000;

// A list that is read again while it is looked at: what it shows is said by no stream.
function repeated(show) {
  let timer = 0, ended = false;
  const again = async () => {
    clearTimeout(timer);
    if (ended) return;
    if (!document.hidden && !document.querySelector("dialog[open]")) await show();
    if (!ended) timer = setTimeout(() => again().catch(() => null), AGAIN_MS * 6);
  };
  return { first: again, close: () => { ended = true; clearTimeout(timer); }, again };
}

export async function showSources(root, params, { idle }) {
  const loop = repeated(async () => {
    const [sources, issues] = await Promise.all([get("admin/sources"), get("admin/issues?page[size]=50")]);
    const result = h("p", { role: "status" });
    const replay = button(t("Replay"), async () => {
      const { data } = await change("POST", "admin/issues/replay");
      await loop.again();
      root.querySelector("#replayed").textContent = t("{messages} messages replayed, {rejected} still with issues.", data);
    });
    root.replaceChildren(h("div", { className: "head" }, h("h1", {}, t("Sources")), button(t("Refresh"), () => loop.again(), { className: "quiet" })),
      table(t("Sources"), [t("Name"), t("Type"), t("Dialect"), t("Status"), t("Messages"), t("Issues"), t("Recording")], sources.data.map(sourceRow), t("There is no source: [[sources]] in chargeport.toml names them. Programs may send to POST /ingest/readings.")),
      stations(sources.data), h("section", {}, h("div", { className: "head" }, h("h2", {}, t("Issues")), issues.data.length ? replay : ""), Object.assign(result, { id: "replayed" }),
        table(t("Issues"), [t("Source"), t("Vehicle"), t("Subject"), t("Problem"), t("Count"), t("Last"), t("Message")], issues.data.map((one) => [one.source, one.vehicle, h("code", {}, one.subject), one.detail, { cell: number(one.count, 0), className: "number" }, since(Date.parse(one.lastAt)), h("details", {}, h("summary", {}, t("show")), h("code", { className: "raw", tabIndex: 0 }, one.message))]), t("There are no issues."))));
    idle();
  });
  await loop.first();
  return loop.close;
}

function sourceRow(one) {
  const tone = !one.is_running ? "" : one.condition === "connected" ? "good" : one.condition === "waiting" ? "bad" : "warn";
  const words = [];
  const isAlone = one.type === "ocpp" && one.condition === "connecting"; // stations connect to it, not it to them
  if (isAlone && one.is_running) words.push(condition("warn", t("no station has connected yet")));
  else if (!one.is_running) words.push(condition(tone, one.condition ? t("the server does not run it") : t("not started")));
  else if (one.condition === "waiting") words.push(condition(tone, sentence(one.cause)), h("br"), h("small", {}, `${one.sentence} ${t("Next try in {time}.", { time: duration(Math.max(0, (one.retry_at - now()) / 60000)) })}`));
  else words.push(condition(tone, t("{condition} for {time}", { condition: sentence(one.condition), time: duration((now() - one.since_at) / 60000) })), one.sentence ? h("small", {}, ` ${one.sentence}`) : "");
  const heard = one.messages === undefined ? "—" : `${number(one.messages, 0)}${one.last_message_at ? `, ${since(one.last_message_at)}` : ""}`;
  return [h("b", {}, one.name), one.type, one.dialect, h("div", {}, words), heard, { cell: number(one.rejected ?? 0, 0), className: "number" }, one.record ?? t("no")];
}

function stations(sources) {
  const found = sources.flatMap((one) => (one.stations ?? []).map((station) => [one, station]));
  if (found.length === 0) return "";
  return h("section", {}, h("h2", {}, t("Stations")), table(t("Stations"), [t("Source"), t("Station"), t("Status"), t("Clock")], found.map(([one, station]) => [one.name, station.name,
    h("div", {}, condition(station.is_connected ? "good" : station.refused_because ? "bad" : "", station.is_connected ? t("connected, OCPP {version}", { version: station.version ?? "?" }) : t("not connected")), station.refused_because ? h("small", {}, ` ${t("refused {count} times: {why}", { count: station.refusals, why: station.refused_because })}`) : ""), clockOffset(station.clock_offset_ms)])));
}

function clockOffset(offset) {
  if (offset === null || offset === undefined) return t("unknown");
  if (Math.abs(offset) < 1000) return t("right");
  return t(offset > 0 ? "{time} ahead" : "{time} behind", { time: duration(Math.abs(offset) / 60000) });
}

// Webhooks

export async function showWebhooks(root, params, { idle }) {
  const [hooks, applications] = await Promise.all([get("admin/webhooks"), get("admin/applications")]);
  const names = new Map(applications.data.map((one) => [one.client_id, one.name]));
  const log = h("section", { id: "log" });
  root.replaceChildren(h("h1", {}, t("Webhooks")), h("p", { className: "lead" }, t("Applications receive changes at these addresses. Create one with POST /v3/webhooks or chargeport webhook add.")),
    table(t("Webhooks"), [t("Name"), t("Application"), t("Receiver"), t("Status"), t("Signals"), ""], hooks.data.map((one) => {
      const { name, callbackUri, triggers, isEnabled, isVerified } = one.attributes;
      const [tone, words] = !isEnabled ? ["bad", t("disabled")] : !isVerified ? ["warn", t("not verified")] : one.attributes.failingSince ? ["bad", t("failing")] : ["good", t("active")];
      return [h("b", {}, name), names.get(one.client_id) ?? one.client_id, h("code", {}, callbackUri), h("div", {}, condition(tone, words), one.reason ? h("small", {}, ` ${one.reason}`) : ""), triggers.join(", "), button(t("Log"), () => showLog(log, one))];
    }), t("There is no webhook yet.")), log);
  idle();
  if (hooks.data.length === 1) await showLog(log, hooks.data[0]);
}

const logTurn = turns();

async function showLog(root, hook) {
  const isNewest = logTurn();
  const path = `admin/webhooks/${encodeURIComponent(hook.id)}/deliveries`;
  const { data } = await get(`${path}?page[size]=50`);
  if (!isNewest()) return; // the log of another webhook was asked for meanwhile
  const rows = data.map((one) => {
    const { eventType, state, attempts } = one.attributes, last = attempts.at(-1);
    const tone = { delivered: "good", dead: "bad" }[state] ?? "warn";
    return [eventType, sameYear(Date.parse(one.meta.createdAt)), condition(tone, state === "dead" ? t("Given up") : sentence(state)), number(attempts.length, 0), last ? last.error ?? `${last.status} · ${last.durationInMilliseconds} ms` : "—",
      button(t("Redeliver"), async () => { await change("POST", `${path}/${encodeURIComponent(one.id)}/redeliver`); await showLog(root, hook); })];
  });
  root.replaceChildren(h("div", { className: "head" }, h("h2", {}, t("Log of {name}", { name: hook.attributes.name })), button(t("Refresh"), () => showLog(root, hook), { className: "quiet" })), table(t("Deliveries"), [t("Event"), t("Created"), t("State"), t("Attempts"), t("Last answer"), ""], rows, t("There is no event yet.")));
}

// Applications, connections, tokens

export async function showApplications(root, params, { idle }, shownLog = null) {
  const [applications, connections] = await Promise.all([get("admin/applications"), get("admin/connections?page[size]=100")]);
  const names = new Map(applications.data.map((one) => [one.client_id, one.name])), cars = new Map();
  await addNames(cars, connections.data.map((one) => one.vehicle_id));
  const told = h("div", { role: "status" }), log = shownLog ?? (await auditLog(names));
  const again = () => showApplications(root, params, { idle }, log);
  if (shownLog) await log.again(names);
  const active = applications.data.filter((one) => one.revokedAt === null);
  root.replaceChildren(h("div", { className: "head" }, h("h1", {}, t("Applications")), button(t("Create an application"), () => makeApplication(told).then((done) => done && again().then(() => root.children[0].after(told))))), told,
    table(t("Applications"), [t("Name"), "client_id", t("Permissions"), t("Vehicles"), t("Created"), ""], active.map((one) => [h("b", {}, one.name), h("code", {}, one.client_id), one.permissions.join(", "), one.connectedOnly ? t("connected vehicles only") : t("all vehicles"), sameYear(Date.parse(one.createdAt)),
      one.isOfThePage ? t("used by this page") : h("div", { className: "buttons" }, button(t("Token"), () => showToken(told, one)), button(t("Revoke"), () => endApplication(one).then((done) => done && again()), { className: "danger" }))])),
    h("section", {}, h("h2", {}, t("Connections")), table(t("Connections"), [t("Application"), t("User"), t("Car"), t("Permissions"), t("Created"), ""], connections.data.map((one) => [names.get(one.client_id) ?? one.client_id, one.user, cars.get(one.vehicle_id) ?? one.vehicle_id, one.permissions.join(", "), sameYear(Date.parse(one.createdAt)),
      button(t("Remove"), async () => { if (await askFor(t("Remove the connection?"), [], t("Remove"), t("Cancel"))) { await change("DELETE", `admin/connections/${encodeURIComponent(one.id)}`); again(); } }, { className: "danger" })]), t("There is no connection."))), log.section);
  idle();
}

async function makeApplication(told) {
  const given = await askFor(t("Create an application"), [field(t("Name"), "name", { required: true, maxLength: 128 }), choice(t("Vehicles"), "scope", [["all", t("all vehicles")], ["connected", t("connected vehicles only")]], "all"), choice(t("Access"), "may", [["both", t("read and send")], ["read", t("read only")]], "both")], t("Create"), t("Cancel"));
  if (!given) return false;
  const reads = ["read_battery", "read_charge", "read_charge_locations", "read_charge_records", "read_location", "read_vin"];
  const { data } = await change("POST", "admin/applications", { name: given.name, connectedOnly: given.scope === "connected", ...(given.may === "read" ? { permissions: reads } : {}) });
  told.replaceChildren(h("p", { className: "notice" }, t("Copy these secrets now: they are not shown again."), h("dl", { className: "facts" }, ["client_id", "client_secret", "management_token"].map((name) => [h("dt", {}, name), h("dd", {}, h("code", { className: "secret" }, data[name]))]))));
  return true;
}

async function showToken(told, one) {
  const { data } = await change("POST", `admin/applications/${encodeURIComponent(one.client_id)}/token`);
  told.replaceChildren(h("div", { className: "notice" }, t("A bearer token of {name}, good for an hour:", { name: one.name }), h("p", {}, h("code", { className: "secret" }, data.access_token))));
}

async function endApplication(one) {
  if (!(await askFor(t("Revoke {name}?", { name: one.name }), [h("p", {}, t("Its tokens end at once. This can't be undone."))], t("Revoke"), t("Cancel")))) return false;
  await change("DELETE", `admin/applications/${encodeURIComponent(one.client_id)}`);
  return true;
}

// Settings

export async function showSettings(root, params, { idle }) {
  const { data, meta } = await get("admin/settings");
  const value = (one) => (typeof one === "string" ? one : JSON.stringify(one));
  const part = (name) => data.find((one) => one.name === name)?.value ?? [];
  const rest = data.filter((one) => !["places", "tariffs", "sources", "vehicles"].includes(one.name));
  const all = h("input", { type: "checkbox" });
  const list = h("div");
  const show = () => list.replaceChildren(table(t("Settings"), [t("Setting"), t("Value"), t("From")], rest.filter((one) => all.checked || !one.isDefault).map((one) => [h("code", {}, one.name), h("code", {}, value(one.value)), one.isDefault ? t("default") : t("set")]), t("Every setting has its default value.")));
  all.addEventListener("change", show);
  show();
  const backup = button(t("Download a backup"), async () => {
    const response = await request("admin/backup", { signal: AbortSignal.timeout(600000) });
    offer(await response.blob(), `chargeport-${new Date().toISOString().slice(0, 10)}.db`);
  });
  root.replaceChildren(h("div", { className: "head" }, h("h1", {}, t("Settings")), backup), h("p", { className: "lead" }, t("Chargeport {version}. Settings come from flags, the environment and chargeport.toml; they are changed there. Secrets are not shown.", meta)),
    h("p", { className: "option" }, h("label", {}, all, " ", t("Show defaults, too"))), list,
    h("section", {}, h("h2", {}, t("Places")), table(t("Places"), [t("Name"), t("Where"), t("Radius"), t("Charger"), t("Tariff")], part("places").map((one) => [one.name, `${number(one.latitude, 4)}°, ${number(one.longitude, 4)}°`, `${number(one.radius_m, 0)} m`, one.is_public === null ? t("unknown") : one.is_public ? t("public") : t("private"), one.tariff]), t("There is no place: [[places]] in chargeport.toml names them."))),
    h("section", {}, h("h2", {}, t("Tariffs")), table(t("Tariffs"), [t("Name"), t("Flat price"), t("Windows"), t("Prices over time"), t("For each session")], part("tariffs").map((one) => [one.name, one.price === null ? "—" : `${number(one.price, 4)} ${one.currency}`, one.windows.map((each) => `${each.start}–${each.end} ${number(each.price, 4)}`).join(", ") || "—", one.series ?? "—", one.session_fee === null ? "—" : number(one.session_fee)]), t("There is no tariff: [[tariffs]] in chargeport.toml names them."))));
  idle();
}

