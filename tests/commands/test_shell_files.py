"""Completions and the man page know every command and option, and real programs understand them."""

from __future__ import annotations

import argparse
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from available import missing

from ocrsvc.commands import completion
from ocrsvc.commands.cli import main, parser

SCRIPT = Path(__file__).parents[2] / "scripts" / "shell_files.py"
NAMES = (*completion.SHELLS.values(), "ocrsvc.1")


def options(root: argparse.ArgumentParser) -> Iterator[str]:
    for action in root._actions:
        yield from (each for each in action.option_strings if each.startswith("--"))
        if isinstance(action, argparse._SubParsersAction):
            for name, each in action.choices.items():
                yield name
                yield from options(each)


def text_of(name: str, folder: Path = completion.FOLDER) -> str:
    return (folder / name).read_text("utf-8").replace("\\-", "-")


@pytest.mark.parametrize("name", NAMES)
def test_a_file_has_every_command_and_option(name: str) -> None:
    text = text_of(name)
    absent = {
        each
        for each in options(parser())
        if not re.search(rf"(?<!\w){re.escape(each.lstrip('-'))}(?![\w-])", text)
    }
    assert absent - ({"--help"} if name == "ocrsvc.1" else set()) == set()


def test_the_files_are_those_that_the_script_writes(tmp_path: Path) -> None:
    """By their options and choices: how argparse wraps lines depends on the version of Python."""
    if importlib.util.find_spec("shtab") is None or importlib.util.find_spec("argparse_manpage") is None:
        missing("shtab and argparse-manpage are not installed: make setup")
    subprocess.run([sys.executable, SCRIPT, tmp_path], check=True)
    for name in NAMES:
        words = [
            sorted(re.findall(r"[\w-]+", text_of(name, folder))) for folder in (completion.FOLDER, tmp_path)
        ]
        assert words[0] == words[1], f"{name}: run python scripts/shell_files.py"


def completed(line: str, folder: Path) -> list[str]:
    """What bash offers at the end of a line."""
    words = shlex.split(line) + ([""] if line.endswith(" ") else [])
    script = f"""
    source {completion.FOLDER / "ocrsvc"}
    COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; COMP_LINE={shlex.quote(line)}
    COMP_POINT=${{#COMP_LINE}}
    function=$(complete -p ocrsvc | sed 's/.*-F \\([^ ]*\\).*/\\1/')
    compopt() {{ :; }}
    $function; printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("ocrsvc re", ["read"]),
        ("ocrsvc serve --pro", ["--providers", "--processes-per-numa-node"]),
        ("ocrsvc read --layout t", ["tables"]),
        ("ocrsvc read re", ["receipt.png"]),
        ("ocrsvc completion z", ["zsh"]),
        ("ocrsvc evaluate s", ["scans"]),
    ],
)
def test_bash_completes(line: str, offered: list[str], tmp_path: Path) -> None:
    (tmp_path / "receipt.png").touch()
    (tmp_path / "scans").mkdir()
    assert sorted(completed(line, tmp_path)) == sorted(offered)


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_the_command_prints_what_the_shell_accepts(
    shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["completion", shell]) == 0
    script = tmp_path / "script"
    script.write_text(capsys.readouterr().out)
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    subprocess.run([program, "-n", script], check=True)


def test_a_shell_that_is_not_known_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["completion", "bsh"])
    assert "is bash meant?" in capsys.readouterr().err


def test_man_shows_the_page_without_a_warning() -> None:
    if shutil.which("man") is None:
        pytest.skip("man is not installed")
    page = completion.FOLDER / "ocrsvc.1"
    shown = subprocess.run(["man", "-l", "--warnings", page], capture_output=True, text=True, check=True)
    assert shown.stderr == ""
    for section in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS"):
        assert f"\n{section}\n" in shown.stdout
