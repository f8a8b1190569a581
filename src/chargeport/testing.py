"""A Chargeport for the tests of other programs: a server with simulated cars, a stopped clock, and faults on demand.

Chargeport registers the pytest fixture `chargeport_server`. Without pytest, `Server` is a context manager.

    def test_my_app(chargeport_server):
        car = chargeport_server.car
        car.plug()
        chargeport_server.clock.advance(hours=2)
        assert my_app.charge_of(chargeport_server.url, chargeport_server.token, car.id) > 50

A server runs in a thread of the test's process, or as a process of its own (`in_process=False`). All calls go over HTTP.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypedDict, Unpack

from chargeport.errors import StartError
from chargeport.simulation.client import AnswerError, Client
from chargeport.simulation.webhook_receiver import Receiver

try:
    import pytest
except ImportError:  # used without pytest
    pytest = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Aim", "AnswerError", "Car", "Clock", "Fault", "Faults", "Receiver", "Server", "server"]

EVENING: Final = "2026-03-02T18:00:00Z"  # a Monday without a change to or from summer time
STOP_S: Final = 20.0
_MEMORY: Final = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  (writes do not wait for a disk)


class Clock:
    """The server's clock."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def now(self) -> datetime:
        """Return the server's time."""
        return _instant(self._client.get("/simulator")["clock"]["now"])

    def advance(self, *, hours: float = 0, minutes: float = 0, seconds: float = 0) -> datetime:
        """Set the clock forward by a duration, with all events in it; return the new time."""
        duration = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        return _instant(self._client.post("/simulator/clock", {"advanceSeconds": duration.total_seconds()})["now"])

    def set(self, at: datetime | str) -> datetime:
        """Set the clock forward to `at`, with all events until then; return the new time."""
        text = at.isoformat() if isinstance(at, datetime) else at
        return _instant(self._client.post("/simulator/clock", {"at": text})["now"])

    def run(self, speed: float = 1) -> None:
        """Let the clock run at `speed` times real time."""
        self._client.post("/simulator/clock", {"speed": speed})

    def freeze(self) -> None:
        """Stop the clock."""
        self._client.post("/simulator/clock", {"isFrozen": True})


class Car:
    """A simulated car. Each method returns when the car's report of the change is stored."""

    def __init__(self, client: Client, vehicle_id: str) -> None:
        self.id = vehicle_id
        self._client = client

    def __repr__(self) -> str:
        """Return the id of the car."""
        return f"Car({self.id!r})"

    def do(self, action: str, **body: Any) -> dict[str, Any]:
        """Apply any action of docs/reference/simulator.md; return the state of the car afterwards."""
        state: dict[str, Any] = self._client.post(f"/simulator/vehicles/{self.id}/{action}", body)
        return state

    @property
    def state(self) -> dict[str, Any]:
        """The true state, whatever the car has reported: status, stateOfCharge, isPluggedIn, isCharging, isAsleep, place."""
        state: dict[str, Any] = self._client.get(f"/simulator/vehicles/{self.id}")
        return state

    def plug(self, kind: Literal["AC", "DC"] = "AC", *, power_kw: float | None = None, amps: float | None = None) -> None:
        """Plug in: at home, or at a DC station."""
        self.do("plug", kind=kind, powerKw=power_kw, amps=amps)

    def unplug(self) -> None:
        """Unplug."""
        self.do("unplug")

    def set_limit(self, percent: float) -> None:
        """Set the charge limit."""
        self.do("limit", percent=percent)

    def set_soc(self, percent: float) -> None:
        """Set the state of charge."""
        self.do("soc", percent=percent)

    def set_timers(self, values: list[dict[str, Any]]) -> None:
        """Replace the charge timers, in the form of charge-chargetimers."""
        self.do("timers", values=values)

    def start(self) -> None:
        """Charge now, regardless of the timers."""
        self.do("start")

    def stop(self) -> None:
        """Stop charging."""
        self.do("stop")

    def drive(self, km: float = 20, to: str | None = None) -> None:
        """Drive away: `home`, or to no particular place."""
        self.do("drive", km=km, to=to)

    def sleep(self) -> None:
        """Fall asleep."""
        self.do("sleep")

    def wake(self) -> None:
        """Wake up and report."""
        self.do("wake")

    def report(self) -> None:
        """Report everything now."""
        self.do("report")

    def silence(self, *, hours: float = 0, minutes: float = 0, seconds: float = 0, keep: bool = False) -> None:
        """Drop all reports for a time; with `keep`, deliver them at its end."""
        self.do("silence", seconds=timedelta(hours=hours, minutes=minutes, seconds=seconds).total_seconds(), keep=keep)

    def reports(
        self, *, drop: float | None = None, repeat: float | None = None, reorder: float | None = None,
        latency_s: float | None = None,
    ) -> None:  # fmt: skip
        """Set the shares of reports, 0 to 1, that are lost, delivered twice or out of order, and the delay of all reports."""
        settings = {"dropRate": drop, "repeatRate": repeat, "reorderRate": reorder, "latencySeconds": latency_s}
        self.do("reports", **{name: value for name, value in settings.items() if value is not None})

    def signal(self, code: str) -> dict[str, Any]:
        """Return the `attributes` of a signal. Raises AnswerError."""
        attributes: dict[str, Any] = self._client.get(f"/v3/vehicles/{self.id}/signals/{code}")["data"]["attributes"]
        return attributes

    def value(self, code: str) -> Any:
        """Return the value of a signal; None if its status is an error. Raises AnswerError."""
        attributes = self.signal(code)
        return attributes["body"]["value"] if attributes["status"]["value"] == "SUCCESS" else None


class Aim(TypedDict, total=False):
    """Restrict a fault: to one car, a share of the requests or events, a number of times, and after a number of them."""

    vehicle: Car | str
    rate: float
    times: int
    after: int


class Fault:
    """A fault, which is active until it has happened `times` times or is removed."""

    def __init__(self, client: Client, fault_id: str) -> None:
        self.id = fault_id
        self._client = client

    @property
    def hits(self) -> int:
        """The number of times that the fault has happened."""
        return next(int(fault["hits"]) for fault in self._client.get("/simulator/faults")["data"] if fault["id"] == self.id)

    def remove(self) -> None:
        """Remove the fault."""
        self._client.send("DELETE", f"/simulator/faults/{self.id}")


class Faults:
    """Faults on demand."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def add(
        self, type: str, code: str | None = None, *, signal: str | None = None, detail: str | None = None,  # noqa: A002
        latency_s: float | None = None, retry_after_s: int | None = None, **aim: Unpack[Aim],
    ) -> Fault:  # fmt: skip
        """Answer with an error of this type (and code); with `signal`, only for its read and its element in lists."""
        error = {"type": type, "code": code, "detail": detail, "retryAfterSeconds": retry_after_s}
        return self._add({**error, "signal": signal, "latencySeconds": latency_s}, aim)

    def add_latency(self, seconds: float, *, signal: str | None = None, **aim: Unpack[Aim]) -> Fault:
        """Delay answers, by the real clock."""
        return self._add({"latencySeconds": seconds, "signal": signal}, aim)

    def add_webhook(
        self, effect: Literal["DROP", "REPEAT", "DELAY", "REORDER"], *, delay_s: float | None = None, **aim: Unpack[Aim]
    ) -> Fault:  # fmt: skip
        """Drop, repeat, delay or reorder events of webhooks."""
        return self._add({"webhook": effect, "delaySeconds": delay_s}, aim)

    def clear(self) -> None:
        """Remove all faults."""
        self._client.send("DELETE", "/simulator/faults")

    def expire_tokens(self) -> None:
        """Let all tokens expire now."""
        self._client.post("/simulator/tokens/expire")

    def _add(self, fault: dict[str, Any], aim: Aim) -> Fault:
        car = aim.get("vehicle")
        body = {**fault, **aim, "vehicle": car.id if isinstance(car, Car) else car}
        members = {name: value for name, value in body.items() if value is not None}
        return Fault(self._client, self._client.post("/simulator/faults", members)["id"])


class Server:
    """A running Chargeport with the cars of a scenario: a built-in one by its name, or a TOML file."""

    def __init__(self, scenario: str = "parked", *, in_process: bool = True, at: str = EVENING) -> None:
        self._scenario = scenario
        self._is_in_process = in_process
        self._at = at
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Start the server; return when it answers and every car has reported."""
        server = _Thread(self._scenario, self._at) if self._is_in_process else _Process(self._scenario, self._at)
        facts = self._stack.enter_context(server)
        self.url: str = facts["url"]
        self.token: str = facts["token"]
        self.client_id: str = facts["client_id"]
        self.client_secret: str = facts["client_secret"]
        self.management_token: str = facts["management_token"]
        self.client = Client(self.url, self.token, (self.client_id, self.client_secret))
        self.cars = [Car(self.client, vehicle["id"]) for vehicle in facts["vehicles"]]
        self.clock = Clock(self.client)
        self.faults = Faults(self.client)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: "TracebackType | None"
    ) -> bool | None:
        """Stop the server."""
        return self._stack.__exit__(kind, error, trace)

    @property
    def car(self) -> Car:
        """The first car."""
        return self.cars[0]

    @property
    def headers(self) -> dict[str, str]:
        """The header with the token of the demo application."""
        return {"Authorization": f"Bearer {self.token}"}

    def webhook(self, triggers: list[str], data: list[str] | None = None, *, name: str = "Test") -> Receiver:
        """Create a webhook on all cars with a receiver; return the receiver when the webhook is verified."""
        receiver = self._stack.enter_context(Receiver(self.management_token))
        attributes = {
            "name": name, "callbackUri": receiver.url, "triggers": triggers, "data": data or triggers, "autoSubscribe": True,
            "isEnabled": True,
        }  # fmt: skip
        webhook = self.client.post("/v3/webhooks", {"data": {"attributes": attributes}})
        self.client.post(f"/v3/webhooks/{webhook['data']['id']}/verify")
        self.clock.advance()
        return receiver


class _Thread:
    """A server in a thread of this process."""

    def __init__(self, scenario: str, at: str) -> None:
        self._scenario = scenario
        self._at = at
        self._is_ready = threading.Event()
        self._facts: dict[str, Any] = {}
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="chargeport", daemon=True)

    def __enter__(self) -> dict[str, Any]:
        self._thread.start()
        self._is_ready.wait()
        if self._error is not None:
            raise self._error
        return self._facts

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(STOP_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001  (raised by `__enter__`)
            self._error = error
        finally:
            self._is_ready.set()

    async def _serve(self) -> None:
        from chargeport import demo

        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        with tempfile.TemporaryDirectory(prefix="chargeport-", dir=_MEMORY) as folder:
            async with demo.answering(Path(folder) / "test.db", self._scenario, _instant(self._at)) as self._facts:
                self._is_ready.set()
                await self._stopped.wait()


class _Process:
    """A server as a process of its own."""

    def __init__(self, scenario: str, at: str) -> None:
        options = ["--json", "--port", "0", "--frozen", "--scenario", scenario, "--at", at]
        self._command = [sys.executable, "-m", "chargeport", "demo", *options]

    def __enter__(self) -> dict[str, Any]:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603
        assert self._process.stdout is not None  # noqa: S101  (it is a pipe)
        line = self._process.stdout.readline()
        if not line:
            _, error_output = self._process.communicate()
            raise StartError(f"The server did not start: {error_output.strip()}")
        facts: dict[str, Any] = json.loads(line)
        return facts

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate(timeout=STOP_S)


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


if pytest is not None:

    def pytest_configure(config: "pytest.Config") -> None:
        """Register the marker."""
        line = "chargeport(scenario='parked', in_process=True, at='2026-03-02T18:00:00Z'): how chargeport_server is started."
        config.addinivalue_line("markers", line)

    @pytest.fixture(name="chargeport_server")
    def server(request: "pytest.FixtureRequest") -> Iterator[Server]:
        """Yield a running Chargeport with a simulated car; the marker `chargeport` sets the scenario and other options."""
        marker = request.node.get_closest_marker("chargeport")
        with Server(*(marker.args if marker else ()), **(marker.kwargs if marker else {})) as started:
            yield started
