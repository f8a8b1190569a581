"""What the command line loads: nothing but names for the list of commands, and one command's module to run it."""

import os
import resource
import subprocess
import sys

import typer.main

from chargeport.cli import main

MOST_S = 0.25


def cpu_s(*arguments: str) -> float:
    """The least that a run takes of three, in seconds of the processor: others use the machine, too."""
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-m", "chargeport", *arguments], capture_output=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(taken)


def test_help_is_quick() -> None:
    assert cpu_s("--help") <= MOST_S


def test_the_list_of_commands_says_what_each_says_of_itself() -> None:
    group = typer.main.get_command(main.build())
    named = typer.main.get_command(main.build(""))
    assert {entry.name for entry in main.COMMANDS} == set(group.commands)  # type: ignore[attr-defined]
    shown = {name: each.get_short_help_str(300) for name, each in group.commands.items()}  # type: ignore[attr-defined]
    assert {name: each.get_short_help_str(300) for name, each in named.commands.items()} == shown  # type: ignore[attr-defined]


def test_names_are_listed_without_loading_what_they_stand_for() -> None:
    program = (
        "import sys, typer.main\nfrom chargeport.cli.main import build\ntyper.main.get_command(build(''))\nprint(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    ).stdout.split()
    assert not {"chargeport.cli.records", "chargeport.store.sqlite", "rich.console", "argon2"} & set(loaded)


def test_completion_offers_commands_and_options() -> None:
    env = os.environ | {"_CHARGEPORT_COMPLETE": "complete_bash", "COMP_WORDS": "chargeport rec", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "chargeport"], env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert {"record", "records"} <= set(done.stdout.split())
