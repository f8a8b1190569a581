"""The pinned packages of a server, with hashes and licences, and the bill of materials (CycloneDX) that is made of them."""

import re
import uuid
from importlib import metadata
from pathlib import Path
from typing import Any, Final, NamedTuple

ALLOWED: Final = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "EPL-2.0", "ISC", "MIT", "MIT-0", "MPL-2.0", "PSF-2.0",
        "Python-2.0", "Unlicense", "Zlib",
    }
)  # fmt: skip
"""Licences (SPDX) under which a package may be part of an installation. MPL and EPL bind changes of their own files alone."""
NAMED: Final = {
    "any-OSI": {"apsw"},  # its author allows any licence that the OSI approves
}
SPELT: Final = {
    "MIT License": "MIT", "Apache Software License": "Apache-2.0", "BSD License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause", "ISC License (ISCL)": "ISC", "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0", "Apache 2.0": "Apache-2.0", "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0", "BSD": "BSD-3-Clause",
}  # fmt: skip
_PINNED: Final = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)(?: *; *([^\\\n]+?))? *\\?$")
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_JOINED: Final = re.compile(r" (?:AND|OR) |[()]|;")


class Package(NamedTuple):
    """A pinned package: the hashes of its files, and where it is installed only (a marker)."""

    name: str
    version: str
    hashes: tuple[str, ...]
    marker: str | None = None


def pinned(file: Path) -> list[Package]:
    """Return the packages that a requirements file pins. Raises ValueError where one has no hash."""
    found: list[Package] = []
    for line in file.read_text("utf-8").splitlines():
        if begins := _PINNED.match(line):
            found.append(Package(begins[1].lower(), begins[2], (), begins[3]))
        elif (of_last := _HASH.search(line)) and found:
            found[-1] = found[-1]._replace(hashes=(*found[-1].hashes, of_last[1]))
    bare = [each.name for each in found if not each.hashes]
    if bare:
        raise ValueError(f"{file}: {', '.join(bare)}: a package without a hash may be any: make lock writes them.")
    return found


def licence_of(name: str) -> str | None:
    """Return the licence of an installed package, as SPDX writes it where its own words are known; None where it has none."""
    about = metadata.metadata(name)
    told = about.get("License-Expression")
    if told is None:
        classifiers = [each.rpartition("::")[2].strip() for each in about.get_all("Classifier") or []]
        known = [each for each in classifiers if each in SPELT]
        told = " AND ".join(SPELT[each] for each in known) or about.get("License")
    return None if told is None else SPELT.get(told.strip(), told.strip())


def is_allowed(name: str, licence: str | None) -> bool:
    """Return whether a package may be part of an installation. Of alternatives, one that is allowed is enough."""
    if licence is None:
        return False
    if name in NAMED.get(licence, ()):
        return True
    return any(
        all(part.strip() in ALLOWED for part in _JOINED.split(choice) if part.strip()) for choice in licence.split(" OR ")
    )


def unlicensed(packages: list[Package]) -> list[str]:
    """Return what is wrong with the licences of the packages that are installed here."""
    wrong = []
    for each in packages:
        try:
            licence = licence_of(each.name)
        except metadata.PackageNotFoundError:  # of another system or version of Python
            continue
        if not is_allowed(each.name, licence):
            wrong.append(f"{each.name} {each.version}: {licence or 'no licence is named'}")
    return wrong


def bill(version: str, packages: list[Package], made_at: str) -> dict[str, Any]:
    """Return the bill of materials, CycloneDX 1.6. The same packages give the same document."""
    own = f"pkg:pypi/chargeport@{version}"
    names = " ".join(f"{each.name}=={each.version}" for each in packages)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'{own} {names}')}",
        "version": 1,
        "metadata": {
            "timestamp": made_at,
            "component": {
                "type": "application", "name": "chargeport", "version": version, "purl": own, "bom-ref": own,
                "licenses": [{"expression": "Apache-2.0"}],
            },
        },
        "components": [_component(each) for each in packages],
        "dependencies": [{"ref": own, "dependsOn": [_purl(each) for each in packages]}],
    }  # fmt: skip


def _component(package: Package) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": "library", "name": package.name, "version": package.version, "purl": _purl(package), "bom-ref": _purl(package),
        "externalReferences": [
            {"type": "distribution", "url": f"https://pypi.org/project/{package.name}/{package.version}/",
             "hashes": [{"alg": "SHA-256", "content": each} for each in package.hashes]}
        ],
    }  # fmt: skip
    try:
        licence = licence_of(package.name)
    except metadata.PackageNotFoundError:
        licence = None
    if licence is not None:
        is_spdx = all(part.strip() in ALLOWED for part in _JOINED.split(licence) if part.strip())
        component["licenses"] = [{"expression": licence}] if is_spdx else [{"license": {"name": licence}}]
    if package.marker is not None:
        component["properties"] = [{"name": "python:marker", "value": package.marker}]
    return component


def _purl(package: Package) -> str:
    return f"pkg:pypi/{package.name}@{package.version}"
