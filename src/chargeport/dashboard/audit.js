// The audit log: who did what, when and from where. For whoever runs the server.

import { get, query, turns } from "./api.js";
import { addNames } from "./cars.js";
import { button, choice, h, table } from "./dom.js";
import { number, sameYear, t } from "./prefs.js";

const PAGE = 25;
const ACTS = [
  ["application.created", "Application created"], ["application.edited", "Application edited"], ["application.revoked", "Application revoked"],
  ["application.secrets_renewed", "Secrets renewed"], ["secrets.encrypted", "Secrets encrypted"], ["token.issued", "Tokens issued"], ["token.ended", "Tokens ended"],
  ["requests", "Requests"], ["connection.set", "Connection made or changed"], ["connection.ended", "Connection ended"], ["consent.given", "Consent given"],
  ["user.set", "Person added or changed"], ["user.erased", "Person erased"], ["user.link_made", "Link to sign in made"], ["session.begun", "Signed in"], ["session.ended", "Signed out"],
  ["credential.refused", "Wrong credentials"], ["share.created", "Share link made"], ["share.ended", "Share link ended"], ["vehicle.added", "Vehicle added"],
  ["vehicle.edited", "Vehicle edited"], ["vehicle.erased", "Vehicle erased"], ["source.forgotten", "Readings of a source erased"], ["record.edited", "Session edited"],
  ["issues.replayed", "Issues replayed"], ["webhook.set", "Webhook made or changed"], ["webhook.removed", "Webhook removed"], ["webhook.subscribed", "Vehicle subscribed"],
  ["webhook.unsubscribed", "Subscription ended"], ["webhook.redelivered", "Events sent again"], ["vehicle.command", "Command to a vehicle"], ["data.exported", "Data exported"], ["data.imported", "Data imported"],
  ["database.restored", "Database restored"], ["clock.repaired", "Clock repaired"], ["server.started", "Server started"],
];
const NAMES = new Map(ACTS);

/** The newest entries, of one kind where one is chosen; more below on demand. `applications` are names by client id. `again` reads
 * it anew: the page keeps the section, and with it the kind that is chosen. */
export async function auditLog(applications) {
  const cars = new Map(), list = h("div");
  const kind = choice(t("Kind"), "act", [["", t("All")], ...ACTS.map(([act, text]) => [act, t(text)])], "", { on: { change: () => again() } });
  const turn = turns();
  let shown = [];
  const more = async () => {
    const isNewest = turn(), before = shown;
    const { data, meta } = await get(`admin/audit?${query({ "filter[act]": kind.querySelector("select").value, "page[size]": PAGE, "page[number]": shown.length / PAGE + 1 })}`);
    await addNames(cars, data.map((one) => one.subject).filter((one) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(one)));
    if (!isNewest()) return; // another kind was chosen meanwhile
    shown = [...before, ...data];
    const named = (text) => cars.get(text) ?? applications.get(text) ?? text;
    list.replaceChildren(table(t("Audit log"), [t("When"), t("Who"), t("From where"), t("What"), t("Whom or what"), t("Details"), t("Times")], shown.map((one) => [
      sameYear(Date.parse(one.lastAt)), who(one.actor, applications), one.address, NAMES.has(one.act) ? t(NAMES.get(one.act)) : one.act, named(one.subject), one.detail, { cell: one.count > 1 ? number(one.count, 0) : "", className: "number" },
    ]), t("Nothing of this kind was done.")), shown.length < meta.totalCount && data.length === PAGE ? button(t("Show more"), more, { className: "more" }) : "");
  };
  const again = (names = applications) => {
    applications = names;
    shown = [];
    return more();
  };
  await more();
  return { section: h("section", {}, h("div", { className: "head" }, h("h2", {}, t("Audit log")), kind), list), again };
}

function who(actor, applications) {
  if (actor === "server") return t("the server");
  if (actor === "unknown") return t("somebody unknown");
  const [kind, name] = actor.split(/:(.*)/);
  if (kind === "shell") return t("{name}, on the command line", { name });
  return kind === "user" ? name : applications.get(actor) ?? actor;
}
