// Where a simulator runs: what a simulated car is made to do, what is to go wrong, and the clock that all live by.

import { change, get, session } from "./api.js";
import { addNames, carField, firstCars } from "./cars.js";
import { button, choice, field, h, setText, table } from "./dom.js";
import { clockTime, fullTime, number, t } from "./prefs.js";
import { CATALOGUE, label, sentence } from "./words.js";

const LIVED_WITHIN_MS = 600000; // many cars take a while to live through a month
const SPEEDS = [0, 1, 10, 60, 600, 3600];
const DEEDS = [["plug", "Plug in"], ["unplug", "Unplug"], ["start", "Start charging"], ["stop", "Stop charging"], ["sleep", "Fall asleep"], ["wake", "Wake up"], ["drive", "Drive away"]];
const ASTRAY = [["DROP", "Webhook events are lost"], ["REPEAT", "Webhook events come twice"], ["DELAY", "Webhook events come late"], ["REORDER", "Webhook events come out of order"]];

// A form of one line: its button and the Enter key do the same, and what was wrong is said beside it.
function line(fields, text, act) {
  const form = h("form", { className: "filters", on: { submit: (event) => event.preventDefault() } }, fields,
    button(text, () => form.reportValidity() && act(Object.fromEntries(new FormData(form))), { type: "submit" }));
  return form;
}

// One car

/** What a simulated car can be made to do, and what goes wrong with it; nothing of one that is not simulated. `again` shows the car anew. */
export async function carControls(id, again) {
  const path = `simulator/vehicles/${encodeURIComponent(id)}`;
  const found = await get(path).catch((error) => {
    if (error.status === 404) return null;
    throw error;
  });
  if (found === null) return "";
  const told = h("p", { className: "lead", role: "status" }, carInWords(found));
  const act = async (name, body = {}) => setText(told, carInWords(await change("POST", `${path}/${name}`, body)));
  const report = async () => {
    await act("silence", { seconds: 0 });
    await act("report");
  };
  const faults = h("div");
  const showFaults = async () => {
    const own = (await get("simulator/faults")).data.filter((one) => [undefined, id].includes(one.vehicle));
    faults.replaceChildren(own.length === 0 ? "" : faultTable(own, new Map([[id, `${found.make} ${found.model}`]]), async () => {
      await showFaults();
      await again();
    }));
  };
  await showFaults();
  return h("section", { className: "panel", "aria-labelledby": "simulated" }, h("h2", { id: "simulated" }, t("Simulator")), told,
    h("div", { className: "buttons" }, DEEDS.map(([name, text]) => button(t(text), () => act(name))), button(t("Report again"), report)),
    h("div", { className: "lines" }, line(field(t("Charge limit (%)"), "percent", { type: "number", min: 0, max: 100, required: true, value: 80 }), t("Set the limit"), ({ percent }) => act("limit", { percent: Number(percent) })),
    line(field(t("Silence (minutes)"), "minutes", { type: "number", min: 1, max: 44640, required: true, value: 60 }), t("Fall silent"), ({ minutes }) => act("silence", { seconds: minutes * 60 }))), faults);
}

// How it is, which it may not have reported.
function carInWords(car) {
  return [sentence(car.status), `${number(car.stateOfCharge, 1)} %`, car.isAsleep && t("asleep"), car.silentUntil && t("silent until {time}", { time: clockTime(Date.parse(car.silentUntil)) })].filter(Boolean).join(" · ");
}

// The clock and the faults

export async function showSimulator(root, params, { idle }) {
  const [{ clock, faults, errors }, cars] = await Promise.all([get("simulator"), firstCars()]);
  const [ticking, close] = clockPanel(clock);
  root.replaceChildren(h("h1", {}, t("Simulator")), h("p", { className: "lead" }, t("A car is plugged in, driven or put to sleep on its own page.")), ticking, await faultPanel(faults, errors, cars));
  idle();
  return close;
}

function clockPanel(first) {
  let clock, heardAt;
  const time = h("p", { className: "big" }), pace = h("p", { className: "beside", role: "status" });
  const tick = () => setText(time, fullTime(Date.parse(clock.now) + clock.speed * (performance.now() - heardAt)));
  const hear = (told) => {
    [clock, heardAt] = [told, performance.now()];
    for (const [index, one] of speeds.entries()) one.setAttribute("aria-pressed", SPEEDS[index] === clock.speed);
    setText(pace, paceInWords(clock.speed));
    tick();
  };
  const set = async (wish) => {
    hear(await change("POST", "simulator/clock", wish, { signal: AbortSignal.timeout(LIVED_WITHIN_MS) }));
    if (!session.isBrought) session.until = 0; // a token of minutes may have ended by this clock
  };
  const speeds = SPEEDS.map((speed) => button(speed === 0 ? t("Stand still") : `${number(speed, 0)}×`, () => set({ speed })));
  hear(first);
  const ticking = setInterval(tick, 500);
  return [h("section", { className: "panel", "aria-labelledby": "clock" }, h("h2", { id: "clock" }, t("Clock")), time, pace,
    h("div", { className: "segmented", role: "group", "aria-label": t("Speed") }, speeds),
    line(field(t("Hours"), "hours", { type: "number", min: 0.01, max: 744, step: "any", required: true, value: 8 }), t("Set forward"), ({ hours }) => set({ advanceSeconds: hours * 3600 })),
  ), () => clearInterval(ticking)];
}

function paceInWords(speed) {
  if (speed === 0) return t("The clock stands still.");
  return speed === 1 ? t("It runs as fast as life.") : t("It runs {speed} times as fast as life.", { speed: number(speed) });
}

async function faultPanel(first, errors, cars) {
  const list = h("div"), told = h("p", { className: "unseen", role: "status" });
  const show = async (faults) => {
    await addNames(cars.names, faults.flatMap((one) => one.vehicle ?? []));
    list.replaceChildren(faultTable(faults, cars.names, again), faults.length > 1 ? h("div", { className: "buttons" }, button(t("Take all back"), takenBack("simulator/faults", again))) : "");
    setText(told, t("Faults: {count}", { count: faults.length }));
  };
  const again = async () => show((await get("simulator/faults")).data);
  const what = [...errors.map(({ type, code }) => [JSON.stringify({ type, code }), errorInWords(type, code)]), ["{}", t("Answers come late")], ...ASTRAY.map(([webhook, text]) => [JSON.stringify({ webhook }), t(text)])];
  const signal = choice(t("Signal"), "signal", [["", t("All")], ...CATALOGUE.map((one) => [one.code, label(one.name)])], "");
  const latency = field(t("Late by (s)"), "latency", { type: "number", min: 0.1, max: 60, step: "any" });
  const kind = choice(t("What goes wrong"), "what", what, JSON.stringify({ type: "VEHICLE_STATE", code: "ASLEEP" }), { on: { change: (event) => {
    const isOfWebhooks = "webhook" in JSON.parse(event.target.value);
    signal.querySelector("select").disabled = latency.querySelector("input").disabled = isOfWebhooks; // events are of a car, not of a signal
    latency.querySelector("input").required = event.target.value === "{}";
  } } });
  const add = async (given) => {
    await change("POST", "simulator/faults", { ...JSON.parse(given.what), vehicle: given.car || undefined, signal: given.signal || undefined, latencySeconds: Number(given.latency) || undefined, times: Number(given.times) || undefined, after: Number(given.after) || undefined, rate: Number(given.percent) / 100 || undefined });
    await again();
  };
  await show(first);
  return h("section", { className: "panel", "aria-labelledby": "faults" }, h("h2", { id: "faults" }, t("Faults")),
    line([kind, carField(cars, "", { all: true }), signal, latency, ...extent()], t("Add the fault"), add), list, told);
}

// Which of the requests, or events, it hits.
const extent = () => [
  field(t("How often"), "times", { type: "number", min: 1, placeholder: t("until taken back") }),
  field(t("Spared first"), "after", { type: "number", min: 1, placeholder: t("no request") }),
  field(t("Share (%)"), "percent", { type: "number", min: 1, max: 100, placeholder: "100" }),
];

const errorInWords = (type, code) => [type, code].filter(Boolean).join(" · ");

function faultInWords({ type, code, webhook, latencySeconds }) {
  if (webhook) return t(ASTRAY.find(([name]) => name === webhook)[1]);
  return [errorInWords(type, code), latencySeconds && t("{seconds} s late", { seconds: number(latencySeconds) })].filter(Boolean).join(" · ");
}

const takenBack = (path, again) => async () => {
  await change("DELETE", path);
  await again();
};

function faultTable(faults, names, again) {
  const rows = faults.map((one) => [
    faultInWords(one),
    one.vehicle ? names.get(one.vehicle) ?? one.vehicle : t("All"),
    one.signal ? label(CATALOGUE.find((each) => each.code === one.signal)?.name ?? one.signal) : t("All"),
    { cell: number(one.hits, 0), className: "number" },
    one.isOver ? t("over") : one.times ? t("{count} times", { count: number(one.times, 0) }) : t("until taken back"),
    button(t("Take back"), takenBack(`simulator/faults/${encodeURIComponent(one.id)}`, again), { "aria-label": t("Take back: {fault}", { fault: faultInWords(one) }) }),
  ]);
  return table(t("What goes wrong"), [t("What goes wrong"), t("Car"), t("Signal"), t("Happened"), t("Lasts"), ""], rows, t("Nothing goes wrong."));
}
