"""The reference in the docs says what the code says."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
_spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
assert _spec is not None
assert _spec.loader is not None
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)


@pytest.mark.parametrize(("name", "content"), sorted(generate.pages().items()))
def test_the_page_is_what_the_code_would_write_now(name: str, content: str) -> None:
    assert (generate.FOLDER / name).read_text("utf-8") == content, "run `make docs`"


def test_no_page_is_left_over() -> None:
    assert {page.name for page in generate.FOLDER.glob("*.md")} == set(generate.PAGES)
