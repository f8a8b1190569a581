// Smartcar's Node SDK, unchanged, reading a car of a Chargeport: npm install, then see README.md.
process.env.SMARTCAR_API_V3_ORIGIN = process.env.CHARGEPORT_URL;

const smartcar = require('smartcar');

async function main() {
  const vehicle = new smartcar.Vehicle(process.env.VEHICLE, process.env.CHARGEPORT_TOKEN);
  const { body } = await vehicle.getSignals();
  for (const { attributes } of body.data) {
    const { value, error } = attributes.status;
    const told = value === 'SUCCESS' ? JSON.stringify(attributes.body) : `${error.type}/${error.code}`;
    console.log(attributes.code.padEnd(34), told);
  }
  try {
    await vehicle.getSignal('charge-nothing');
  } catch (error) {
    console.log(`${error.statusCode} ${error.type}/${error.code}: ${error.description}`);
  }
}

main();
