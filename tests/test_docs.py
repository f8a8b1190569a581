"""The docs are true: links lead somewhere, files and targets that they name exist, and the pages have their form."""

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Final

import pytest

import chargeport
from chargeport.signals.reading import AbsenceReason

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = sorted(
    [
        *ROOT.glob("*.md"),
        *(page for folder in ("docs", "examples", "packages", "benchmarks") for page in (ROOT / folder).rglob("*.md")),
    ]
)
RECORDS: Final = sorted((ROOT / "docs" / "adr").glob("[0-9]*.md"))
RECORD_HEADINGS: Final = ["Context", "Decision", "Consequences", "What enforces this"]

FENCED: Final = re.compile(r"^(`{3,}|~{3,})[^\n]*\n(.*?)^\1[ \t]*$", re.MULTILINE | re.DOTALL)
CODE_SPAN: Final = re.compile(r"`([^`\n]+)`")
LINK: Final = re.compile(r"\[[^\]]*\]\(([^)\s]+)[^)]*\)")
ELSEWHERE: Final = re.compile(r"[a-z][a-z0-9+.-]*:")
REPOSITORY_FILE: Final = re.compile(r"(?:src|tests|docs|requirements|benchmarks|examples|\.ci)/[\w./-]*")

of_every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
of_every_record = pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)


@cache
def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return FENCED.sub("", page.read_text("utf-8"))


def code(page: Path) -> list[str]:
    """Every line of a page that is code: blocks, and what stands between backticks."""
    blocks = [line for block in FENCED.finditer(page.read_text("utf-8")) for line in block[2].splitlines()]
    return [line.partition("# ")[0] for line in blocks] + CODE_SPAN.findall(prose(page))


def headings(page: Path, level: int | None = None) -> list[str]:
    marks = "#{1,6}" if level is None else "#" * level
    return re.findall(rf"^{marks} +(.+?)\s*$", prose(page), re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """What a link to a part of the page may be called, as code hosts make it from headings."""
    slugs = [re.sub(r"[^\w\- ]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", text).lower()).replace(" ", "-")
             for text in headings(page)]  # fmt: skip
    seen: Counter[str] = Counter()
    found = set()
    for slug in slugs:
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found | set(re.findall(r"<a (?:id|name)=\"([^\"]+)\"", prose(page)))


def targets() -> set[str]:
    """What `make` can be asked for."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    return set(re.findall(r"^([a-z][\w-]*):(?!=)", makefile, re.MULTILINE))


@of_every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    broken = []
    for link in LINK.findall(CODE_SPAN.sub("`code`", prose(page))):
        if ELSEWHERE.match(link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or not target.is_relative_to(ROOT):
            broken.append(link)
        elif anchor and target.suffix == ".md" and anchor not in anchors(target):
            broken.append(f"{link} (no such heading)")
    assert not broken, broken


@of_every_page
def test_every_file_of_ours_that_is_named_exists(page: Path) -> None:
    named = {span for span in CODE_SPAN.findall(prose(page)) if REPOSITORY_FILE.fullmatch(span)}
    gone = sorted(name for name in named if not (ROOT / name).exists())
    assert not gone, gone


@of_every_page
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    asked = {name for line in code(page) for name in re.findall(r"(?:^|[\s;&|$(])make +([a-z][\w-]*)(?!=)", line)}
    assert asked <= targets(), sorted(asked - targets())


def test_make_says_what_its_targets_are_for() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    explained = set(re.findall(r"^([a-z][\w-]*):.*? ## \S", makefile, re.MULTILINE))
    parts_of_check = {"formatted", "linted", "typed", "layered"}
    assert explained | parts_of_check == targets()


def test_every_term_is_explained_once_and_every_absence_is_among_them() -> None:
    page = ROOT / "docs" / "terminology.md"
    terms = Counter(term.casefold() for term in headings(page, 3))
    assert terms
    assert not [term for term, count in terms.items() if count > 1]
    table = set(re.findall(r"^\| `([A-Z_]+)` \|", page.read_text("utf-8"), re.MULTILINE))
    assert table == set(AbsenceReason)


def test_the_map_of_the_package_is_complete_and_true() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    block = next(found[2] for found in FENCED.finditer(page) if found[2].startswith("src/chargeport/"))
    drawn = set(re.findall(r"^  (\w+(?:/|\.py))", block, re.MULTILINE))
    package = ROOT / "src" / "chargeport"
    folders = {f"{folder.name}/" for folder in package.iterdir() if any(file.suffix != ".pyc" for file in folder.rglob("*.*"))}
    files = {file.name for file in package.glob("*.py") if file.name not in {"__init__.py", "__main__.py"}}
    assert drawn == folders | files


@of_every_record
def test_every_record_has_the_form(record: Path) -> None:
    assert headings(record, 2) == RECORD_HEADINGS
    (title,) = headings(record, 1)
    assert title.startswith(f"{record.stem[:4]}. ")


def test_records_are_numbered_in_order() -> None:
    assert [int(record.stem[:4]) for record in RECORDS] == list(range(len(RECORDS)))


@of_every_page
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    named = re.findall(r"`(test_\w+)`", prose(page))
    assert not [name for name in named if f"def {name}(" not in every_test()]


@cache
def every_test() -> str:
    return "\n".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("*.py"))


def test_every_fault_names_the_command_that_injects_it() -> None:
    rows = re.findall(r"^\|(.+)\|$", (ROOT / "docs" / "reliability.md").read_text("utf-8"), re.MULTILINE)[2:]
    of_command = re.compile(r"""`make test ARGS=(?:([^\s"]+)|"([^\s"]+) -k ['\w -]+")`""")
    commands = [[a or b for a, b in of_command.findall(row.rpartition(" | ")[2])] for row in rows]
    assert [named for named in commands if len(named) != 1 or not (ROOT / named[0]).exists()] == []


def test_every_threat_names_what_it_is_by_a_letter_and_the_test_that_covers_it() -> None:
    rows = re.findall(r"^\| (\S+) \|(.*)\|$", prose(ROOT / "docs" / "security.md"), re.MULTILINE)
    threats = [(kind, cells) for kind, cells in rows if kind != "|"]
    assert {kind for kind, _ in threats} <= set("STRIDE")
    assert not [cells for _, cells in threats if "`test_" not in cells]


def test_the_changelog_has_a_place_for_what_comes_next() -> None:
    versions = re.findall(r"^## \[?([^\]\s]+)", prose(ROOT / "CHANGELOG.md"), re.MULTILINE)
    assert versions
    assert versions[0].lower() == "unreleased" or versions[0] == chargeport.__version__
