"""What the store keeps of people who sign in to the page, and of links that show a car to others. Secrets arrive hashed."""

from typing import Any, Protocol

import msgspec


class User(msgspec.Struct, frozen=True):
    """A person who may sign in. Without a hash of a password only links sign in."""

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
    """A link that shows one car. `client_id` is the application that whoever opens it reads as."""

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
        """Make a user known, or give a known one another password: then sessions and tokens end as by `end_sessions`."""
        ...

    async def remove_user(self, name: str) -> bool:
        """Remove a user with links and sessions; False when there is none."""
        ...

    async def rows_of_user(self, name: str) -> dict[str, list[dict[str, Any]]]:
        """Return, by table, what names a user that `remove_user` erases, beside sign-in, connections and the audit log."""
        ...

    async def add_link(self, link_hash: bytes, user: str, expires_at: int, *, replace: bool = False) -> None:
        """Keep a link that signs a user in once; with `replace` the user's other links end."""
        ...

    async def use_link(self, link_hash: bytes, now: int) -> str | None:
        """Use a link up: the name of its user; None when there is no such link, or not any more."""
        ...

    async def add_session(self, session_hash: bytes, session: PageSession, password_hash: str | None = None) -> bool:
        """Keep a session; False where its user is gone, or has another password than this one. Those over are forgotten."""
        ...

    async def session(self, session_hash: bytes) -> PageSession | None:
        """Return the session of a cookie. It may be over."""
        ...

    async def use_session(self, session_hash: bytes, used_at: int, expires_at: int) -> None:
        """Note that a session was used, and until when it lasts now."""
        ...

    async def sessions(self, user: str | None = None) -> list[PageSession]:
        """Return all sessions, or those of a user, used last first."""
        ...

    async def end_sessions(self, *, user: str | None = None, session_id: str | None = None) -> int:
        """End a user's sessions, or one by its id, and all tokens that the page has for this user; how many sessions ended."""
        ...

    async def add_share(self, link_hash: bytes, link: ShareLink) -> None:
        """Keep a link that shows a car."""
        ...

    async def share(self, link_hash: bytes) -> ShareLink | None:
        """Return the share link with this hash. It may be over."""
        ...

    async def shares(self) -> list[ShareLink]:
        """Return all share links, oldest first."""
        ...

    async def remove_share(self, client_id: str) -> bool:
        """Forget a share link; False when there is none."""
        ...
