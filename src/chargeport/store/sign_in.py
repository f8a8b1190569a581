"""The store's interface for users of the page, and for share links of cars. Secrets are passed as hashes."""

from typing import Any, Protocol

import msgspec


class User(msgspec.Struct, frozen=True):
    """A person who may sign in. Without a hash of a password, only by links."""

    name: str
    password_hash: str | None = None
    created_at: int = 0


class PageSession(msgspec.Struct, frozen=True):
    """A browser that is signed in."""

    id: str
    user: str
    browser: str
    address: str
    created_at: int
    used_at: int
    expires_at: int


class ShareLink(msgspec.Struct, frozen=True):
    """A link that shows one car. `client_id` is the application as which its visitors read."""

    client_id: str
    label: str
    created_at: int
    expires_at: int | None = None


class SignIn(Protocol):
    """Users, their sign-in links and sessions, and share links."""

    async def users(self) -> list[User]:
        """Return all users, by name."""
        ...

    async def user(self, name: str) -> User | None:
        """Return one user."""
        ...

    async def put_user(self, user: User) -> None:
        """Store a new user, or set another password of a known one: then sessions and tokens end as by `end_sessions`."""
        ...

    async def remove_user(self, name: str) -> bool:
        """Remove a user with links and sessions; return False if there is none."""
        ...

    async def rows_of_user(self, name: str) -> dict[str, list[dict[str, Any]]]:
        """Return, by table, the rows about a user that `remove_user` erases, except sign-in, connections and the audit log."""
        ...

    async def add_link(self, link_hash: bytes, user: str, expires_at: int, *, replace: bool = False) -> None:
        """Store a link that signs a user in once; with `replace` the user's other links end."""
        ...

    async def use_link(self, link_hash: bytes, now: int) -> str | None:
        """Use a link, which ends it; return the name of its user; None if there is no such link, or it has ended."""
        ...

    async def add_session(self, session_hash: bytes, session: PageSession, password_hash: str | None = None) -> bool:
        """Store a session; return False if its user is gone, or has another password. Expired ones are removed."""
        ...

    async def session(self, session_hash: bytes) -> PageSession | None:
        """Return the session of a cookie. It may have expired."""
        ...

    async def use_session(self, session_hash: bytes, used_at: int, expires_at: int) -> None:
        """Note that a session was used, and until when it is valid now."""
        ...

    async def sessions(self, user: str | None = None) -> list[PageSession]:
        """Return all sessions, or those of a user, used last first."""
        ...

    async def end_sessions(self, *, user: str | None = None, session_id: str | None = None) -> int:
        """End a user's sessions, or one by its id, and the page's tokens for this user; return how many sessions ended."""
        ...

    async def add_share(self, link_hash: bytes, link: ShareLink) -> None:
        """Store a link that shows a car."""
        ...

    async def share(self, link_hash: bytes) -> ShareLink | None:
        """Return the share link with this hash. It may have expired."""
        ...

    async def shares(self) -> list[ShareLink]:
        """Return all share links, oldest first."""
        ...

    async def remove_share(self, client_id: str) -> bool:
        """Remove a share link; return False if there is none."""
        ...
