"""Writes a dev set: labelled lines in strata, as ``ocrsvc evaluate`` reads them, for any model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ocrsvc.training.data import examples
from ocrsvc.training.data.samples import Sample
from ocrsvc.training.data.strata import NEEDED, STRATA, Stratum, libraries
from ocrsvc.training.drawing import fonts
from ocrsvc.training.texts import charset

_TRIES = 60  # texts for one line, on average, before a stratum counts as impossible
_WIDEST_ASPECT = 26  # width / height; wider lines exceed the widest bucket of our models


class Undrawable(ValueError):
    """A stratum cannot be drawn with the faces that are there."""


def write(
    out: Path,
    lines: int,
    seed: int,
    folders: Sequence[Path] = (),
    prose: Sequence[Path] = (),
    strata: Sequence[str] = STRATA,
) -> Iterator[Path]:
    """Write ``lines`` lines of each stratum to ``out/STRATUM``; yield each manifest once it is written.

    ``folders``: more typefaces. ValueError names an unknown stratum; ``Undrawable`` one without faces; FileExistsError
    a folder that is not empty.
    """
    for name, drawn in each(lines, seed, folders, prose, strata):
        yield examples.write(drawn, out / name / "manifest.jsonl")


def each(
    lines: int, seed: int, folders: Sequence[Path], prose: Sequence[Path], strata: Sequence[str] = STRATA
) -> Iterator[tuple[str, Iterator[Sample]]]:
    """Yield each stratum's name with its lines, which are drawn as they are taken; raises as ``write`` does."""
    if unknown := sorted(set(strata) - set(STRATA)):
        raise ValueError(f"no stratum {', '.join(unknown)}; there are {', '.join(STRATA)}")
    held = fonts.held_out(folders)
    for name in strata:
        if name in NEEDED and not getattr(held, NEEDED[name]):
            raise Undrawable(
                f"{name} needs held-out faces: name their folder with --fonts (`ocrsvc train fonts`)"
            )
    usual, unseen = libraries(folders)
    characters = charset.load()
    for name in strata:
        yield name, _samples(Stratum(name, characters, usual, unseen, prose, seed), lines)


def _samples(stratum: Stratum, lines: int) -> Iterator[Sample]:
    made = 0
    for _ in range(_TRIES * lines):
        if made == lines:
            return
        drawn = stratum.line()
        if drawn is not None and drawn[0].shape[1] <= _WIDEST_ASPECT * drawn[0].shape[0]:
            made += 1
            yield Sample(drawn[0], drawn[1], stratum.name)
    if made < lines:
        raise Undrawable(f"the faces of this machine can draw only {made} lines of {stratum.name}")
