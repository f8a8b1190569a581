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
