// The document. Data reaches it as text only.

import { t } from "./prefs.js";

export const byId = (id) => document.getElementById(id);

/** An element: properties, `data` as its dataset, `on` as listeners, everything with a dash as an attribute. */
export function h(tag, props = {}, ...content) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "data") Object.assign(element.dataset, value);
    else if (name === "on") for (const [event, hear] of Object.entries(value)) element.addEventListener(event, hear);
    else if (name.includes("-") || name === "role" || name === "for" || name === "scope") element.setAttribute(name, value === true ? "" : value);
    else element[name] = value;
  }
  element.append(...content.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false && one !== ""));
  return element;
}

export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const element = document.createElementNS(space, "svg");
  element.setAttribute("class", "icon");
  element.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(space, "use");
  use.setAttribute("href", `#i-${name}`);
  element.append(use);
  return element;
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * A table with a caption for screen readers; a cell is text or nodes, `{cell, ...props}` where it is more.
 * On a narrow screen each row is shown as a list: every cell has the name of its column, and an empty one is left out.
 */
export function table(caption, heads, rows, empty) {
  if (rows.length === 0 && empty) return h("p", { className: "empty" }, empty);
  const isPlain = (one) => one && typeof one === "object" && !(one instanceof Node) && !Array.isArray(one);
  const cell = (one, index) => {
    const { cell: content, ...props } = isPlain(one) ? one : { cell: one };
    return h("td", { ...props, data: { head: heads[index], ...(["", "—", null, undefined].includes(content) && { empty: "" }) } }, content ?? "—");
  };
  return h("div", { className: "wide", tabIndex: 0, role: "region", "aria-label": caption },
    h("table", {}, h("caption", { className: "unseen" }, caption),
      h("thead", {}, h("tr", {}, heads.map((text, index) => h("th", { scope: "col", className: isPlain(rows[0]?.[index]) ? rows[0][index].className : "" }, text || h("span", { className: "unseen" }, "…"))))),
      h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map(cell))))));
}

/** A button; while it works it can't be pressed again, and what it could not do is said beside it. */
export function button(text, act, props = {}) {
  const wrong = h("span", { className: "wrong", role: "alert" });
  const element = h("button", { type: "button", ...props, on: { click: async () => {
    wrong.remove();
    element.disabled = true;
    try {
      await act();
    } catch (error) {
      element.after(wrong);
      setText(wrong, t(error.message));
    } finally {
      element.disabled = Boolean(props.disabled);
    }
  } } }, text);
  return element;
}

/** A form in a dialog: `fields` are nodes with names; the answer are their values, or null. */
export function askFor(title, fields, accept, cancel) {
  return new Promise((resolve) => {
    const form = h("form", { method: "dialog", className: "ask" }, h("h2", {}, title), fields, h("p", { className: "wrong", role: "alert" }),
      h("div", { className: "buttons" }, h("button", { value: "yes", className: "primary" }, accept), h("button", { value: "no", formNoValidate: true, className: "quiet" }, cancel)));
    const dialog = h("dialog", { "aria-label": title }, form);
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes" ? Object.fromEntries(new FormData(form)) : null);
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export function field(label, name, props = {}) {
  return h("label", { className: "field" }, h("span", {}, label), h(props.rows ? "textarea" : "input", { name, ...props }));
}

export function choice(label, name, options, value, props = {}) {
  return h("label", { className: "field" }, h("span", {}, label),
    h("select", { name, ...props }, options.map(([key, text]) => h("option", { value: key, selected: key === value }, text))));
}

/** Say something above everything, or no more. */
export function notice(text, tone = "") {
  const element = byId("notice");
  setText(element, text);
  element.dataset.tone = tone;
  element.hidden = text === "";
}

/** Offer a file that was fetched. */
export function offer(blob, name) {
  const link = h("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
