// The frame of the page: signing in, where one is, and what is chosen.

import { leave, renew, session, signInWith, signOutHere, Refusal } from "./api.js";
import { askFor, button, byId, choice, h, notice, setText } from "./dom.js";
import { showFleet } from "./fleet.js";
import { applyTheme, loadWords, prefs, save, t } from "./prefs.js";

const AGAIN_MS = 5000;
// Each view is loaded when it is looked at first.
const VIEWS = {
  "": [async () => showFleet, "Cars"],
  cars: [async () => (await import("./car.js")).showCar, "Cars"],
  sessions: [async () => (await import("./sessions.js")).showSessions, "Sessions"],
  statement: [async () => (await import("./sessions.js")).showStatement, "Sessions"],
  sources: [async () => (await import("./operations.js")).showSources, "Sources"],
  webhooks: [async () => (await import("./operations.js")).showWebhooks, "Webhooks"],
  applications: [async () => (await import("./operations.js")).showApplications, "Applications"],
  settings: [async () => (await import("./operations.js")).showSettings, "Settings"],
  simulator: [async () => (await import("./simulator.js")).showSimulator, "Simulator"],
};

const WAYS_OUT = {
  REAUTHENTICATE: "Sign in again, or sign in as somebody who may see this.",
  RETRY_LATER: "Try again in a moment.",
  CONTACT_SUPPORT: "The server's log has the cause.",
};

let closeView = () => null;
let shown = 0;
let lostUntil = 0;

function pulse(state, text) {
  byId("pulse").dataset.state = state;
  setText(byId("pulse-text"), text);
}

/** How the stream goes: said in the corner and, where it is lost, above everything. */
function streamState(state, waitMs = 0, error = null) {
  document.body.dataset.stream = state;
  lostUntil = state === "lost" ? Date.now() + waitMs : 0;
  if (state === "live") {
    notice("");
    pulse("live", t("Live"));
  } else if (state === "lost") {
    notice(`${t(error?.message ?? "The server does not answer.")} ${t("The page keeps trying. Values are the last ones received.")}`, "bad");
  }
}

setInterval(() => {
  if (lostUntil) pulse("lost", t("Next try in {seconds} s", { seconds: Math.max(0, Math.ceil((lostUntil - Date.now()) / 1000)) }));
}, 500);

async function route() {
  if (!session.token) return;
  const [path, search] = (location.hash.startsWith("#/") ? location.hash.slice(2) : "").split("?");
  const [name, ...rest] = path.split("/").map(decodeURIComponent);
  const [load, place] = VIEWS[name] ?? VIEWS[""];
  const turn = shown += 1;
  closeView();
  closeView = () => null;
  for (const link of document.querySelectorAll("#pages a")) link.toggleAttribute("aria-current", link.dataset.page === place);
  for (const link of document.querySelectorAll("#pages a[aria-current]")) {
    link.setAttribute("aria-current", "page");
    byId("pages").scrollLeft = link.offsetLeft - (byId("pages").clientWidth - link.offsetWidth) / 2; // on a phone they go beyond the edge
  }
  pulse("waiting", t("Connecting"));
  const root = h("div"); // of this view alone: one that is left and still works writes into nothing
  byId("view").replaceChildren(root);
  try {
    const show = await load();
    if (turn !== shown) return;
    document.title = `${t(place)} · Chargeport`;
    closeView = (await show(root, new URLSearchParams(search), { rest, go, state: streamState, idle: () => pulse("live", t("Up to date")) })) ?? (() => null);
    if (turn !== shown) closeView();
  } catch (error) {
    if (turn === shown) showFailure(root, error);
  }
}

function showFailure(root, error) {
  if (!(error instanceof Refusal)) console.error(error);
  pulse("lost", t("Can't be shown"));
  const wayOut = error.resolution && WAYS_OUT[error.resolution];
  root.replaceChildren(h("h1", {}, error.title ? t(error.title) : t("This can't be shown")), h("p", { className: "notice", role: "alert" }, t(error.message)),
    h("p", { className: "lead" }, wayOut ? t(wayOut) : "", error.docs ? [" ", h("a", { href: error.docs }, t("About this error, with an example"))] : ""),
    h("div", { className: "buttons" }, button(t("Try again"), route), h("a", { href: "#/" }, t("All cars"))), error.beside ?? "");
}

function go(hash) {
  if (location.hash === hash) route();
  else location.hash = hash;
}

// Signing in

async function begin() {
  const [, kind, secret] = /^#(sign-in|share)=([\w-]+)$/.exec(location.hash) ?? [];
  if (kind === "share") session.share = secret;
  try {
    if (kind === "sign-in") {
      history.replaceState(null, "", location.pathname); // it is used up: neither the address bar nor a bookmark keeps it
      await signInWith({ link: secret });
    }
    if (session.isBrought || await renew()) return start();
    return showSignedOut();
  } catch (error) {
    if (error instanceof Refusal) return showSignedOut(error.message);
    notice(`${t(error.message)} ${t("The page keeps trying.")}`, "bad");
    setTimeout(begin, AGAIN_MS);
  }
}

function start() {
  notice("");
  byId("sign-in").hidden = true;
  byId("view").hidden = false;
  byId("sign-out").hidden = session.isBrought || session.share !== null;
  byId("pages").hidden = session.share !== null;
  byId("to-simulator").hidden = !session.simulates;
  route();
}

function showSignedOut(why = "") {
  shown += 1;
  closeView();
  closeView = () => null;
  byId("view").replaceChildren();
  byId("view").hidden = byId("sign-out").hidden = byId("pages").hidden = true;
  if (session.share !== null) {
    pulse("waiting", t("Nothing shared"));
    return notice(t("This link has ended: ask for a new one."), "bad");
  }
  notice("");
  pulse("waiting", t("Not signed in"));
  byId("sign-in").hidden = false;
  setText(byId("sign-in-wrong"), t(why));
  byId("name").focus();
}

async function signIn(event) {
  event.preventDefault();
  const form = event.target;
  setText(byId("sign-in-wrong"), "");
  try {
    await signInWith(Object.fromEntries(new FormData(form)));
    form.reset();
    if (await renew()) return start();
    setText(byId("sign-in-wrong"), t("The browser blocks this page's cookie: allow cookies for it."));
  } catch (error) {
    setText(byId("sign-in-wrong"), t(error.message));
  }
}

async function signOut() {
  await signOutHere().catch(() => null); // the page forgets in any case
  session.token = null;
  showSignedOut();
}

async function choose() {
  const language = [["auto", t("By system")], ["en", "English"], ["de", "Deutsch"]];
  const given = await askFor(t("Display"), [
    choice(t("Language"), "language", language, prefs.language),
    choice(t("Distances"), "distance", [["km", t("Kilometres")], ["mi", t("Miles")]], prefs.distance),
    choice(t("Clock"), "clock", [["auto", t("By system")], ["24", t("24 hours")], ["12", t("12 hours")]], prefs.clock),
    choice(t("Colours"), "theme", [["auto", t("By system")], ["light", t("Light")], ["dark", t("Dark")]], prefs.theme),
  ], t("Save"), t("Cancel"));
  if (!given) return;
  save(given);
  location.reload();
}

// The words of the shell stand there in English.
function translateShell() {
  for (const element of document.querySelectorAll("[data-t]")) setText(element, t(element.dataset.t));
  for (const element of document.querySelectorAll("[data-t-label]")) element.setAttribute("aria-label", t(element.dataset.tLabel));
}

applyTheme();
leave.now = (why) => { session.token = null; showSignedOut(why); };
byId("credentials").addEventListener("submit", signIn);
byId("sign-out").addEventListener("click", signOut);
byId("display").addEventListener("click", choose);
document.querySelector(".skip").addEventListener("click", (event) => { event.preventDefault(); byId("main").focus(); });
addEventListener("hashchange", () => (/^#(sign-in|share)=/.test(location.hash) ? location.reload() : route()));
await loadWords();
translateShell();
if (session.isBrought) start();
else begin();

