// The API, and the session with which the page asks it.

/** The server's answer that something can't be done: what is wrong, and where its page has an example and the way out. */
export class Refusal extends Error {
  constructor(status, detail, more = {}) {
    super(detail);
    Object.assign(this, { status, ...more });
  }
}

/** The server could not be reached, or what came back is no answer of its own. */
export class Outage extends Error {}

/** Returns a function to be called before a request, whose result says whether none was made after it: a late answer is not shown. */
export function turns() {
  let newest = 0;
  return () => {
    const own = newest += 1;
    return () => own === newest;
  };
}

const ANSWER_WITHIN_MS = 30000;
const RENEW_BEFORE_MS = 30000;
const BROUGHT = JSON.parse(document.getElementById("token").textContent);

export const session = {
  token: BROUGHT?.token ?? null,
  userId: BROUGHT?.userId ?? null,
  permissions: BROUGHT?.permissions ?? [],
  until: BROUGHT ? Infinity : 0,
  share: null,
  isBrought: BROUGHT !== null,
  get manages() {
    return this.permissions.includes("manage");
  },
  get simulates() {
    return this.permissions.includes("control_simulator");
  },
};

// Ages are told by the server's clock, which may differ from ours and, in a simulation, run faster.
const clock = { offset: 0, newest: 0 };
export const now = () => Math.max(Date.now() + clock.offset, clock.newest);

export function hearInstant(text) {
  const at = Date.parse(text);
  if (at > clock.newest) clock.newest = at;
}

function hearClock(response) {
  const offset = Date.parse(response.headers.get("date")) - Date.now();
  clock.offset = Math.abs(offset) > 2000 ? offset : 0;
}

async function refusalOf(response) {
  const body = await response.json().catch(() => ({}));
  const detail = body.errors?.[0]?.detail ?? body.error_description ?? `HTTP ${response.status}`;
  const docs = body.docURL && `docs/errors#${body.docURL.split("#")[1]}`; // by this address, whatever the server calls itself
  return new Refusal(response.status, detail, { title: body.errors?.[0]?.title, resolution: body.resolution?.type, docs, retryAfterS: Number(response.headers.get("retry-after")) || 0 });
}

async function send(path, options) {
  try {
    return await fetch(path, { cache: "no-store", ...options, signal: options.signal ?? AbortSignal.timeout(ANSWER_WITHIN_MS) });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Outage("The server does not answer.");
  }
}

// What concerns the session goes with its cookie, and with a header that no other site's page can send.
async function ofSession(path, body, method = "POST") {
  const headers = { "Content-Type": "application/json", "X-Chargeport-Page": "1" };
  const response = await send(path, { method, headers, credentials: "same-origin", body: body && JSON.stringify(body) });
  if (!response.ok) throw await refusalOf(response);
  return response.status === 204 ? null : response.json();
}

export const signInWith = (credentials) => ofSession("session", credentials);
export const signOutHere = () => ofSession("session", null, "DELETE");

/** Get a token for the session or the share link; false where there is none. */
export async function renew() {
  let given = { access_token: null, expires_in: 0, user_id: null, permissions: [] };
  try {
    given = await ofSession("session/token", session.share ? { share: session.share } : {});
  } catch (error) {
    if (error.status !== 401) throw error;
  }
  session.token = given.access_token;
  session.userId = given.user_id;
  session.permissions = given.permissions;
  session.until = Date.now() + given.expires_in * 1000;
  return session.token !== null;
}

/** Called where nobody is signed in any more. */
export const leave = { now: () => null };

async function authorized() {
  if (session.until - Date.now() < RENEW_BEFORE_MS && !(await renew())) {
    leave.now("The session is over: sign in again.");
    throw new Refusal(401, "The session is over: sign in again.");
  }
  const headers = { Authorization: `Bearer ${session.token}` };
  if (session.userId) headers["sc-user-id"] = session.userId;
  return headers;
}

/** The answer to a request; asked once more with a new token where the old one has ended. */
export async function request(path, options = {}, again = true) {
  const response = await send(path, { ...options, headers: { ...(await authorized()), ...options.headers } });
  hearClock(response);
  if (response.status === 401 && again && !session.isBrought) {
    session.until = 0;
    return request(path, options, false);
  }
  if (response.status === 401 && session.isBrought) reloadOnce();
  if (!response.ok) throw await refusalOf(response);
  return response;
}

// The demo's token ends after a year of its clock, or when it is told to: the page brings a new one when it is loaded again.
function reloadOnce() {
  const key = "chargeport.reloaded";
  if (Date.now() - Number(sessionStorage.getItem(key)) < 15000) return;
  sessionStorage.setItem(key, Date.now());
  location.reload();
}

export async function get(path) {
  return (await request(path)).json();
}

export async function change(method, path, body, options = {}) {
  const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  const response = await request(path, { ...options, method, ...sent });
  return response.status === 204 ? null : response.json();
}

export const query = (values) => Object.entries(values)
  .filter(([, value]) => value !== null && value !== undefined && value !== "")
  .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join("&");
