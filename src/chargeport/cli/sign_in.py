"""`chargeport user add|link|password|sessions`: the people who sign in to the page."""

import getpass
import sys
from typing import Annotated, Final

import msgspec
import typer

from chargeport.api.access import Access
from chargeport.api.sign_in import MAX_PASSWORD, MIN_PASSWORD, SignIn
from chargeport.cli import typed
from chargeport.cli.database import with_store
from chargeport.cli.options import Database, Json
from chargeport.cli.output import print_done, print_json, print_table, say
from chargeport.cli.page_address import ELSEWHERE, page_address, sign_in_url
from chargeport.cli.times import ago
from chargeport.clock import SystemClock
from chargeport.errors import ChargeportError, NotFoundError
from chargeport.store.protocols import Store

HOUR_MS: Final = 3_600_000

Name = Annotated[str, typer.Argument(metavar="NAME", parser=typed.label, help="The name of the person.", show_default=False)]
Hours = Annotated[int, typer.Option("--hours", min=1, max=720, help="Validity of the link in hours.")]


def people(store: Store) -> SignIn:
    """Return the sign-in service of this store."""
    clock = SystemClock()
    return SignIn(store, Access(store, clock), clock)


def add(*, name: Name, hours: Hours = 24, database: Database = None, as_json: Json = False) -> None:
    """Add a person who may sign in to the page, and print a one-time link. They see every car and manage the server."""

    async def run(store: Store) -> str:
        await people(store).add_user(name)
        return await _link(store, name, hours)

    _print_link(name, with_store(database, run, create=True), hours, as_json)


def link(*, name: Name, hours: Hours = 24, database: Database = None, as_json: Json = False) -> None:
    """Print a one-time link with which a person signs in to the page, such as on a new device or a tablet on the wall."""
    _print_link(name, with_store(database, lambda store: _link(store, name, hours)), hours, as_json)


def password(*, name: Name, database: Database = None, as_json: Json = False) -> None:
    """Set a person's password, entered in the terminal or read from standard input. Their sessions end."""

    async def check(store: Store) -> None:
        if await store.sign_in.user(name) is None:
            raise NotFoundError(f"No user who signs in is called {typed.quoted(name)}: chargeport user add makes one.")

    with_store(database, check)
    chosen = _entered_password()
    with_store(database, lambda store: people(store).set_password(name, chosen))
    print_done(
        {"user": name, "password": "set"},
        f"{name} signs in with this password from now on; sessions that there were have ended.",
        as_json=as_json,
    )


def sessions(
    *,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this person's.", show_default=False)] = None,
    end: Annotated[
        list[str] | None,
        typer.Option("--end", metavar="ID", help="End this one; may be repeated.", show_default=False),
    ] = None,
    end_all: Annotated[bool, typer.Option("--end-all", help="End all of them, or all of NAME.")] = False,
    database: Database = None,
    as_json: Json = False,
) -> None:
    """List the sessions of browsers on the page, last used first, or end them. An ended session loses access in minutes."""
    if end or end_all:
        _end(name, end or [], end_all, database, as_json)
        return
    found = with_store(database, lambda store: store.sign_in.sessions(name))
    if as_json:
        print_json([msgspec.to_builtins(session) for session in found])
        return
    now = SystemClock().now()
    rows = [
        (session.id, session.user, ago(session.used_at, now), ago(session.created_at, now), session.address,
         _browser(session.browser))
        for session in found
    ]  # fmt: skip
    print_table(("id", "user", "used", "signed in", "from", "browser"), rows, "Nobody is signed in.")


def _end(name: str | None, ids: list[str], end_all: bool, database: str | None, as_json: bool) -> None:
    async def run(store: Store) -> int:
        if end_all:
            of = [session.id for session in await store.sign_in.sessions(name)]
        else:
            known = {session.id for session in await store.sign_in.sessions(name)}
            of = ids
            for session_id in ids:
                if session_id not in known:
                    raise NotFoundError(
                        f"No session has the id {typed.quoted(session_id)}: chargeport user sessions shows them."
                    )
        return sum([await store.sign_in.end_sessions(session_id=session_id) for session_id in of])

    count = with_store(database, run)
    print_done({"ended": count}, f"{count} {'session' if count == 1 else 'sessions'} ended.", as_json=as_json)


async def _link(store: Store, name: str, hours: int) -> str:
    secret = await people(store).link(name, hours * HOUR_MS)
    return sign_in_url(await page_address(store), secret)


def _print_link(name: str, url: str, hours: int, as_json: bool) -> None:
    if as_json:
        print_json({"user": name, "link": url, "expires_in": hours * 3600})
        return
    say(url)
    sys.stdout.flush()
    say_aside(f"It signs {name} in once, within {hours} h." + (f" {ELSEWHERE}" if "//127.0.0.1" in url else ""))


def say_aside(sentence: str) -> None:
    """Print a remark on standard error, so that standard output contains only the link."""
    from chargeport.cli.output import console

    console(errors=True).print(sentence, style="dim")


def _entered_password() -> str:
    """Read a new password: twice in a terminal, else one line of standard input. Raises ChargeportError."""
    if sys.stdin.isatty():
        chosen = getpass.getpass(f"New password ({MIN_PASSWORD} characters or more): ")
        if getpass.getpass("Again: ") != chosen:
            raise ChargeportError("The two are not the same: nothing was changed.")
    else:
        chosen = sys.stdin.readline().rstrip("\r\n")
    if not MIN_PASSWORD <= len(chosen) <= MAX_PASSWORD:
        raise ChargeportError(f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters: nothing was changed.")
    return chosen


def _browser(agent: str) -> str:
    """Return the name and system of a browser."""
    names = ("Edg", "OPR", "Firefox", "HeadlessChrome", "Chrome", "Safari")
    found = next((name for name in names if f"{name}/" in agent), agent.partition("/")[0][:20])
    systems = ("Android", "iPhone", "iPad", "Windows", "Mac OS", "Linux")
    system = next((name for name in systems if name in agent), "")
    return f"{ ({'Edg': 'Edge', 'OPR': 'Opera'}.get(found, found)) } {system}".strip()
