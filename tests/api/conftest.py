from collections.abc import Iterator

import pytest

from chargeport.api import app, docs
from chargeport.api.openapi import document
from chargeport.api.routes import ROUTES


@pytest.fixture(scope="package", autouse=True)
def _pages_made_once() -> Iterator[None]:
    """The description and its pages are the same for every application, and take longer to make than a test to run."""
    described = document(ROUTES)
    pages = docs.handlers(described)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "document", lambda _: described)
        patch.setattr(docs, "handlers", lambda _: pages)
        yield
