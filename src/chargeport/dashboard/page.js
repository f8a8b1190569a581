// The page: asks the API, shows what it says. Data reaches the document as text only.

const EVERY_MS = 2000;
const SLOWEST_MS = 60000;
const LIST_EVERY_MS = 60000;
const ANSWER_WITHIN_MS = 15000;
const ON_A_PAGE = 24;
const LIST_SIZE = 1000;
const SEARCH_FROM = 9;
const POINTS = 450;
const GAP_MS = 20000;
const OF_THE_SERVER = new Set([401, 429, 502, 503, 504]); // not of one car: the loop deals with them
const RELOADED = "chargeport.reloaded";

const byId = (id) => document.getElementById(id);
const part = (root, name) => root.querySelector(`[data-part="${name}"]`);
const given = (id) => JSON.parse(byId(id).textContent);

const CATALOGUE = given("signals");
const BROUGHT = given("token");
const SECTIONS = [
  ["Power and session", ["ischarging", "detailedchargingstatus", "wattage", "voltage", "amperage", "chargerphases", "chargerate", "timetocomplete", "energyadded"]],
  ["Battery", ["stateofcharge", "range", "nominalcapacity"]],
  ["Port and cable", ["ischargingcableconnected", "ischargingcablelatched", "ischargingportflapopen", "chargeportstatuscolor", "chargingconnectortype", "isfastchargerpresent", "fastchargertype"]],
  ["Limits, timers and records", ["chargelimits", "amperagemax", "amperagerequested", "chargetimers", "chargerecords"]],
];
const STATS = [
  ["Rate", "charge-chargerate", (body) => `${number(body.value, 0)} km/h`],
  ["Time left", "charge-timetocomplete", (body) => duration(body.value)],
  ["Energy added", "charge-energyadded", (body) => `${rounded(body.value)} kWh`],
  ["Voltage", "charge-voltage", (body) => `${number(body.value, 0)} V`],
  ["Current", "charge-amperage", (body) => `${number(body.value, 1)} A`],
  ["Phases", "charge-chargerphases", (body) => number(body.value)],
];
const FLAGS = [
  ["cable", "charge-ischargingcableconnected", "Cable", "Cable connected", "No cable"],
  ["latch", "charge-ischargingcablelatched", "Latch", "Cable locked", "Cable not locked"],
  ["flap", "charge-ischargingportflapopen", "Flap", "Flap open", "Flap closed"],
  ["fast", "charge-isfastchargerpresent", "Fast charger", "Fast charger", "No fast charger"],
];

const fleet = { vehicles: [], listedAt: 0, page: 0, cards: new Map(), signals: new Map(), powers: new Map() };
const session = { token: BROUGHT, share: null, until: Infinity, renewedAt: 0 };
const loop = { timer: 0, busy: false, failures: 0, nextAt: 0 };
const detail = { id: null, rows: new Map() };

// Time: ages are told by the server's clock, which may differ from ours and, in a simulation, run faster.

const clock = { offset: 0, newest: 0 };
const now = () => Math.max(Date.now() + clock.offset, clock.newest);

function hearClock(response) {
  const offset = Date.parse(response.headers.get("date")) - Date.now();
  clock.offset = Math.abs(offset) > 2000 ? offset : 0;
}

function hearStored(signals) {
  clock.newest = Math.max(clock.newest, ...[...signals.values()].map((signal) => signal.storedAt || 0));
}

// The document

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function make(tag, className, ...content) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...content);
  return element;
}

// An instant that nobody told is said so: it has no form as a date.
function timeAgo(at, before = "") {
  if (!Number.isFinite(at)) return make("span", "", before ? before.trim() : "at an unknown time");
  const element = make("time");
  element.dateTime = new Date(at).toISOString();
  element.title = new Date(at).toLocaleString("en-GB");
  element.dataset.before = before;
  tick(element);
  return element;
}

function tick(element) {
  setText(element, element.dataset.before + age(now() - Date.parse(element.dateTime)));
}

function notice(text, tone = "") {
  const element = byId("notice");
  setText(element, text);
  element.dataset.tone = tone;
  element.hidden = text === "";
}

function pulse(state, text) {
  byId("pulse").dataset.state = state;
  setText(byId("pulse-text"), text);
}

// The API

class Refusal extends Error {
  constructor(status, detail, retryAfterS) {
    super(detail);
    this.status = status;
    this.retryAfterS = retryAfterS;
  }
}

// The server could not be reached, or what came back is no answer of its own.
class Outage extends Error {}

// An answer that comes after the visitor has left is nobody's.
class Left extends Error {}

async function refusalOf(response) {
  const body = await response.json().catch(() => ({}));
  const said = body.errors?.[0]?.detail ?? body.error_description ?? `The answer was ${response.status}.`;
  return new Refusal(response.status, said, Number(response.headers.get("retry-after")) || 0);
}

// Without credentials of the browser's own, a 401 opens no dialog of the browser's own.
async function send(path, options) {
  try {
    const response = await fetch(path, { credentials: "omit", signal: AbortSignal.timeout(ANSWER_WITHIN_MS), ...options });
    return { response, body: response.ok && response.status !== 204 ? await response.json() : null };
  } catch (error) {
    throw new Outage("The server does not answer.", { cause: error });
  }
}

async function ask(path, etag) {
  const { token } = session;
  const headers = { Authorization: `Bearer ${token}` };
  if (etag) headers["If-None-Match"] = etag;
  const { response, body } = await send(path, { headers });
  hearClock(response);
  if (session.token !== token) throw new Left();
  if (response.status === 304) return null;
  if (!response.ok) throw await refusalOf(response);
  return { body, etag: response.headers.get("etag") };
}

// What concerns the session goes with its cookie, and with a header that no other site's page can send.
async function post(path, body, method = "POST") {
  const headers = { "Content-Type": "application/json", "X-Chargeport-Page": "1" };
  const sent = await send(path, { method, headers, credentials: "same-origin", body: body && JSON.stringify(body) });
  if (!sent.response.ok) throw await refusalOf(sent.response);
  return sent.body;
}

async function listVehicles() {
  const found = [];
  for (let page = 1; ; page += 1) {
    const { body } = await ask(`v3/vehicles?page%5Bnumber%5D=${page}&page%5Bsize%5D=${LIST_SIZE}`);
    found.push(...body.data.map((one) => ({ id: one.id, ...one.attributes })));
    if (body.data.length === 0 || found.length >= body.meta.totalCount) return found;
  }
}

async function refresh(card) {
  const known = fleet.signals.get(card.vehicle.id);
  let answer;
  try {
    answer = await ask(`v3/vehicles/${encodeURIComponent(card.vehicle.id)}/signals`, known?.etag);
  } catch (error) {
    if (!(error instanceof Refusal) || OF_THE_SERVER.has(error.status)) throw error;
    return showRefused(card, error);
  }
  card.failures = 0;
  drawn(card, () => hear(card, answer));
}

function hear(card, answer) {
  if (answer) {
    const signals = new Map(answer.body.data.map(signalOf).map((signal) => [signal.code, signal]));
    fleet.signals.set(card.vehicle.id, { signals, etag: answer.etag });
    hearStored(signals);
  }
  const { signals } = fleet.signals.get(card.vehicle.id);
  notePower(card.vehicle.id, standing(signals.get("charge-wattage"), now()));
  showSignals(card);
}

// What can't be drawn of one car is said on its card: a fault of this page, not of the server, and not of the other cars.
function drawn(card, draw) {
  try {
    draw();
  } catch (error) {
    console.error("a car can't be drawn", card.vehicle.id, error);
    showBroken(card);
  }
}

// Signing in. A session is a cookie that scripts can't see; what it is good for are tokens of a few minutes.

const RENEW_BEFORE_MS = 30000;

// A token for the session or the share link; without either there is none.
async function renew() {
  let given = { access_token: null, expires_in: 0 };
  try {
    given = await post("session/token", session.share ? { share: session.share } : {});
  } catch (error) {
    if (error.status !== 401) throw error;
  }
  session.token = given.access_token;
  session.renewedAt = Date.now();
  session.until = session.renewedAt + given.expires_in * 1000;
  return session.token !== null;
}

async function begin() {
  const [, kind, secret] = /^#(sign-in|share)=([\w-]+)$/.exec(location.hash) ?? [];
  if (kind === "share") session.share = secret;
  try {
    if (kind === "sign-in") {
      history.replaceState(null, "", location.pathname); // it is used up: neither the address bar nor a bookmark keeps it
      await post("session", { link: secret });
    }
    return await renew() ? start() : showSignedOut();
  } catch (error) {
    if (error instanceof Refusal) return showSignedOut(error.message);
    notice(`${error.message} The page keeps trying.`, "bad");
    setTimeout(begin, SLOWEST_MS / 12);
  }
}

function endSession(error) {
  clearTimeout(loop.timer);
  if (BROUGHT === null && Date.now() - session.renewedAt < 10000) return retry(error);
  if (BROUGHT === null) {
    session.until = 0;
    return schedule(0);
  }
  const last = Number(sessionStorage.getItem(RELOADED));
  if (Date.now() - last < 15000) return notice("The server does not accept the token that it gave this page. Reload the page to try again.", "bad");
  sessionStorage.setItem(RELOADED, Date.now());
  location.reload();
}

function forget() {
  clearTimeout(loop.timer);
  session.token = null;
  for (const store of [fleet.signals, fleet.powers, fleet.cards]) store.clear();
  Object.assign(fleet, { vehicles: [], listedAt: 0, page: 0 });
  byId("cards").replaceChildren();
}

function showSignIn(why = "") {
  forget();
  byId("detail").close();
  byId("fleet").hidden = byId("sign-out").hidden = true;
  byId("sign-in").hidden = false;
  pulse("waiting", "Not signed in");
  notice("");
  setText(byId("sign-in-wrong"), why);
  byId("name").focus();
}

function showSignedOut(why = "") {
  if (session.share === null) return showSignIn(why);
  forget();
  byId("fleet").hidden = byId("sign-out").hidden = true;
  pulse("waiting", "Nothing shared");
  notice("This link does not show anything any more: ask for a new one.", "bad");
}

async function signIn(event) {
  event.preventDefault();
  const form = event.target;
  setText(byId("sign-in-wrong"), "");
  try {
    await post("session", Object.fromEntries(new FormData(form)));
    form.reset();
    if (await renew()) return start();
    setText(byId("sign-in-wrong"), "The browser keeps no cookie of this page: allow cookies for it.");
  } catch (error) {
    setText(byId("sign-in-wrong"), error.message);
  }
}

async function signOut() {
  await post("session", null, "DELETE").catch(() => null); // the page forgets in any case
  showSignIn();
}

// The loop

function schedule(delay) {
  clearTimeout(loop.timer);
  loop.nextAt = Date.now() + delay;
  loop.timer = setTimeout(round, delay);
}

async function round() {
  if (document.hidden || loop.busy || !session.token) return;
  loop.busy = true;
  try {
    if (BROUGHT === null && session.until - Date.now() < RENEW_BEFORE_MS && !(await renew())) {
      return showSignedOut("The session is over: sign in again.");
    }
    if (Date.now() - fleet.listedAt > LIST_EVERY_MS) await refreshList();
    const wanted = [...fleet.cards.values()].filter(isDue);
    const done = await Promise.allSettled(wanted.map(refresh));
    const failed = done.filter((one) => one.status === "rejected").map((one) => one.reason);
    if (failed.length) throw failed.find((error) => error.status === 401) ?? failed[0];
    recovered();
  } catch (error) {
    failure(error);
  } finally {
    loop.busy = false;
  }
}

function isDue(card) {
  return (card.visible || card.vehicle.id === detail.id) && card.notBefore <= Date.now();
}

function slower(failures) {
  return Math.min(SLOWEST_MS, EVERY_MS * 2 ** failures);
}

// A fault of this page's own: the cars that are drawn go on, and the server is not blamed.
function fault(error) {
  console.error(error);
  notice("A part of this page can't be shown: a fault of the page. Reload it to try again.", "bad");
  schedule(2 * EVERY_MS);
}

function recovered() {
  loop.failures = 0;
  notice("");
  pulse("live", "Live");
  byId("cards").dataset.state = "live";
  schedule(fleet.vehicles.length ? EVERY_MS : 2 * EVERY_MS);
}

function failure(error) {
  if (error instanceof Left) return schedule(0);
  if (error.status === 401) return endSession(error);
  if (!(error instanceof Refusal || error instanceof Outage)) return fault(error);
  return retry(error);
}

function retry(error) {
  loop.failures += 1;
  const delay = Math.max(slower(loop.failures), (error.retryAfterS ?? 0) * 1000);
  notice(`${error.message} The page keeps trying; until then it shows what it heard last.`, "bad");
  byId("cards").dataset.state = "lost";
  pulse("lost", "Trying again");
  schedule(delay);
}

function wake() {
  if (document.hidden) return pulse("waiting", "Paused");
  if (session.token) schedule(0);
}

async function refreshList() {
  const listed = await listVehicles();
  fleet.listedAt = Date.now();
  const same = listed.length === fleet.vehicles.length && listed.every((one, at) => one.id === fleet.vehicles[at].id);
  fleet.vehicles = listed;
  if (!same || listed.length === 0) showPage();
}

// The list of cards

const nameOf = (vehicle) => [vehicle.make, vehicle.model].filter(Boolean).join(" ") || "Unnamed car";

function matching() {
  const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  return fleet.vehicles.filter((one) => {
    const text = `${nameOf(one)} ${one.year ?? ""} ${one.id}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

function showPage() {
  const found = matching();
  const pages = Math.max(1, Math.ceil(found.length / ON_A_PAGE));
  fleet.page = Math.min(fleet.page, pages - 1);
  const from = fleet.page * ON_A_PAGE;
  const shown = found.slice(from, from + ON_A_PAGE);
  setText(byId("count"), fleet.vehicles.length ? number(fleet.vehicles.length) : "");
  byId("search-box").hidden = fleet.vehicles.length < SEARCH_FROM;
  byId("pager").hidden = pages === 1;
  byId("previous").disabled = fleet.page === 0;
  byId("next").disabled = fleet.page === pages - 1;
  setText(byId("where"), `${number(from + 1)} to ${number(from + shown.length)} of ${number(found.length)}`);
  showEmpty(found.length === 0);
  showCards(shown);
}

function showEmpty(empty) {
  byId("empty").hidden = !empty;
  const why = fleet.vehicles.length ? "No car matches." : "No cars yet. Each car appears here as soon as this application may see it.";
  setText(byId("empty"), why);
}

function showCards(vehicles) {
  for (const card of fleet.cards.values()) watcher.unobserve(card.element);
  const cards = vehicles.map((vehicle) => fleet.cards.get(vehicle.id) ?? newCard(vehicle));
  fleet.cards = new Map(cards.map((card) => [card.vehicle.id, card]));
  byId("cards").replaceChildren(...cards.map((card) => card.element));
  for (const card of cards) watcher.observe(card.element);
}

const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const card = fleet.cards.get(entry.target.dataset.vehicle);
    if (card) card.visible = entry.isIntersecting;
  }
  if (loop.failures === 0 && loop.nextAt - Date.now() > 250) schedule(100);
}, { rootMargin: "150px" });

function turn(by) {
  fleet.page += by;
  showPage();
  scrollTo({ top: 0 });
  byId("fleet-title").scrollIntoView({ block: "nearest" });
}

// One card

function newCard(vehicle) {
  const element = byId("card").content.firstElementChild.cloneNode(true);
  element.dataset.vehicle = vehicle.id;
  const card = { vehicle, element, visible: false, status: null, failures: 0, notBefore: 0, stats: new Map() };
  setText(part(element, "name"), nameOf(vehicle));
  setText(part(element, "year"), [vehicle.year, vehicle.powertrainType].filter(Boolean).join(" · "));
  setText(part(element, "mode"), vehicle.mode === "live" ? "" : (vehicle.mode ?? ""));
  for (const [name, code] of STATS) part(element, "stats").append(newStat(card, name, code));
  const open = part(element, "open");
  open.setAttribute("aria-label", `All signals of ${nameOf(vehicle)}`);
  open.addEventListener("click", () => openDetail(card));
  if (fleet.signals.has(vehicle.id)) drawn(card, () => showSignals(card));
  return card;
}

function newStat(card, name, code) {
  const value = make("dd");
  card.stats.set(code, value);
  return make("div", "", make("dt", "", name), value);
}

const REFUSED = { 403: "No permission", 404: "Not there any more" };

function showRefused(card, error) {
  card.failures += 1;
  card.notBefore = Date.now() + slower(card.failures);
  showTrouble(card, REFUSED[error.status] ?? "No answer", error.message);
}

function showBroken(card) {
  showTrouble(card, "Can't be shown", "This page can't show what the server says of this car: a fault of the page. The other cars are not affected.");
}

function showTrouble(card, text, why) {
  card.element.dataset.state = "silent";
  showStatus(card, { text, icon: "unknown", on: false });
  showReason(part(card.element, "reason"), [why]);
}

function showSignals(card) {
  const { signals } = fleet.signals.get(card.vehicle.id);
  const at = now();
  const why = silence(signals, at);
  const state = stateOf(signals, at);
  card.element.dataset.state = why ? "silent" : state.on ? "on" : "idle";
  showStatus(card, state);
  showReason(part(card.element, "reason"), why ? [timeAgo(lastHeard(signals), "Last heard "), `. ${why.detail}`] : []);
  showBattery(card.element, signals, at);
  showValue(part(card.element, "power"), standing(signals.get("charge-wattage"), at), (body) => kilowatts(body.value));
  showPowers(card);
  for (const [, code, words] of STATS) showValue(card.stats.get(code), standing(signals.get(code), at), words, why ? "" : "last known ");
  for (const flag of FLAGS) showFlag(card.element, flag, standing(signals.get(flag[1]), at), signals);
  showHeard(part(card.element, "heard"), signals);
  if (detail.id === card.vehicle.id) showDetail(card);
}

function showStatus(card, state) {
  setText(part(card.element, "status-text"), state.text);
  part(card.element, "status-icon").setAttribute("href", `#i-${state.icon}`);
  if (card.status !== null && card.status !== state.text) setText(byId("announcer"), `${nameOf(card.vehicle)}: ${state.text}`);
  card.status = state.text;
}

function showReason(element, content) {
  element.hidden = content.length === 0;
  element.replaceChildren(...content);
}

function lastHeard(signals) {
  return Math.max(0, ...[...signals.values()].map((signal) => signal.at || 0));
}

// A value in a line: true now, last known, or a dash with the reason.
function showValue(element, stands, words, before = "last known ") {
  const key = JSON.stringify([stands.kind, stands.body, stands.at, stands.why]);
  if (element.dataset.key === key) return;
  element.dataset.key = key;
  const over = stands.why?.code === "NOT_CHARGING";
  element.dataset.kind = over ? "none" : stands.kind;
  if (stands.kind === "current") return element.replaceChildren(words(stands.body));
  if (stands.kind === "old" && !over) return element.replaceChildren(words(stands.body), make("small", "", timeAgo(stands.at, before)));
  element.replaceChildren("—", make("small", "", reasonInShort(stands.why)));
}

function reasonInShort(why) {
  return sentence(why.title).replace(/^Vehicle not capable$/, "Not capable");
}

function showBattery(element, signals, at) {
  const charge = standing(signals.get("tractionbattery-stateofcharge"), at);
  const limit = standing(signals.get("charge-chargelimits"), at);
  const percent = charge.body?.value;
  const stop = limit.kind === "current" ? limit.body.activeLimit : undefined;
  const reach = standing(signals.get("tractionbattery-range"), at);
  const battery = part(element, "battery");
  showValue(part(element, "soc"), charge, (body) => `${number(body.value, 1)} %`);
  setText(part(element, "range"), reach.body ? `${number(reach.body.value, 0)} km${reach.kind === "old" ? `, last known ${age(at - reach.at)}` : ""}` : `Range — ${reasonInShort(reach.why).toLowerCase()}`);
  setText(part(element, "limit"), stop === undefined ? `Limit — ${limit.why ? reasonInShort(limit.why).toLowerCase() : "not told"}` : `Limit ${rounded(stop)} %`);
  battery.dataset.kind = charge.kind;
  battery.setAttribute("aria-valuetext", percent === undefined ? "Unknown" : `${number(percent, 1)} percent${stop === undefined ? "" : `, charges to ${rounded(stop)}`}`);
  if (percent === undefined) battery.removeAttribute("aria-valuenow");
  else battery.setAttribute("aria-valuenow", percent);
  part(element, "fill").style.width = `${percent ?? 0}%`;
  part(element, "mark").hidden = stop === undefined;
  part(element, "mark").style.left = `${stop ?? 0}%`;
}

function showFlag(element, [name, , subject, yes, no], stands, signals) {
  const item = part(element, name);
  item.dataset.kind = stands.kind === "current" && stands.body.value ? "yes" : stands.kind === "current" ? "no" : stands.kind;
  setText(item.lastElementChild, flagText(subject, yes, no, stands, signals));
}

function flagText(subject, yes, no, stands, signals) {
  if (stands.kind === "none") return `${subject} — ${reasonInShort(stands.why).toLowerCase()}`;
  const type = signals.get("charge-fastchargertype");
  const text = stands.body.value ? (subject === "Fast charger" && type?.body && !type.error ? `${yes}: ${type.body.value}` : yes) : no;
  return stands.kind === "old" ? `${text} (last known ${age(now() - stands.at)})` : text;
}

function showHeard(element, signals) {
  const at = lastHeard(signals);
  const sources = [...new Set([...signals.values()].filter((signal) => !signal.derived).map((signal) => signal.source).filter(Boolean))];
  const from = sources.length ? ` from ${sources.slice(0, 2).join(", ")}${sources.length > 2 ? ` and ${sources.length - 2} more` : ""}` : "";
  element.replaceChildren(...(at ? [timeAgo(at, "Heard "), from] : ["Nothing heard yet"]));
}

// The power since the page was opened

function notePower(id, stands) {
  const points = fleet.powers.get(id) ?? [];
  points.push({ at: Date.now(), watts: stands.kind === "current" ? stands.body.value : null });
  fleet.powers.set(id, points.slice(-POINTS));
}

function runsOf(points) {
  const runs = [[]];
  points.forEach((point, at) => {
    if (at && point.at - points[at - 1].at > GAP_MS) runs.push([]);
    if (point.watts === null) runs.push([]);
    else runs.at(-1).push(point);
  });
  return runs.filter((run) => run.length);
}

function showPowers(card) {
  const points = fleet.powers.get(card.vehicle.id) ?? [];
  if (points.length === 0) return;
  const runs = runsOf(points);
  const peak = Math.max(0, ...runs.flat().map((point) => point.watts));
  const from = points[0].at;
  const length = Math.max(Date.now() - from, 30000);
  const x = (point) => (((point.at - from) / length) * 100).toFixed(2);
  const y = (point) => (28 - (point.watts / Math.max(peak * 1.12, 1)) * 26).toFixed(2);
  const lines = runs.map((run) => [...run, { ...run.at(-1) }].map((point) => `${x(point)},${y(point)}`).join("L"));
  part(card.element, "line").setAttribute("d", lines.map((line) => `M${line}`).join(""));
  part(card.element, "area").setAttribute("d", lines.map((line, at) => `M${x(runs[at][0])},30L${line}L${x(runs[at].at(-1))},30Z`).join(""));
  setText(part(card.element, "peak"), `${peakInWords(runs, peak)} since ${TIME.format(from)}`);
}

function peakInWords(runs, peak) {
  if (runs.length === 0) return "Unknown";
  return peak ? `Peak ${kilowatts(peak)}` : "No power";
}

// All signals of one car

function openDetail(card) {
  detail.id = card.vehicle.id;
  detail.rows.clear();
  setText(byId("detail-title"), `${nameOf(card.vehicle)} ${card.vehicle.year ?? ""}`.trim());
  setText(byId("detail-id"), card.vehicle.id);
  showReason(byId("detail-reason"), []);
  byId("detail-body").replaceChildren(...sections().map(([title, codes]) => newTable(title, codes)));
  if (fleet.signals.has(detail.id)) drawn(card, () => showDetail(card));
  byId("detail").showModal();
  schedule(0);
  byId("detail-body").scrollTop = 0;
}

function sections() {
  const bare = (code) => code.slice(code.indexOf("-") + 1);
  const placed = new Set(SECTIONS.flatMap(([, names]) => names));
  const found = SECTIONS.map(([title, names]) => [title, names.map((name) => CATALOGUE.find((one) => bare(one.code) === name)).filter(Boolean)]);
  const rest = CATALOGUE.filter((one) => !placed.has(bare(one.code)));
  return rest.length ? [...found, ["More", rest]] : found;
}

function newTable(title, signals) {
  const heads = ["Signal", "Value", "Age", "Source"].map((text) => Object.assign(make("th", "", text), { scope: "col" }));
  const body = make("tbody", "", ...signals.map(newRow));
  return make("table", "", make("caption", "", title), make("thead", "", make("tr", "", ...heads)), body);
}

function newRow({ code, name, summary }) {
  const head = Object.assign(make("th", "", label(name), make("code", "", code)), { scope: "row", title: summary });
  const [value, heard, source] = ["value", "age", "source"].map((kind) => make("td", kind));
  const row = make("tr", "", head, value, heard, source);
  row.dataset.code = code;
  detail.rows.set(code, { row, value, heard, source });
  return row;
}

function showDetail(card) {
  const { signals } = fleet.signals.get(card.vehicle.id);
  const why = silence(signals, now());
  showReason(byId("detail-reason"), why ? [timeAgo(lastHeard(signals), "Last heard "), `. ${why.detail}`] : []);
  for (const [code, parts] of detail.rows) showRow(code, parts, standing(signals.get(code), now()), why !== null);
}

function showRow(code, { row, value, heard, source }, stands, silent) {
  row.dataset.kind = stands.kind === "current" && silent ? "resting" : stands.kind;
  const key = JSON.stringify([stands.kind, stands.body, stands.why]);
  if (row.dataset.key !== key) {
    row.dataset.key = key;
    value.replaceChildren(...valueOf(code, stands));
  }
  const old = stands.kind === "old" ? "last known " : "";
  if (!stands.at) heard.replaceChildren("—");
  else if (heard.dataset.at !== `${old}${stands.at}`) heard.replaceChildren(timeAgo(stands.at, old));
  heard.dataset.at = `${old}${stands.at}`;
  setText(source, stands.source ?? "—");
}

function valueOf(code, stands) {
  const why = stands.why ? [make("p", "why", make("b", "", sentence(stands.why.title)), stands.why.detail ? `: ${stands.why.detail}` : "")] : [];
  if (stands.kind === "none") return [make("span", "", "—"), ...why];
  const { text, lines = [], folded = false } = told(code, stands.body);
  if (lines.length === 0) return [make("span", "", text), ...why];
  const list = make("ul", "", ...lines.map(({ head, text: rest }) => make("li", "", make("b", "", head), ` ${rest}`)));
  return folded ? [make("details", "", make("summary", "", text), list), ...why] : [make("span", "", text), list, ...why];
}

// Beginning

function start() {
  byId("sign-in").hidden = true;
  byId("fleet").hidden = false;
  byId("sign-out").hidden = BROUGHT !== null || session.share !== null;
  fleet.listedAt = 0;
  schedule(0);
}

function tickAll() {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("time")) tick(element);
  if (loop.failures === 0 || !session.token) return;
  pulse("lost", `Next try in ${Math.max(0, Math.ceil((loop.nextAt - Date.now()) / 1000))} s`);
  for (const card of fleet.cards.values()) if (fleet.signals.has(card.vehicle.id)) drawn(card, () => showSignals(card)); // what was current grows old
}

byId("credentials").addEventListener("submit", signIn);
byId("sign-out").addEventListener("click", signOut);
byId("search").addEventListener("input", () => { fleet.page = 0; showPage(); });
byId("previous").addEventListener("click", () => turn(-1));
byId("next").addEventListener("click", () => turn(1));
byId("close").addEventListener("click", () => byId("detail").close());
byId("detail").addEventListener("close", () => { detail.id = null; });
byId("detail").addEventListener("click", (event) => { if (event.target === event.currentTarget) event.currentTarget.close(); });
document.addEventListener("visibilitychange", wake);
setInterval(tickAll, 1000);
addEventListener("hashchange", () => location.reload());
if (session.token) start();
else begin();
