"""Sign-in to the page: one-time links, passwords, long sessions, and share links, which show one car.

A session's cookie can only be exchanged for bearer tokens of a few minutes, with which the page reads the API like any client.
So a cookie never authorizes a request to the API, and the tokens end with the session.
"""

import asyncio
import base64
import secrets
import uuid
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import argon2

from chargeport.api.access import Access, hashed, new_secret
from chargeport.clock import Clock
from chargeport.errors import UNAUTHORIZED, ConflictError, NotFoundError, Problem
from chargeport.signals.definition import OPERATOR, READS, Permission
from chargeport.store.audit import SERVER, Actor, acting
from chargeport.store.protocols import Store
from chargeport.store.records import Application, Connection, Vehicle, user_uuid_of
from chargeport.store.sign_in import PageSession, ShareLink, User

SESSION_MS: Final = 30 * 86_400_000  # since the last use
REFRESH_MS: Final = 3_600_000  # the use of a session is stored once an hour, not for each token
LINK_MS: Final = 86_400_000
TOKEN_LIFE_S: Final = 300
MIN_PASSWORD: Final = 8
MAX_PASSWORD: Final = 1024
FIRST_USER: Final = "owner"
SHARED_WITH: Final = "share"

_PAGE: Final = "The page, for people who are signed in"
_OWNER: Final = "page"

Turn = Callable[[], Awaitable[None]]
_WRONG: Final = "The name or the password is wrong."
_LINK_OVER: Final = "This link was used already, or is too old: chargeport user link NAME makes a new one."
_SHARE_OVER: Final = "This link does not show anything any more: ask for a new one."


class Guest(NamedTuple):
    """The client that signs in: its User-Agent and its address."""

    browser: str
    address: str


class PageToken(NamedTuple):
    """A token for the page, the user whose connections it uses (the value of `sc-user-id`), and its permissions."""

    token: str
    user_id: str
    permissions: frozenset[Permission]


class SignIn:
    """Users of the page, and their sessions."""

    def __init__(self, store: Store, access: Access, clock: Clock) -> None:
        self._store = store
        self._access = access
        self._clock = clock
        self.permissions = OPERATOR
        """The permissions of people who are signed in; with a simulator, also to control it."""
        self._passwords = argon2.PasswordHasher()
        self._hashing = asyncio.Semaphore(2)  # each takes 64 MiB and a tenth of a second
        self._nobody = _hash_of_nothing(self._passwords)

    # People

    async def add_user(self, name: str) -> User:
        """Add a user. Raises ConflictError."""
        if await self._store.sign_in.user(name) is not None:
            raise ConflictError(f"There is a user {name!r} already: chargeport user link makes a link for them.")
        user = User(name, None, self._clock.now())
        await self._store.sign_in.put_user(user)
        return user

    async def set_password(self, name: str, password: str) -> None:
        """Set the password of a user; their sessions and the page's tokens end. Raises NotFoundError."""
        user = await self._known(name)
        await self._store.sign_in.put_user(User(user.name, await self._hash(password), user.created_at))

    async def link(self, name: str, life_ms: int = LINK_MS, *, replace: bool = False) -> str:
        """Return the secret of a new link that signs a user in once. Raises NotFoundError."""
        await self._known(name)
        secret = new_secret("cpl_")
        await self._store.sign_in.add_link(hashed(secret), name, self._clock.now() + life_ms, replace=replace)
        return secret

    async def first_link(self) -> str | None:
        """Return a link for the first person, if nobody has ever signed in or has a password; else None."""
        users = await self._store.sign_in.users()
        if any(user.password_hash or user.name != FIRST_USER for user in users) or await self._store.sign_in.sessions():
            return None
        if not users:
            await self.add_user(FIRST_USER)
        return await self.link(FIRST_USER, replace=True)

    async def _known(self, name: str) -> User:
        user = await self._store.sign_in.user(name)
        if user is None:
            raise NotFoundError(f"No user who signs in is called {name[:80]!r}: chargeport user list shows those there are.")
        return user

    # Sessions

    async def by_link(self, secret: str, guest: Guest) -> tuple[str, PageSession]:
        """Sign in by a one-time link; return the session's secret and the session. Raises Problem (401)."""
        name = await self._store.sign_in.use_link(hashed(secret), self._clock.now())
        user = None if name is None else await self._store.sign_in.user(name)
        if user is None:
            raise Problem(UNAUTHORIZED, _LINK_OVER)
        return await self.begin(user, guest)

    async def proven(self, name: str, password: str, turn: Turn) -> User:
        """Return the user with this name and password. Raises Problem (401).

        A wrong name takes as long as a wrong password. `turn` is called once earlier attempts are done; its errors end the
        attempt.
        """
        user = await self._store.sign_in.user(name)
        stored = self._nobody if user is None or user.password_hash is None else user.password_hash
        right = len(password) <= MAX_PASSWORD and await self._verify(stored, password, turn)
        if user is None or user.password_hash is None or not right:
            raise Problem(UNAUTHORIZED, _WRONG)
        return user

    async def begin(self, user: User, guest: Guest) -> tuple[str, PageSession]:
        """Begin a session of a user; return its secret and the session. Raises Problem (401) if the user changed meanwhile."""
        secret, now = new_secret("cpw_"), self._clock.now()
        session = PageSession(secrets.token_hex(4), user.name, guest.browser[:200], guest.address, now, now, now + SESSION_MS)
        if not await self._store.sign_in.add_session(hashed(secret), session, user.password_hash):
            raise Problem(UNAUTHORIZED, _WRONG)
        return secret, session

    async def session(self, secret: str) -> tuple[PageSession, bool] | None:
        """Return the session of a cookie's secret, and whether it was prolonged now; None if it has ended."""
        key, now = hashed(secret), self._clock.now()
        found = await self._store.sign_in.session(key)
        if found is None or found.expires_at <= now:
            return None
        refreshed = now - found.used_at >= REFRESH_MS
        if refreshed:
            await self._store.sign_in.use_session(key, now, now + SESSION_MS)
        return found, refreshed

    async def end(self, secret: str) -> None:
        """Sign out."""
        found = await self._store.sign_in.session(hashed(secret))
        if found is not None:
            await self._store.sign_in.end_sessions(session_id=found.id)

    # Tokens of sessions and share links

    async def page_token(self, person: str) -> PageToken:
        """Issue a token for a few minutes with which the page reads every car and manages the server."""
        page = await self._page()
        token = await self._access.issue_token(page, TOKEN_LIFE_S, person=person)
        return PageToken(token, page.client_id, self.permissions)

    async def page_application(self) -> str | None:
        """Return the id of the page's application; None before the first sign-in."""
        return await self._store.notes.recall(_OWNER, "client_id")

    async def share(self, vehicle: Vehicle, label: str, life_ms: int | None) -> tuple[str, ShareLink]:
        """Return the secret of a new link that shows one car, and the link."""
        application, _ = await self._access.register("A share link", READS, connected_only=True)
        now, secret = self._clock.now(), new_secret("cpv_")
        connection = Connection(
            id=str(uuid.uuid4()), client_id=application.client_id, user_id=SHARED_WITH, vehicle=vehicle, permissions=READS,
            created_at=now,
        )  # fmt: skip
        await self._store.access.add_connection(connection)
        link = ShareLink(application.client_id, label, now, None if life_ms is None else now + life_ms)
        await self._store.sign_in.add_share(hashed(secret), link)
        return secret, link

    async def end_share(self, client_id: str) -> bool:
        """Delete a share link and its tokens; return False if there is none."""
        if not await self._store.sign_in.remove_share(client_id):
            return False
        await self._store.access.revoke_application(client_id, self._clock.now())
        return True

    async def share_token(self, secret: str) -> PageToken:
        """Issue a token for a few minutes with which the holder of a share link reads its car, and nothing else.

        Raises Problem (401).
        """
        link = await self._store.sign_in.share(hashed(secret))
        now = self._clock.now()
        found = None if link is None else await self._store.access.application(link.client_id)
        if link is None or found is None or found[0].revoked_at is not None or (link.expires_at or now + 1) <= now:
            raise Problem(UNAUTHORIZED, _SHARE_OVER)
        token = await self._access.issue_token(found[0], TOKEN_LIFE_S, user_uuid=user_uuid_of(SHARED_WITH))
        return PageToken(token, SHARED_WITH, READS)

    async def _page(self) -> Application:
        """Return the page's application; create it if there is none or it was revoked."""
        client_id = await self.page_application()
        found = None if client_id is None else await self._store.access.application(client_id)
        if found is not None and found[0].revoked_at is None and found[0].permissions >= self.permissions:
            return found[0]
        with acting(Actor(SERVER, now=self._clock.now)):  # the server acts, not the caller
            if client_id is not None:  # one of an earlier version, or of a server without a simulator, may do less
                await self._store.access.revoke_application(client_id, self._clock.now())
            application, _ = await self._access.register(_PAGE, self.permissions)
        await self._store.notes.remember(_OWNER, "client_id", application.client_id)
        return application

    async def _hash(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(self._passwords.hash, password)

    async def _verify(self, stored: str, password: str, turn: Turn) -> bool:
        try:
            async with self._hashing:
                await turn()
                return await asyncio.to_thread(self._passwords.verify, stored, password)
        except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
            return False


def _hash_of_nothing(passwords: argon2.PasswordHasher) -> str:
    """Return a hash that matches no password, and whose comparison takes as long as that of a password."""
    salt, digest = (
        base64.b64encode(secrets.token_bytes(length)).rstrip(b"=").decode()
        for length in (passwords.salt_len, passwords.hash_len)
    )
    costs = f"m={passwords.memory_cost},t={passwords.time_cost},p={passwords.parallelism}"
    return f"$argon2id$v={argon2.low_level.ARGON2_VERSION}${costs}${salt}${digest}"
