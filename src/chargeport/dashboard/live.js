// What changes while the page looks: one stream for what is in sight, opened again when it breaks.

import { hearInstant, now, Outage, request } from "./api.js";

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30000;
const SILENT_MS = 45000; // three heartbeats
const LOST = new Set(["silent", "offline"]); // why a stream is given up that nobody ended

/** Listens to the stream of `path()`; `hear(event, data)` takes what comes, `state(name, seconds)` how it goes. */
export class Live {
  constructor(path, { open, hear, state }) {
    Object.assign(this, { path, open, hear, state, failures: 0, ended: false, aborter: null, timer: 0 });
    this.onVisible = () => {
      if (!document.hidden && !this.aborter) this.restart();
    };
    this.onOffline = () => this.aborter?.abort("offline");
    this.onOnline = () => this.restart();
    document.addEventListener("visibilitychange", this.onVisible);
    addEventListener("offline", this.onOffline);
    addEventListener("online", this.onOnline);
    this.restart();
  }

  /** Follow what is in sight now. */
  restart() {
    clearTimeout(this.timer);
    this.aborter?.abort();
    if (!this.ended) this.run(this.aborter = new AbortController());
  }

  close() {
    this.ended = true;
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.onVisible);
    removeEventListener("offline", this.onOffline);
    removeEventListener("online", this.onOnline);
    this.aborter?.abort();
  }

  async run(aborter) {
    try {
      const response = await request(this.path(), { signal: aborter.signal });
      await this.open();
      if (aborter.signal.aborted) return;
      this.failures = 0;
      this.state("live");
      await this.read(response.body.pipeThrough(new TextDecoderStream()).getReader(), aborter);
      if (!aborter.signal.aborted) return this.again(null, aborter);
    } catch (error) {
      if (!aborter.signal.aborted) return this.again(error, aborter);
    }
    if (LOST.has(aborter.signal.reason)) this.again(new Outage("The server does not answer."), aborter);
  }

  again(error, aborter) {
    if (this.aborter === aborter) this.aborter = null;
    if (this.ended) return;
    this.failures += 1;
    const calm = error === null && this.failures === 1; // the token has ended, or the server stops: at once
    const wait = calm ? 200 : Math.max(Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (this.failures - 1)), (error?.retryAfterS ?? 0) * 1000);
    this.state(calm ? "again" : "lost", wait, error);
    this.timer = setTimeout(() => this.restart(), wait);
  }

  async read(reader, aborter) {
    let text = "";
    for (;;) {
      const silence = setTimeout(() => aborter.abort("silent"), SILENT_MS);
      const { done, value } = await reader.read().finally(() => clearTimeout(silence));
      if (done || aborter.signal.aborted) return;
      text += value;
      const blocks = text.split("\n\n");
      text = blocks.pop();
      for (const block of blocks) this.take(block);
    }
  }

  take(block) {
    const lines = block.split("\n");
    const part = (name) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
    const [kind, data] = [part("event"), part("data")];
    if (!kind || kind === "end") return;
    this.hear(kind, data ? JSON.parse(data) : null);
  }
}

/** A signal of an event in the few members of `/fleet`. */
export function briefOf(resource) {
  const { status, body } = resource.attributes;
  const { oemUpdatedAt: at, ingestedAt, staleAt, source, derivedFrom } = resource.meta ?? {};
  if (ingestedAt && Date.parse(ingestedAt) < now() + 3600000) hearInstant(ingestedAt);
  const code = status.value === "SUCCESS" ? undefined : ({ VEHICLE_NOT_CAPABLE: "NOT_CAPABLE", INVALID_DATA: "UNREADABLE", INTERNAL: "SOURCE_FAILED", UNKNOWN: "NOT_PERMITTED" }[status.error.code] ?? status.error.code);
  return { status: code, body, at, staleAt, source, derivedFrom };
}
