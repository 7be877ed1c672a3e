"""Takes the notes of a version out of CHANGELOG.md, or turns [Unreleased] into a version.

python scripts/release_notes.py 0.1.0                     print its notes (Unreleased: what is to come)
python scripts/release_notes.py --release 0.1.0 2026-12-01   rewrite CHANGELOG.md; a new [Unreleased] is above
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"
UNRELEASED = "Unreleased"
_HEADING = re.compile(r"^## \[([^\]]+)\](?: - (\d{4}-\d\d-\d\d))?$", re.MULTILINE)
_VERSION = re.compile(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")


def versions(changelog: str) -> list[str]:
    """Return the versions that have notes, the newest first."""
    return [found[1] for found in _HEADING.finditer(changelog)]


def notes(changelog: str, version: str) -> str:
    """Return the notes of a version in Markdown; KeyError if there are none."""
    parts = _HEADING.split(changelog)
    for name, text in zip(parts[1::3], parts[3::3], strict=True):
        if name == version:
            return str(text).strip() + "\n"
    raise KeyError(version)


def released(changelog: str, version: str, date: str) -> str:
    """Return the changelog in which what was to come is a version; ValueError says what is wrong."""
    if not _VERSION.fullmatch(version):
        raise ValueError(f"{version!r} is no version such as 1.2.0 or 1.2.0rc1")
    if not _DATE.fullmatch(date):
        raise ValueError(f"{date!r} is no date such as 2026-12-01")
    if version in versions(changelog):
        raise ValueError(f"{version} has notes already")
    if not notes(changelog, UNRELEASED).strip():
        raise ValueError("there is nothing new to release")
    return changelog.replace(f"## [{UNRELEASED}]", f"## [{UNRELEASED}]\n\n## [{version}] - {date}", 1)


def main() -> int:
    """Print notes or rewrite the changelog; the exit status is 1 if that is not possible."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("version", nargs="?")
    parser.add_argument("--release", nargs=2, metavar=("VERSION", "DATE"))
    options = parser.parse_args()
    changelog = CHANGELOG.read_text("utf-8")
    if (options.version is None) == (options.release is None):
        parser.error("name a version, or --release VERSION DATE")
    try:
        if options.release is not None:
            CHANGELOG.write_text(released(changelog, *options.release), "utf-8")
        else:
            sys.stdout.write(notes(changelog, options.version))
    except KeyError:
        print(f"{options.version} has no notes; there are {', '.join(versions(changelog))}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
