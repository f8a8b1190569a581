"""Every public method of Smartcar's SDKs for Python and Node, called against a server of ours: what each comes to."""

import json
import os
import subprocess
import sys
from typing import Any, Final

from node_packages import node, run_node

NODE_SDK: Final = "smartcar@10.4.0"

# Arguments of the methods that need some; the rest are called without. `$` stands for what is given.
PYTHON: Final = """
import inspect, json, sys
import smartcar
import smartcar.smartcar as functions
given = json.load(sys.stdin)
car = lambda: smartcar.Vehicle(given["car"], given["token"])
client = lambda: smartcar.AuthClient(given["client_id"], given["client_secret"], given["back"])
arguments = {
    "set_api_version": ("2.0",), "get_user": (given["token"],), "get_vehicle": (given["token"], given["car"]),
    "get_vehicles": (given["token"],), "get_compatibility": ("0SCTESTVIN0000000", ["read_charge"]),
    "get_compatibility_matrix": ("US", "TESLA"), "get_connections": (given["key"],), "get_management_token": (given["key"],),
    "delete_connections": (given["key"], {"user_id": "nobody"}), "hash_challenge": (given["key"], "challenge"),
    "verify_payload": (given["key"], given["signature"], given["payload"]),
    "AuthClient.get_auth_url": (["read_charge"],), "AuthClient.exchange_code": (given["codes"][0],),
    "AuthClient.exchange_refresh_token": (given["refresh"][0],),
    "Vehicle.get_signal": ("charge-wattage",), "Vehicle.batch": (["/charge"],), "Vehicle.set_charge_limit": (0.8,),
    "Vehicle.set_unit_system": ("imperial",), "Vehicle.send_destination": (1.5, 2.5), "Vehicle.request": ("GET", "charge"),
    "Vehicle.subscribe": ("webhook",), "Vehicle.unsubscribe": (given["key"], "webhook"),
}
def public(owner, test):
    return [name for name, member in inspect.getmembers(owner, test) if not name.startswith("_")]
methods = [name for name in public(functions, inspect.isfunction) if getattr(functions, name).__module__ == functions.__name__]
methods += ["AuthClient." + name for name in public(smartcar.AuthClient, inspect.isfunction)]
methods += ["Vehicle." + name for name in public(smartcar.Vehicle, inspect.isfunction)]
found = {}
for method in methods:
    owner, _, name = method.rpartition(".")
    of = {"": lambda: functions, "AuthClient": client, "Vehicle": car}[owner]()
    try:
        getattr(of, name)(*arguments.get(method, ()))
        found[method] = "answered"
    except ValueError:  # of the SDK itself: nothing was asked
        found[method] = "refused"
    except smartcar.SmartcarException as error:
        found[method] = [getattr(error, "status_code", None), getattr(error, "type", None), getattr(error, "code", None)]
json.dump(found, sys.stdout)
"""

JAVASCRIPT: Final = """
const smartcar = require("smartcar");
const given = JSON.parse(require("fs").readFileSync(0, "utf8"));
const car = () => new smartcar.Vehicle(given.car, given.token);
const client = () => new smartcar.AuthClient(
  { clientId: given.client_id, clientSecret: given.client_secret, redirectUri: given.back });
const { token, key } = given;
const args = {
  setApiVersion: ["2.0"], getUser: [token], getVehicles: [token], getVehicle: [token, given.car],
  getCompatibility: ["0SCTESTVIN0000000", ["read_charge"]],
  getCompatibilityMatrix: ["US", { make: "TESLA", clientId: given.client_id, clientSecret: given.client_secret }],
  hashChallenge: [key, "challenge"],
  verifyPayload: [key, given.signature, JSON.parse(given.payload)], getConnections: [key, {}, {}],
  deleteConnections: [key, { userId: "nobody" }],
  "AuthClient.getAuthUrl": [["read_charge"]], "AuthClient.exchangeCode": [given.codes[1]],
  "AuthClient.exchangeRefreshToken": [given.refresh[1]],
  "Vehicle.getSignal": ["charge-wattage"], "Vehicle.batch": [["/charge"]], "Vehicle.setChargeLimit": [0.8],
  "Vehicle.sendDestination": [1.5, 2.5], "Vehicle.request": ["GET", "charge"], "Vehicle.subscribe": ["webhook"],
  "Vehicle.unsubscribe": [key, "webhook"],
};
const own = (of) => Object.getOwnPropertyNames(of).filter((name) => name !== "constructor");
const classes = ["AuthClient", "Vehicle"];
const methods = [...Object.keys(smartcar).filter((name) => ![...classes, "SmartcarError"].includes(name)),
  ...classes.flatMap((name) => own(smartcar[name].prototype).map((method) => name + "." + method))];
(async () => {
  const found = {};
  for (const method of methods) {
    const [owner, name] = method.includes(".") ? method.split(".") : ["", method];
    const of = owner === "" ? smartcar : owner === "AuthClient" ? client() : car();
    try { await of[name](...(args[method] || [])); found[method] = "answered"; }
    catch (error) { found[method] = [error.statusCode ?? null, error.type ?? String(error), error.code ?? null]; }
  }
  console.log(JSON.stringify(found));
})();
"""


def origins(url: str) -> dict[str, str]:
    """The variables that the SDKs read, as the docs name them."""
    return {
        "SMARTCAR_VEHICLE_API_V3_ORIGIN": url,
        "SMARTCAR_API_V3_ORIGIN": url,
        "SMARTCAR_API_ORIGIN": url,
        "SMARTCAR_CONNECT_ORIGIN": url,
        "SMARTCAR_MANAGEMENT_API_ORIGIN": url,
    }


def python_calls(url: str, given: dict[str, Any]) -> dict[str, Any]:
    """What each method of the Python SDK comes to: `answered`, or status, type and code of its error."""
    variables = origins(url) | _secrets(given) | {"SMARTCAR_AUTH_ORIGIN": f"{url}/oauth/token", "NO_PROXY": "*"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PYTHON],
        input=json.dumps(given), env=os.environ | variables, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def node_calls(url: str, given: dict[str, Any]) -> dict[str, Any]:
    """What each method of the Node SDK comes to. Skips where there is no Node."""
    node(NODE_SDK)
    found: dict[str, Any] = run_node(NODE_SDK, JAVASCRIPT, given, SMARTCAR_AUTH_ORIGIN=url, **origins(url), **_secrets(given))
    return found


def _secrets(given: dict[str, Any]) -> dict[str, str]:
    """The variables without which some methods do not even ask."""
    names = {"SMARTCAR_CLIENT_ID": "client_id", "SMARTCAR_CLIENT_SECRET": "client_secret", "SMARTCAR_REDIRECT_URI": "back"}
    return {variable: given[name] for variable, name in names.items()}
