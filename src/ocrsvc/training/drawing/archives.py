"""Unpacks typefaces from npm's ``@fontsource`` archives to TrueType files.

An archive has a face as one file for its main script, or cut by Unicode ranges into a hundred numbered files, or both;
the numbered ones together have more characters.
"""

from __future__ import annotations

import re
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from fontTools.merge import Merger
from fontTools.ttLib import TTFont

_WHOLE = re.compile(r"-chinese-simplified-400-normal\.woff2$")
_PART = re.compile(r"-\d+-400-normal\.woff2$")
_LATIN = re.compile(r"-latin-400-normal\.woff2$")
# Tables that merging needs not, or that it cannot merge; the drawn glyphs do not depend on them.
_DROPPED = tuple(
    tag.ljust(4)
    for tag in "GSUB GPOS GDEF BASE DSIG vhea vmtx VORG STAT prep fpgm cvt gasp hdmx VDMX kern meta morx".split()
)


def unpack_npm(archives: Iterable[Path], folder: Path) -> Path:
    """Convert the regular faces of npm ``@fontsource`` archives (``npm pack``) to ``.ttf``; return ``folder``.

    Files that exist are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for archive in archives:
        with tarfile.open(archive) as tar:
            members = {Path(member.name).name: member for member in tar if member.name.endswith(".woff2")}
            whole = [name for name in members if _WHOLE.search(name)]
            parts = sorted(name for name in members if _PART.search(name))
            latin = [name for name in members if _LATIN.search(name)]
            chosen = whole or ([*parts, *latin] if parts else latin)
            if not chosen:
                continue
            stem = chosen[0] if len(chosen) == 1 else _PART.sub("-400-normal.woff2", parts[0])
            target = folder / f"{stem.removesuffix('.woff2')}.ttf"
            if target.exists():
                continue
            fonts = [_opened(tar, members[name]) for name in chosen]
            (fonts[0] if len(fonts) == 1 else _merged(fonts)).save(target)
    return folder


def _opened(tar: tarfile.TarFile, member: tarfile.TarInfo) -> TTFont:
    source = tar.extractfile(member)
    if source is None:
        raise ValueError(f"{member.name} is no file")
    with source:
        font = TTFont(source)
        font.ensureDecompiled()
    font.flavor = None
    return font


def _merged(fonts: Iterable[TTFont]) -> TTFont:
    """Return one font with the glyphs of all; of a character in several the first font's glyph."""
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, font in enumerate(fonts):
            for tag in _DROPPED:
                if tag in font:
                    del font[tag]
            files.append(f"{folder}/{number}.ttf")
            font.save(files[-1])
        return Merger().merge(files)
