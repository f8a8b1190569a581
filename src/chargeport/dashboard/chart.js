// A chart of signals over time: what the history says at a resolution that fits the width, with sessions marked.

import { get, query } from "./api.js";
import { h } from "./dom.js";
import { clockTime, day, number, sameYear, t } from "./prefs.js";
import uPlot from "./uplot.js";

const STEPS_MIN = [1, 2, 5, 10, 15, 30, 60, 120, 240, 720, 1440];
const POINTS = 400;

function iso(at) {
  return new Date(at).toISOString();
}

// A signal that was never reported has no history: asking for it would be refused, and stand in the console as an error.
const KNOWN_FOR_MS = 60000;
const known = new Map();

async function isReported(vehicle, code) {
  const found = known.get(vehicle);
  if (!found || Date.now() - found.at > KNOWN_FOR_MS) {
    const codes = get(`v3/vehicles/${encodeURIComponent(vehicle)}/coverage`).then(({ data }) => new Set(data.filter((one) => one.status !== "NOT_REPORTED" && one.status !== "NOT_PERMITTED").map((one) => one.code)));
    known.set(vehicle, { at: Date.now(), codes });
  }
  return (await known.get(vehicle).codes).has(code);
}

/** The mean of a signal in steps between two instants: `[[seconds], [values]]`, null where nothing is known. */
export async function history(vehicle, code, from, to) {
  if (!(await isReported(vehicle, code))) return [[], []];
  const step = STEPS_MIN.find((one) => (to - from) / one / 60000 <= POINTS) ?? 1440;
  const duration = step < 60 ? `PT${step}M` : step < 1440 ? `PT${step / 60}H` : "P1D";
  const path = `v3/vehicles/${encodeURIComponent(vehicle)}/signals/${code}/values`;
  const found = [];
  let next = `${path}?${query({ from: iso(from), to: iso(to), resolution: duration, "page[size]": 1000 })}`;
  while (next) {
    const { data, links } = await get(next);
    found.push(...data);
    next = links.next ? `${path}?${links.next.split("?")[1]}` : null;
  }
  const [times, values] = [[], []];
  let last = null;
  for (const one of found) {
    const at = Date.parse(one.from);
    if (last !== null && at - last > step * 60000 * 1.5) {
      times.push((last + step * 60000) / 1000); // a gap stays a gap
      values.push(null);
    }
    times.push(at / 1000);
    values.push(typeof one.mean === "number" ? one.mean : typeof one.last === "number" ? one.last : one.last === true ? 1 : one.last === false ? 0 : null);
    last = at;
  }
  return [times, values];
}

/** Every change of a signal between two instants, newest first, and whether there were more. */
export async function changes(vehicle, code, from, to, size = 200) {
  if (!(await isReported(vehicle, code))) return { changes: [], isCut: false };
  const path = `v3/vehicles/${encodeURIComponent(vehicle)}/signals/${code}/values`;
  const { data, links } = await get(`${path}?${query({ from: iso(from), to: iso(to), "page[size]": size })}`);
  return { changes: data.reverse(), isCut: Boolean(links.next) };
}

function colour(name) {
  const probe = h("span", { className: "unseen" });
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

const UNIT = { percent: "%", watts: "kW", volts: "V", ampere: "A", min: "min" };
const AXIS = [60, 300, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800];

/**
 * A chart in `root`. `series`: {label, code, unit, colour, data, dash}; `bands`: [[from, to]] of sessions.
 * `zoomed(from, to)` is called with what the reader drew over.
 */
export function draw(root, { from, to, series, bands = [], zoomed, height = 240 }) {
  const [ink, line, tint] = [colour("soft"), colour("line"), colour("tint")];
  const units = [...new Set(series.map((one) => one.unit))];
  const scaled = series.map((one) => [one.data[0], one.data[1].map((value) => (value === null ? null : one.unit === "watts" ? value / 1000 : value))]);
  const data = series.length > 1 ? uPlot.join(scaled, scaled.map((one) => one.map(() => 2))) : scaled[0];
  const ruler = { size: 52, stroke: ink, grid: { stroke: line, width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
  const times = (_, splits, __, ___, step) => splits.map((at) => {
    const when = new Date(at * 1000);
    return step >= 86400 || (when.getHours() === 0 && when.getMinutes() === 0) ? day(when) : clockTime(when);
  });
  const chart = new uPlot({
    width: root.clientWidth || 600, height,
    legend: { show: false },
    cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
    scales: { x: { time: true, min: from / 1000, max: to / 1000 }, ...Object.fromEntries(units.map((unit) => [unit, { range: (_, min, max) => (unit === "percent" ? [0, 100] : [Math.min(0, min ?? 0), (max || 1) * 1.08]) }])) },
    axes: [{ ...ruler, size: 28, space: 70, incrs: AXIS, values: times },
      ...units.map((unit, index) => ({ ...ruler, scale: unit, side: index ? 1 : 3, grid: index ? { show: false } : ruler.grid, values: (_, splits) => splits.map((value) => `${number(value, 1)} ${UNIT[unit] ?? unit ?? ""}`), size: 62 }))],
    series: [{}, ...series.map((one) => ({ scale: one.unit, stroke: colour(one.colour), width: 1.75, dash: one.dash, fill: one.fill ? tint : undefined, points: { show: one.data[0].length < 3 }, spanGaps: false }))],
    hooks: {
      drawClear: [(plot) => {
        const { ctx, bbox } = plot;
        ctx.save();
        ctx.fillStyle = tint;
        for (const [start, end] of bands) {
          const [left, right] = [start, end].map((at) => Math.min(bbox.left + bbox.width, Math.max(bbox.left, plot.valToPos(at / 1000, "x", true))));
          if (right > left) ctx.fillRect(left, bbox.top, Math.max(1, right - left), bbox.height);
        }
        ctx.restore();
      }],
      setSelect: [(plot) => {
        const { left, width } = plot.select;
        if (width > 4 && zoomed) zoomed(plot.posToVal(left, "x") * 1000, plot.posToVal(left + width, "x") * 1000);
        plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      }],
      setCursor: [(plot) => {
        const { idx } = plot.cursor;
        const at = idx === null || idx === undefined ? null : plot.data[0][idx];
        root.dispatchEvent(new CustomEvent("read", { detail: at === null ? "" : [sameYear(at * 1000), ...series.map((one, index) => {
          const value = plot.data[index + 1][idx];
          return value === null || value === undefined ? "" : `${one.label} ${number(value, 2)} ${UNIT[one.unit] ?? one.unit ?? ""}`;
        })].filter(Boolean).join(" · ") }));
      }],
    },
  }, data, root);
  const resized = new ResizeObserver(() => chart.setSize({ width: root.clientWidth, height }));
  resized.observe(root);
  return () => { resized.disconnect(); chart.destroy(); };
}

/** A chart that is moved and zoomed: `load(from, to)` gives what `draw` needs. Arrow keys move it, + and - zoom. */
export class Browser {
  constructor(load, { spans, span, label }) {
    Object.assign(this, { load, from: Date.now() - span, to: Date.now(), span, turn: 0, clear: () => null });
    this.area = h("div", { className: "chart", tabIndex: 0, role: "img", "aria-label": label, on: { keydown: (event) => this.key(event), dblclick: () => this.show(this.span) } });
    this.read = h("p", { className: "hint" });
    const told = t("Drag over a part to zoom in; double-click resets. Keys: arrows, + and −.");
    this.read.textContent = told;
    this.area.addEventListener("read", (event) => { this.read.textContent = event.detail || told; });
    this.spans = h("div", { className: "segmented", role: "group", "aria-label": t("Time") }, spans.map(([text, ms]) => h("button", { type: "button", "aria-pressed": String(ms === span), data: { ms }, on: { click: () => this.show(ms) } }, text)));
    const move = (text, name, by) => h("button", { type: "button", className: "quiet", "aria-label": name, on: { click: () => this.move(by) } }, text);
    this.tools = h("div", { className: "tools" }, move("←", t("Earlier"), -0.5), this.spans, move("→", t("Later"), 0.5));
    const zoom = (text, name, by) => h("button", { type: "button", className: "quiet", "aria-label": name, on: { click: () => this.scale(by) } }, text);
    this.tools.append(zoom("−", t("Zoom out"), 2), zoom("+", t("Zoom in"), 0.5));
  }

  show(span) {
    this.span = span;
    const to = this.now();
    return this.between(to - span, to);
  }

  /** Show the usual span, or what there is of it where that is little. */
  async fit() {
    const to = this.now(), from = to - this.span;
    const given = await this.load(from, to);
    const first = Math.min(...given.series.map((one) => one.data[0].find((_, index) => one.data[1][index] !== null) ?? Infinity)) * 1000;
    const isLittle = Number.isFinite(first) && first > from + this.span / 2;
    return this.between(isLittle ? Math.min(first - 60000, to - 600000) : from, to);
  }

  now() {
    return this.clock?.() ?? Date.now();
  }

  move(by) {
    const width = this.to - this.from;
    return this.between(this.from + by * width, this.to + by * width);
  }

  key(event) {
    const act = { ArrowLeft: () => this.move(-0.25), ArrowRight: () => this.move(0.25), "+": () => this.scale(0.5), "-": () => this.scale(2) }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  }

  scale(by) {
    const [middle, half] = [(this.from + this.to) / 2, (this.to - this.from) / 2 * by];
    return this.between(middle - half, middle + half);
  }

  async between(from, to) {
    if (to - from < 120000) return;
    Object.assign(this, { from, to });
    for (const one of this.spans.children) one.setAttribute("aria-pressed", String(Number(one.dataset.ms) === Math.round(to - from)));
    const turn = this.turn += 1;
    const given = await this.load(from, to);
    if (turn !== this.turn) return;
    this.clear();
    this.area.replaceChildren();
    if (given.series.every((one) => one.data[1].every((value) => value === null))) {
      this.clear = () => null;
      this.area.append(h("p", { className: "empty" }, t("No values from {from} to {to}", { from: sameYear(from), to: sameYear(to) })));
      return;
    }
    this.clear = draw(this.area, { ...given, from, to, zoomed: (one, other) => this.between(one, other) });
  }

  close() {
    this.turn += 1;
    this.clear();
  }
}
