"""Links of the documentation outside of the checkout: on a package index, and on the site.

Hatch runs this file while it builds (``pyproject.toml``), so it needs nothing but the standard library and hatchling.
The home of the repository is no part of it: PROJECT_REPOSITORY_URL names it to a build. Without it a link to a file of
the repository becomes plain text, because a wrong link is worse than none.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

REPOSITORY_VARIABLE = "PROJECT_REPOSITORY_URL"
INDEX_URL = "https://pypi.org/project/ocrsvc/"

_FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"^<!--.*?-->\n", re.MULTILINE)
# [text](target) or ![text](target), whose text may hold code and balanced brackets.
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_ELSEWHERE = re.compile(r"[a-z]+:|#")


def relinked(text: str, target_of: Callable[[str, bool], str | None]) -> str:
    """Return Markdown whose relative links lead where ``target_of`` (link, whether a picture) says.

    None makes plain text of a link and nothing of a picture. Code and comments keep theirs.
    """

    def changed(found: re.Match[str]) -> str:
        picture, words, link = found[1] == "!", found[2], found[3]
        if _ELSEWHERE.match(link):
            return found[0]
        target = target_of(link, picture)
        if target is None:
            return "" if picture else words
        return f"{found[1]}[{words}]({target})"

    parts = _FENCE.split(text)
    return "".join(part if part.startswith("```") else _LINK.sub(changed, part) for part in parts)


def in_repository(repository: str, version: str, folder: str = "") -> Callable[[str, bool], str | None]:
    """Return ``target_of`` for files in a folder of the repository, as of a version."""

    def target_of(link: str, picture: bool) -> str | None:
        if not repository:
            return None
        path = posixpath.normpath(posixpath.join(folder, link))
        return f"{repository.rstrip('/')}/{'raw' if picture else 'blob'}/v{version}/{path}"

    return target_of


def readme(root: Path, repository: str, version: str) -> str:
    """Return README.md for a package index."""
    text = _COMMENT.sub("", (root / "README.md").read_text("utf-8"))
    return re.sub(r"\n{3,}", "\n\n", relinked(text, in_repository(repository, version)))


def urls(repository: str, version: str) -> dict[str, str]:
    """Return the project's URLs by their labels."""
    found = {"Homepage": INDEX_URL}
    if repository:
        home = repository.rstrip("/")
        found |= {
            "Repository": home,
            "Documentation": f"{home}/tree/v{version}/docs",
            "Changelog": f"{home}/blob/v{version}/CHANGELOG.md",
            "Issues": f"{home}/issues",
        }
    return found


class ProjectLinks(MetadataHookInterface):
    """Sets the URLs and the description of the package."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in what ``pyproject.toml`` calls dynamic."""
        repository = os.environ.get(REPOSITORY_VARIABLE, "")
        version = str(metadata["version"])
        metadata["urls"] = urls(repository, version)
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": readme(Path(self.root), repository, version),
        }
