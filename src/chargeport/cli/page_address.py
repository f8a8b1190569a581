"""The address of the page, for links that commands print: as the server stored it, else from the settings."""

from typing import Final

from chargeport.cli import configuration
from chargeport.store.protocols import Store

OWNER: Final = "page"
KEY: Final = "address"
ELSEWHERE: Final = "From another device, put this machine's name or address in place of 127.0.0.1, or set server.base_url."


async def page_address(store: Store) -> str:
    """Return the URL of the page, without a trailing slash."""
    server = configuration.settings().server
    if server.base_url is not None:
        return server.base_url.rstrip("/")
    noted = await store.notes.recall(OWNER, KEY)
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104  (what a setting may say)
    scheme = "http" if server.tls is None else "https"
    return noted or f"{scheme}://{everywhere.get(server.host, server.host)}:{server.port}"


def sign_in_url(address: str, secret: str) -> str:
    """Return the address of a one-time link. The part after # is not sent to any server, so it is in no log."""
    return f"{address}/#sign-in={secret}"


def share_url(address: str, secret: str) -> str:
    """Return the address of a share link."""
    return f"{address}/#share={secret}"
