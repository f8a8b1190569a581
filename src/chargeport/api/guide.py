"""`/docs/guide/index.html`: the documentation as a site, where it was built into the package (`make site`)."""

from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER: Final = Path(__file__).parent.parent / "site"
PATH: Final = "/docs/guide"
# The site's own scripts and styles stand in its pages; nothing is fetched from another host.
POLICY: Final = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; worker-src 'self' blob:; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


class Site(StaticFiles):
    """The files of the site, with what every answer of the server says beside them."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file, for browsers to keep as long as it stays the same."""
        answer = await super().get_response(path, scope)
        answer.headers.update(
            {"content-security-policy": POLICY, "x-content-type-options": "nosniff", "cache-control": "no-cache",
             "referrer-policy": "no-referrer"}
        )  # fmt: skip
        return answer


def is_built(folder: Path = FOLDER) -> bool:
    """Tell whether there is a site to show."""
    return (folder / "index.html").exists()


def routes(folder: Path = FOLDER) -> list[BaseRoute]:
    """Return the route of the site's files; none where it was not built."""
    return [Mount(PATH, Site(directory=folder))] if is_built(folder) else []
