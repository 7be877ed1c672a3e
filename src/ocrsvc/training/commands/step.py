"""What all steps share: a recipe by its name, a parser, errors in one line."""

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
    """A recipe by name (those that ship with the package) or by path; SystemExit lists what there is."""
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
    """What the user can put right, or did, in one line."""
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
    """The parser of a step that ``function`` does; with ``drawing`` it takes folders of typefaces and prose."""
    step = steps.add_parser(name, help=text, description=text)
    step.set_defaults(function=function)
    if drawing:
        step.add_argument("--fonts", type=Path, nargs="*", default=[], help="further folders of typefaces")
        step.add_argument("--prose", type=Path, nargs="*", default=[], help="folders of .gz or .html prose")
    return step
