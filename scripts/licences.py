"""Writes the tables of docs/licences.md: ``python scripts/licences.py`` (``--check``: status 1 if out of date).

The packages are those of the lock file of the images, their licences what the metadata of the installed packages say;
the weights are those in models/, the libraries of the web page those in web/vendor/.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from email.message import Message
from importlib import metadata
from pathlib import Path
from typing import cast

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "licences.md"
LOCK = ROOT / "containers" / "requirements.txt"
VENDOR = ROOT / "web" / "vendor"
LONG = 60  # characters: a License field that is longer holds the whole text
# Names for those who write a sentence, a whole text or an old classifier where an SPDX expression belongs.
SPDX = {
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD License": "BSD",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}


def locked(lock: Path = LOCK) -> list[str]:
    """The names in a lock file, normalised (PEP 503), each once."""
    return sorted(set(re.findall(r"^([a-z0-9][a-z0-9.-]*)==", lock.read_text("utf-8"), re.MULTILINE)))


def licence(fields: Message) -> str:
    """The licence of a package: SPDX where it says so or where that is plain (PEP 639), else its own words."""
    words = str(fields.get("License-Expression") or "")
    if not words and 0 < len(fields.get("License") or "") < LONG:
        words = str(fields["License"])
    if not words:
        classifiers = [each.split(" :: ") for each in fields.get_all("Classifier") or []]
        words = " AND ".join(parts[-1] for parts in classifiers if parts[0] == "License")
    return SPDX.get(words, words) or "not stated"


def home(fields: Message) -> str:
    """Where a package comes from: its repository if it names one."""
    pairs = [each.split(", ", 1) for each in fields.get_all("Project-URL") or []]
    links = {label.lower(): link for label, link in pairs}
    for label in ("repository", "source", "source code", "homepage", "github", "code"):
        if label in links:
            return links[label]
    return str(fields.get("Home-page") or "") or f"https://pypi.org/project/{fields['Name']}/"


def packages() -> dict[str, str]:
    """A row for every locked package that is installed here."""
    rows = {}
    for name in locked():
        try:
            fields = cast(Message, metadata.metadata(name))
        except metadata.PackageNotFoundError:
            continue
        rows[name] = f"| [{name}]({home(fields)}) | {licence(fields)} |"
    return rows


def weights() -> list[str]:
    """A row for every model that is part of the package."""
    manifests = [json.loads(path.read_text("utf-8")) for path in sorted(ROOT.glob("models/*/manifest.json"))]
    return [f"| `{each['name']}` | {each['licence']} | {each['origin']} |" for each in manifests]


def libraries() -> list[str]:
    """A row for every library of the web page that is part of the package."""
    listed = json.loads((VENDOR / "vendor.json").read_text("utf-8"))
    return [
        f"| [{each['name']}]({each['home']}) {each['version']} | {each['licence']} | {each['parts']} |"
        for each in listed
    ]


def table(page: str, name: str) -> str:
    """The rows between ``<!-- begin name -->`` and ``<!-- end name -->``."""
    found = re.search(rf"<!-- begin {name} -->\n(.*?)<!-- end {name} -->", page, re.DOTALL)
    if found is None:
        raise SystemExit(f"{PAGE.name} has no table {name}")
    return found[1]


def written(page: str) -> str:
    """The page with its tables as they should be."""
    parts = {
        "packages": ["| package | licence |", "|---|---|", *packages().values()],
        "libraries": ["| library | licence | parts |", "|---|---|---|", *libraries()],
        "weights": ["| model | licence | origin |", "|---|---|---|", *weights()],
    }
    for name, rows in parts.items():
        begin = f"<!-- begin {name} -->\n"
        page = page.replace(begin + table(page, name), begin + "".join(f"{row}\n" for row in rows))
    return page


def main() -> int:
    """Write or check; return the exit status."""
    parser = argparse.ArgumentParser(description="Write the tables of docs/licences.md.")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; status 1 if the page is out of date"
    )
    check = parser.parse_args().check
    absent = set(locked()) - packages().keys()
    if absent:
        print(f"not installed here: {', '.join(sorted(absent))}", file=sys.stderr)
        return 1
    before = PAGE.read_text("utf-8")
    after = written(before)
    if not check:
        PAGE.write_text(after, "utf-8")
    elif before != after:
        print("docs/licences.md is out of date: python scripts/licences.py", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
