"""Connect in a real browser: Smartcar's SDKs for Python and Node send a person there, and exchange what comes back."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.async_api import Browser, Route, expect

from node_packages import run_node
from serving import served
from world import World

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

BACK = "http://localhost:9/back"  # another site than 127.0.0.1
NAME, PASSWORD = "ann", "correct horse battery"

# What runs in the SDK's process: it reads its addresses once, when it is imported.
CALLER = """
import json, sys
import smartcar
told = json.load(sys.stdin)
client = smartcar.AuthClient(told["id"], told["secret"], told["back"])
if "code" in told:
    first = client.exchange_code(told["code"])
    second = client.exchange_refresh_token(first.refresh_token)
    signals = smartcar.Vehicle(told["car"], second.access_token).get_signal("vehicleidentification-vin")
    json.dump({"type": second.token_type, "signal": signals["body"]}, sys.stdout)
else:
    json.dump(client.get_auth_url(["required:read_charge", "read_vin"], {"state": "s 1"}), sys.stdout)
"""


# The same exchange by the Node SDK.
NODE_CALLER = """
const smartcar = require("smartcar");
const told = JSON.parse(require("fs").readFileSync(0, "utf8"));
const client = new smartcar.AuthClient({ clientId: told.id, clientSecret: told.secret, redirectUri: told.back });
(async () => {
  if (!told.code) return console.log(JSON.stringify(client.getAuthUrl(["required:read_charge", "read_vin"], { state: "s 1" })));
  const first = await client.exchangeCode(told.code);
  const second = await client.exchangeRefreshToken(first.refreshToken);
  const signal = await new smartcar.Vehicle(told.car, second.accessToken).getSignal("vehicleidentification-vin");
  console.log(JSON.stringify({ type: second.tokenType || "Bearer", signal: signal.body }));
})();
"""


async def node_sdk(url: str, **reported: Any) -> Any:
    variables = {"SMARTCAR_AUTH_ORIGIN": url, "SMARTCAR_API_ORIGIN": url, "SMARTCAR_API_V3_ORIGIN": url}
    return await asyncio.to_thread(run_node, "smartcar@10.4.0", NODE_CALLER, reported, **variables)


async def sdk(url: str, **reported: Any) -> Any:
    origins = {
        "SMARTCAR_AUTH_ORIGIN": f"{url}/oauth/token",
        "SMARTCAR_CONNECT_ORIGIN": url,
        "SMARTCAR_VEHICLE_API_V3_ORIGIN": url,
        "SMARTCAR_API_ORIGIN": url,
    }
    command = [sys.executable, "-c", CALLER]
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        input=json.dumps(reported),
        env=os.environ | origins,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("sdk", [sdk, node_sdk])
async def test_a_person_signs_in_picks_one_of_two_cars_and_the_sdk_reads_it(
    browser: Browser, tmp_path: Path, sdk: Callable[..., Any]
) -> None:
    world = World.open(tmp_path)
    await world.service.sign_in.add_user(NAME)
    await world.service.sign_in.set_password(NAME, PASSWORD)
    picked, other = await world.car(model="Volt One", vin="WVWZZZE1ZMP050505"), await world.car(model="Volt Two")
    client = await world.application(connected_only=True, name="Charts")
    await world.store.connect.add_redirects(client.id, [BACK])
    async with served(world.served) as server:
        url = f"http://127.0.0.1:{server.port}"
        about = {"id": client.id, "secret": client.secret, "back": BACK}
        address = await sdk(url, **about)
        context = await browser.new_context()
        page = await context.new_page()
        arrived: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        async def back(route: Route) -> None:
            if "/start" in route.request.url:
                await route.fulfill(content_type="text/html", body=f'<a href="{address.replace("&", "&amp;")}">Connect</a>')
                return
            arrived.set_result(route.request.url)
            await route.fulfill(body="Thank you")

        await context.route("http://localhost:9/**", back)
        await page.goto("http://localhost:9/start")
        await page.get_by_role("link", name="Connect").click()
        await page.get_by_label("Name").fill(NAME)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("heading", name="Charts")).to_be_visible()
        await expect(page.get_by_label("ACME Volt Two 2026")).to_be_visible()
        await page.goto("http://localhost:9/start")  # whoever comes again is signed in already
        await page.get_by_role("link", name="Connect").click()
        await page.get_by_label("ACME Volt One 2026").check()
        await page.get_by_role("button", name="Allow").click()
        reported = {name: value for name, (value,) in parse_qs(urlsplit(await asyncio.wait_for(arrived, 20)).query).items()}
        assert reported["state"] == "s 1"
        read = await sdk(url, **about, code=reported["code"], car=picked.id)
        assert read["type"] == "Bearer"
        assert "WVWZZZE1ZMP050505" in json.dumps(read["signal"])
        assert (await world.store.access.connection(client.id, other.id)) is None
        await context.close()
    await world.close()
