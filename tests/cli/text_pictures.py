"""Run the example of every command in a terminal, by a clock that stands still, and keep what it shows: `make pictures`.

Each example is run in a copy of the same folder: a database with six cars and months of sessions, settings, and the files that
examples name. It is run at 80 and at 120 columns. Arguments: the folder of the pictures, and the parts that are wanted.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parents[1]))

from furnished import freeze, furnish, inside_a_copy, words_of
from lasting_pictures import COLUMNS, LASTING, OF_A_DEMO, Shown, lasting, of_a_demo
from pseudo_terminal import PASSWORD, Terminal, of_any_machine

from chargeport.cli.examples import EXAMPLES

PICTURES: Final = Path(__file__).parent / "pictures"
REFUSED: Final = {"source check": 1, "source record": 1, "webhook verify": 1, "mcp": -2}
"""Nobody listens where the source and the webhook are, and the command says so. Ctrl-C ends `mcp` by the signal itself."""


def pictures(folder: Path, parts: Sequence[str]) -> dict[str, tuple[int, str]]:
    """What the example of each command of these parts shows, at each width; its exit code."""
    house = folder / "house"
    house.mkdir()
    variables = asyncio.run(furnish(house))
    made: dict[str, tuple[int, str]] = {}
    for part in parts:
        for shown in PARTS[part](house, variables):
            code, text = made.get(shown.name, (shown.code, ""))
            assert code == shown.code, (shown, text)
            made[shown.name] = (code, text + f"$ {shown.command}   # {shown.columns} columns\n{shown.text}\n\n")
    return made


def ordinary(house: Path, variables: dict[str, str]) -> Iterator[Shown]:
    """Run what ends by itself and needs no server."""
    for name, example in EXAMPLES.items():
        if name in LASTING or name in OF_A_DEMO:
            continue
        for columns in COLUMNS:
            with inside_a_copy(house):
                terminal = Terminal(words_of(example, variables), columns)
                code = terminal.end(typed=PASSWORD)
                yield Shown(name, example, columns, code, of_any_machine(terminal.text))


PARTS: Final = {"ordinary": ordinary, "lasting": lasting, "demo": of_a_demo}


def main(folder: Path, parts: Sequence[str]) -> None:
    """Write the pictures of these parts to a folder, and print the exit codes."""
    freeze()
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        made = pictures(Path(place).resolve(), parts)
    for name, (_, text) in made.items():
        (folder / f"{name.replace(' ', '-')}.txt").write_text(text)
    sys.stdout.write(json.dumps({name: code for name, (code, _) in made.items()}))


if __name__ == "__main__":
    if sys.argv[1:] == ["--furnish"]:
        freeze()
        sys.stdout.write(json.dumps(asyncio.run(furnish(Path()))))
    else:
        main(Path(sys.argv[1]) if sys.argv[1:] else PICTURES, sys.argv[2:] or list(PARTS))
