"""What the command line says about commands, options and choices that do not exist."""

from __future__ import annotations

import pytest

from ocrsvc.commands.cli import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["raed", "x.png"], "there is no command 'raed'; is read meant?"),
        (["bench", "repot"], "there is no command 'repot'; is report meant?"),
        (["read", "--formt", "json", "x.png"], "there is no option --formt; is --format meant?"),
        (["serve", "--prot=9000"], "there is no option --prot; is --port meant?"),
        (["read", "--format", "jsno", "x.png"], "there is no choice 'jsno'; is json meant?"),
        (["nothing-like-it"], "invalid choice: 'nothing-like-it'"),
        (["models", "--zzzzzz"], "unrecognized arguments: --zzzzzz"),
    ],
)
def test_the_nearest_name_is_named(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_names_that_exist_are_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", "report", "--help"])
    assert ended.value.code == 0
    assert "usage: ocrsvc bench report" in capsys.readouterr().out
