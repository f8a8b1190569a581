// Cars by name, and the field in which one is chosen: a list where there are few, a search where there are many.

import { get, query, turns } from "./api.js";
import { choice, h } from "./dom.js";
import { t } from "./prefs.js";

const FEW = 200;
const AT_ONCE = 100;
const SUGGESTED = 20;

/** The names of the first cars by id, and how many cars there are. */
export async function firstCars() {
  const { data, meta } = await get(`fleet?page[size]=${FEW}`);
  return { names: new Map(data.map((one) => [one.id, one.name])), total: meta.totalCount };
}

/** Add the names of these cars to those that are known. */
export async function addNames(names, ids) {
  const missing = [...new Set(ids)].filter((id) => !names.has(id));
  for (let from = 0; from < missing.length; from += AT_ONCE) {
    const { data } = await get(`fleet?${query({ "filter[id]": missing.slice(from, from + AT_ONCE).join(","), "page[size]": AT_ONCE })}`);
    for (const one of data) names.set(one.id, one.name);
  }
}

/** A field for one car, or for all where `all` is set. */
export function carField({ names, total }, chosen, { all = false } = {}) {
  if (total <= FEW) return choice(t("Car"), "car", [...(all ? [["", t("All")]] : []), ...names], chosen);
  const found = new Map([...names].slice(0, SUGGESTED).map(([id, name]) => [name, id]));
  const options = h("datalist", { id: "found-cars" });
  const suggest = () => options.replaceChildren(...[...found.keys()].map((text) => h("option", { value: text })));
  const value = h("input", { type: "hidden", name: "car", value: chosen });
  const turn = turns();
  let typing = 0;
  const search = h("input", { type: "search", value: names.get(chosen) ?? "", placeholder: all ? t("All") : t("Name, make, model, VIN, plate"), on: {
    input: () => {
      clearTimeout(typing);
      typing = setTimeout(async () => {
        const isNewest = turn();
        const { data } = await get(`fleet?${query({ "filter[text]": search.value, "page[size]": SUGGESTED })}`).catch(() => ({ data: [] }));
        if (!isNewest()) return;
        found.clear();
        for (const one of data) found.set(found.has(one.name) || [...names.values()].filter((name) => name === one.name).length > 1 ? `${one.name} · ${one.vin ?? one.id}` : one.name, one.id);
        suggest();
      }, 250);
    },
    change: () => { value.value = search.value === "" ? "" : found.get(search.value) ?? [...found.values()][0] ?? value.value; },
  } });
  search.setAttribute("list", options.id);
  suggest();
  return h("label", { className: "field" }, h("span", {}, t("Car")), search, options, value);
}
