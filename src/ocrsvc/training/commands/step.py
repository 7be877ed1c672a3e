"""Helpers that all steps share: load a recipe, add a parser, report errors in one line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import yaml

RECIPES = Path(__file__).parents[1] / "recipes"

Steps: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def recipe(name: str) -> dict[str, Any]:
    """Return the content of a recipe, by its name in the package or by path; SystemExit lists the known names."""
    path = Path(name) if name.endswith((".yaml", ".yml")) else RECIPES / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(sorted(file.stem for file in RECIPES.glob("*.yaml")))
        raise SystemExit(
            f"ocrsvc train: no recipe {name!r}; there are: {known}; or give the path of a YAML file"
        )
    content: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return content


@contextmanager
def explained() -> Iterator[None]:
    """Turn user errors and Ctrl-C into one-line messages."""
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit("ocrsvc train: stopped; the same command goes on from what is saved") from None
    except (ValueError, FileNotFoundError) as error:
        raise SystemExit(f"ocrsvc train: {error}") from error


def add(
    steps: Steps,
    name: str,
    function: Callable[[argparse.Namespace], int | None],
    text: str,
    *,
    drawing: bool = False,
) -> argparse.ArgumentParser:
    """Add and return the parser of a step that calls ``function``; ``drawing`` adds --fonts and --prose."""
    step = steps.add_parser(name, help=text, description=text)
    step.set_defaults(function=function)
    if drawing:
        step.add_argument("--fonts", type=Path, nargs="*", default=[], help="further folders of typefaces")
        step.add_argument("--prose", type=Path, nargs="*", default=[], help="folders of .gz or .html prose")
    return step
