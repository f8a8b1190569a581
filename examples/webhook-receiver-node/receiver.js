// A receiver of webhooks without any package: it answers the challenge, and takes nothing that is not signed.
const { createHmac, timingSafeEqual } = require('node:crypto');
const { createServer } = require('node:http');

// Sign as Smartcar does: HMAC-SHA256 with the application's management token, in hex.
const signed = (message) => createHmac('sha256', process.env.MANAGEMENT_TOKEN).update(message).digest('hex');

function isSigned(raw, signature = '') {
  const wanted = Buffer.from(signed(raw));
  const given = Buffer.from(signature);
  return wanted.length === given.length && timingSafeEqual(wanted, given);
}

const server = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    const raw = Buffer.concat(parts);
    const event = JSON.parse(raw);
    const answer = (status, body) => {
      response.writeHead(status, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    if (event.eventType === 'VERIFY') return answer(200, { challenge: signed(event.data.challenge) });
    if (!isSigned(raw, request.headers['sc-signature'])) return answer(401, { error: 'the signature is wrong' });
    for (const { code, body } of event.data.signals ?? []) console.log(event.data.vehicle.id, code, JSON.stringify(body));
    for (const { type, code, state } of event.data.errors ?? []) console.log(event.data.vehicle.id, type, code, state);
    return answer(200, {});
  });
});

server.listen(process.env.PORT ?? 9000, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/`));
