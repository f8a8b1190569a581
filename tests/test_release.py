"""The parts of `make release`: what is pinned, under which licence, told in a bill of materials, built the same twice."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from release.__main__ import built  # noqa: E402
from release.packages import Package, bill, is_allowed, pinned, unlicensed  # noqa: E402

RUNTIME = ROOT / "requirements" / "runtime.txt"


def test_every_package_of_a_server_is_pinned_with_hashes_and_under_a_licence_that_is_allowed() -> None:
    packages = pinned(RUNTIME)
    assert {"uvicorn", "starlette", "apsw", "msgspec"} <= {each.name for each in packages}
    assert unlicensed(packages) == []


def test_a_package_without_a_hash_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "runtime.txt"
    file.write_text(f"one==1.0 \\\n    --hash=sha256:{'0' * 64}\ntwo==2.0 ; python_version < '3.12'\n")
    with pytest.raises(ValueError, match="two: a package without a hash"):
        pinned(file)


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [("MIT", True), ("Apache-2.0 OR GPL-3.0-only", True), ("MIT AND PSF-2.0", True), ("MIT AND GPL-3.0-only", False),
     ("AGPL-3.0", False), ("GPL-3.0-only OR LGPL-3.0-only", False), (None, False), ("any-OSI", False)],
)  # fmt: skip
def test_licences_are_allowed_by_name(licence: str | None, allowed: bool) -> None:
    assert is_allowed("somebody", licence) is allowed


def test_the_bill_of_materials_names_every_package_with_its_hashes_and_is_the_same_twice() -> None:
    packages = [Package("one", "1.0", ("ab" * 32,), "sys_platform == 'linux'"), Package("uvicorn", "0.54.0", ("cd" * 32,))]
    made = bill("0.9", packages, "2026-05-01T00:00:00Z")
    assert json.dumps(made) == json.dumps(bill("0.9", packages, "2026-05-01T00:00:00Z"))
    one, uvicorn = made["components"]
    assert (one["purl"], one["properties"][0]["value"]) == ("pkg:pypi/one@1.0", "sys_platform == 'linux'")
    assert one["externalReferences"][0]["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert uvicorn["licenses"] == [{"expression": "BSD-3-Clause"}]
    assert made["dependencies"][0]["dependsOn"] == ["pkg:pypi/one@1.0", "pkg:pypi/uvicorn@0.54.0"]


def test_two_builds_of_one_tree_are_the_same_to_the_last_bit(tmp_path: Path) -> None:
    first, second = built(tmp_path / "a", 1_777_629_598), built(tmp_path / "b", 1_777_629_598)
    assert first == second
    assert sorted(name.rpartition(".")[2] for name in first) == ["gz", "whl"]
