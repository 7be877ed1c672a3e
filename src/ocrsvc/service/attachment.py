"""Header fields of an answer that is a file to store."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from urllib.parse import quote

from ocrsvc.formats import Format

_NAMELESS = "text"


def headers_of(format_: Format, name: str) -> dict[str, str]:
    """Return the field Content-Disposition of a binary format, none for others.

    ``name``: the file that was sent, after which the answer is named: ``票.png`` becomes ``票.png.pdf``.
    """
    if not format_.binary:
        return {}
    base = PurePosixPath(name.replace("\\", "/")).name or _NAMELESS
    return disposition(base if base.lower().endswith(format_.suffix) else base + format_.suffix)


def disposition(name: str) -> dict[str, str]:
    """Return the field Content-Disposition of a file to store under this name (RFC 6266)."""
    plain = re.sub(r'[^\x20-\x7e]|["\\%;]', "_", name)
    return {
        "Content-Disposition": f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    }
