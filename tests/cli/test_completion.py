"""Completion in the shells that it is offered for: commands, and what they are."""

import pytest
from command_line import in_a_process

ASKED = {
    "bash": {"COMP_WORDS": "chargeport vehicle sh", "COMP_CWORD": "2"},
    "zsh": {"_TYPER_COMPLETE_ARGS": "chargeport vehicle sh"},
    "fish": {"_TYPER_COMPLETE_ARGS": "chargeport vehicle sh", "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
}


@pytest.mark.parametrize("shell", ASKED)
def test_a_shell_completes_a_command_and_gets_the_script_for_it(shell: str) -> None:
    assert "show" in in_a_process(env={"_CHARGEPORT_COMPLETE": f"complete_{shell}", **ASKED[shell]}).out
    assert f"complete_{shell}" in in_a_process(env={"_CHARGEPORT_COMPLETE": f"source_{shell}"}).out
