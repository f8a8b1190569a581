import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { AnswerError, connect, start } from '../index.js';

const command = process.env.CHARGEPORT ? [process.env.CHARGEPORT] : ['chargeport'];
let server;

before(async () => {
  server = await start({ command });
});

after(() => server.stop());

test('a night of charging takes no night', async () => {
  assert.equal((await server.clock.now()).toISOString(), '2026-03-02T18:00:00.000Z');
  await server.car.plug();
  await server.clock.advance({ hours: 8 });
  assert.equal(await server.car.value('charge-detailedchargingstatus'), 'FULLY_CHARGED');
  assert.equal(await server.car.value('tractionbattery-stateofcharge'), 80);
});

test('an error comes once, typed', async () => {
  await server.faults.add({ type: 'VEHICLE_STATE', code: 'ASLEEP', times: 1 });
  await assert.rejects(server.car.signal('charge-ischarging'), (error) => {
    assert.ok(error instanceof AnswerError);
    assert.deepEqual([error.status, error.type, error.code], [409, 'VEHICLE_STATE', 'ASLEEP']);
    return true;
  });
  assert.equal(await server.car.value('charge-ischarging'), false);
});

test('an answer is late, and a client gives up on it', async () => {
  const path = `${server.url}/v3/vehicles/${server.car.id}/signals`;
  const headers = { Authorization: `Bearer ${server.token}` };
  const fault = await server.faults.add({ latencySeconds: 60, vehicle: server.car.id });
  await assert.rejects(fetch(path, { headers, signal: AbortSignal.timeout(100) }), { name: 'TimeoutError' });
  await server.faults.remove(fault);
  assert.equal((await fetch(path, { headers })).status, 200);
});

test('tokens expire for the program that is tested, and not for the handle', async () => {
  const headers = { Authorization: `Bearer ${server.token}` };
  await server.faults.expireTokens();
  assert.equal((await fetch(`${server.url}/v3/vehicles`, { headers })).status, 401);
  assert.equal((await server.get('/v3/vehicles')).data[0].id, server.car.id);
});

test('the clock is set, runs and stands still', async () => {
  const at = new Date((await server.clock.now()).getTime() + 60000);
  assert.deepEqual(await server.clock.set(at), at);
  assert.equal((await server.clock.run(60)).speed, 60);
  assert.equal((await server.clock.run(0)).isFrozen, true);
});

test('events of a webhook arrive signed, are lost on demand, and tell of a car that fell silent', async () => {
  const received = await server.webhook(['charge-ischarging']);
  const [first] = received.events;
  assert.equal(first.eventType, 'VEHICLE_STATE');
  await server.car.do('soc', { percent: 20 });
  await server.car.plug();
  await server.clock.advance({ minutes: 10 });
  assert.equal(received.values('charge-ischarging').at(-1), true);
  await server.car.do('silence', { seconds: 3600 });
  await server.clock.advance({ minutes: 50 });
  assert.deepEqual(received.ofType('VEHICLE_ERROR').map(({ data }) => data.errors[0].code), ['UNREACHABLE']);
  await server.car.do('silence', { seconds: 0 });
  await server.clock.advance({ minutes: 5 });
  assert.equal(received.ofType('VEHICLE_ERROR').at(-1).data.errors[0].state, 'RESOLVED');
  const count = received.events.length;
  await server.faults.add({ webhook: 'DROP', times: 1 });
  await server.car.unplug();
  await server.clock.advance({ minutes: 1 });
  assert.equal(received.events.length, count);
});

test('what is not signed is refused', async () => {
  const received = await server.webhook(['charge-wattage']);
  const count = received.events.length;
  const forged = { method: 'POST', headers: { 'SC-Signature': '00' }, body: JSON.stringify({ eventType: 'VEHICLE_STATE' }) };
  assert.equal((await fetch(received.url, forged)).status, 401);
  assert.equal(received.events.length, count);
});

test('a server that runs already is used by its URL', async () => {
  const other = await connect({ url: `${server.url}/`, token: server.token });
  assert.equal(other.car.id, server.car.id);
  await other.car.unplug();
  assert.equal(await server.car.value('charge-ischargingcableconnected'), false);
  await other.stop();
});

test('what cannot start says why', async () => {
  await assert.rejects(start({ command, scenario: 'parkd' }), /nearest name is parked/);
  await assert.rejects(start({ command: ['no-such-program'] }), /no-such-program is not found: pip install chargeport/);
});
