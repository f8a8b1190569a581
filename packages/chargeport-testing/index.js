/**
 * A Chargeport for tests: a server with simulated cars, by a clock that stands still until it is set forward.
 * Everything goes over the HTTP API of docs/simulator.md; no package but Node is needed.
 */

import { spawn } from 'node:child_process';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';

/** An error that the server answered with: its status, type and code, and the body. */
export class AnswerError extends Error {
  constructor(status, body) {
    super(body?.description ?? `The server answered with status ${status}.`);
    Object.assign(this, { name: 'AnswerError', status, type: body?.type ?? null, code: body?.code ?? null, body });
  }
}

/** Start a server of its own; `command` runs chargeport, from the wheel that is installed. */
export async function start({ command = ['chargeport'], scenario = 'parked', at = '2026-03-02T18:00:00Z' } = {}) {
  const options = ['demo', '--json', '--port', '0', '--frozen', '--scenario', scenario, '--at', at];
  const child = spawn(command[0], [...command.slice(1), ...options], { stdio: ['ignore', 'pipe', 'pipe'] });
  const unfound = `${command[0]} is not found: pip install chargeport, or name the command, as in start({ command: ['…'] }).`;
  let complaint = '';
  child.stderr.on('data', (text) => (complaint += text));
  const ended = once(child, 'exit').then(
    () => Promise.reject(new Error(`The server did not start: ${complaint.trim()}`)),
    (error) => Promise.reject(error.code === 'ENOENT' ? new Error(unfound, { cause: error }) : error),
  );
  const lines = createInterface({ input: child.stdout });
  const [line] = await Promise.race([once(lines, 'line'), ended]);
  ended.catch(() => {});
  return new Server(JSON.parse(line), async () => {
    const gone = child.exitCode === null ? once(child, 'exit') : null;
    child.kill('SIGTERM');
    await gone;
  });
}

/** Use a server that runs already: its URL, a token that may control the simulator, and for webhooks the management token. */
export async function connect({ url, token, managementToken }) {
  const facts = { url: url.replace(/\/$/, ''), token, management_token: managementToken, vehicles: [] };
  const server = new Server(facts, async () => {});
  server.cars = (await server.get('/simulator')).vehicles.map((each) => new Car(server, each.id));
  return server;
}

/**
 * A receiver of webhooks on loopback: it answers challenges, checks signatures and keeps what it gets.
 * `events` are the bodies of all but VERIFY; `statuses` are the answers to the next ones, 200 after that.
 */
export class Receiver {
  events = [];
  statuses = [];
  #key;
  #server = createServer(async (request, response) => {
    const parts = await request.toArray();
    const [status, body] = this.#taken(Buffer.concat(parts), request.headers['sc-signature'] ?? '');
    response.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
  });

  constructor(managementToken) {
    this.#key = managementToken;
  }

  /** Begin to receive; the promise is of the URL. */
  async listen() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.url = `http://127.0.0.1:${this.#server.address().port}/`;
    return this.url;
  }

  close() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }

  /** The events of a type: VEHICLE_STATE or VEHICLE_ERROR. */
  ofType(eventType) {
    return this.events.filter((event) => event.eventType === eventType);
  }

  /** The value of a signal in each VEHICLE_STATE, in order; null where it has none. */
  values(code) {
    return this.ofType('VEHICLE_STATE').map(({ data }) => data.signals.find((one) => one.code === code)?.body?.value ?? null);
  }

  #taken(raw, signature) {
    const event = JSON.parse(raw);
    if (event.eventType === 'VERIFY') return [200, { challenge: this.#signed(event.data.challenge) }];
    const [ours, theirs] = [Buffer.from(this.#signed(raw)), Buffer.from(signature)];
    if (ours.length !== theirs.length || !timingSafeEqual(ours, theirs)) return [401, {}];
    this.events.push(event);
    return [this.statuses.shift() ?? 200, {}];
  }

  #signed(message) {
    return createHmac('sha256', this.#key).update(message).digest('hex');
  }
}

/** A running Chargeport. */
export class Server {
  #stop;
  #receivers = [];

  constructor(facts, stop) {
    this.url = facts.url;
    this.token = facts.token;
    this.clientId = facts.client_id;
    this.clientSecret = facts.client_secret;
    this.managementToken = facts.management_token;
    this.cars = facts.vehicles.map((each) => new Car(this, each.id));
    this.clock = new Clock(this);
    this.faults = new Faults(this);
    this.#stop = stop;
  }

  /** The first car. */
  get car() {
    return this.cars[0];
  }

  get(path) {
    return this.send('GET', path);
  }

  post(path, body = {}) {
    return this.send('POST', path, body);
  }

  /** Send a request as the demo's application, once more with a new token where the old one has expired. Throws AnswerError. */
  async send(method, path, body) {
    try {
      return await this.#sent(method, path, body, { Authorization: `Bearer ${this.token}` });
    } catch (error) {
      if (error.status !== 401 || this.clientSecret === undefined) throw error;
    }
    const wanted = { grant_type: 'client_credentials', client_id: this.clientId, client_secret: this.clientSecret };
    this.token = (await this.#sent('POST', '/oauth2/token', wanted)).access_token;
    return this.#sent(method, path, body, { Authorization: `Bearer ${this.token}` });
  }

  async #sent(method, path, body, authorization = {}) {
    const headers = { ...authorization, 'Content-Type': 'application/json' };
    const response = await fetch(this.url + path, { method, headers, body: body && JSON.stringify(body) });
    const text = await response.text();
    const answer = text ? JSON.parse(text) : null;
    if (!response.ok) throw new AnswerError(response.status, answer);
    return answer;
  }

  /** Make a webhook on all cars with a receiver of its own; the promise is of that, when the webhook is verified. */
  async webhook(triggers, data = triggers, { name = 'Test' } = {}) {
    const receiver = new Receiver(this.managementToken);
    this.#receivers.push(receiver);
    const attributes = { name, callbackUri: await receiver.listen(), triggers, data, autoSubscribe: true, isEnabled: true };
    const made = await this.post('/v3/webhooks', { data: { attributes } });
    await this.post(`/v3/webhooks/${made.data.id}/verify`);
    await this.clock.advance({});
    return receiver;
  }

  /** Stop the receivers, and a server that was started here. */
  async stop() {
    await Promise.all(this.#receivers.map((receiver) => receiver.close()));
    await this.#stop();
  }
}

/** The server's clock. */
export class Clock {
  #server;

  constructor(server) {
    this.#server = server;
  }

  /** Live through a stretch of time at once; the promise is of the time that it is then. */
  async advance({ hours = 0, minutes = 0, seconds = 0 }) {
    const advanceSeconds = hours * 3600 + minutes * 60 + seconds;
    return new Date((await this.#server.post('/simulator/clock', { advanceSeconds })).now);
  }

  /** Live through all that happens until then: a Date, or a time as in 2026-03-03T06:00:00Z. */
  async set(at) {
    return new Date((await this.#server.post('/simulator/clock', { at: new Date(at).toISOString() })).now);
  }

  /** Let it run, so many times as fast as life; 0 stops it. */
  run(speed = 1) {
    return this.#server.post('/simulator/clock', { speed });
  }

  async now() {
    return new Date((await this.#server.get('/simulator')).clock.now);
  }
}

/** A simulated car. */
export class Car {
  #server;

  constructor(server, id) {
    this.id = id;
    this.#server = server;
  }

  /** Do any action of docs/reference/simulator.md: plug, unplug, limit, soc, drive, sleep, wake, silence, … */
  do(action, body = {}) {
    return this.#server.post(`/simulator/vehicles/${this.id}/${action}`, body);
  }

  plug(body) {
    return this.do('plug', body);
  }

  unplug() {
    return this.do('unplug');
  }

  /** Read a signal as an application does: its attributes. */
  async signal(code) {
    return (await this.#server.get(`/v3/vehicles/${this.id}/signals/${code}`)).data.attributes;
  }

  /** The value of a signal; null where its status is an error. */
  async value(code) {
    const { status, body } = await this.signal(code);
    return status.value === 'SUCCESS' ? body.value : null;
  }
}

/** What goes wrong on demand. */
export class Faults {
  #server;

  constructor(server) {
    this.#server = server;
  }

  /** Begin a fault, such as { type: 'VEHICLE_STATE', code: 'ASLEEP', times: 1 }, { latencySeconds: 5 } or { webhook: 'DROP' }. */
  add(fault) {
    return this.#server.post('/simulator/faults', fault);
  }

  /** Take back a fault that `add` returned. */
  remove({ id }) {
    return this.#server.send('DELETE', `/simulator/faults/${id}`);
  }

  /** Let all tokens expire now. */
  expireTokens() {
    return this.#server.post('/simulator/tokens/expire');
  }

  clear() {
    return this.#server.send('DELETE', '/simulator/faults');
  }
}
