"""Registry of the models that this process can open, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ocrsvc.errors import UnknownModel
from ocrsvc.models import ppocr
from ocrsvc.models.manifest import Kind, Manifest, load
from ocrsvc.settings import Settings

DETECTOR = "ppocrv6-det-small"  # default for recognisers that name none; it misses the fewest lines


def default_models_dir() -> Path:
    """Return the models folder of the installed package, or the checkout's for an editable install."""
    packaged = Path(__file__).parents[1] / "_assets" / "models"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "models"


class Registry:
    """The models in one folder, and ``ppocrv6-small`` if its wheel is installed (ppocr.py)."""

    def __init__(self, settings: Settings) -> None:
        self.folder = settings.models_dir or default_models_dir()
        self._default = settings.model
        self._detector = settings.detector
        self._cache_dir = settings.cache_dir
        self._opened: dict[str, Manifest] = {}

    def names(self, kind: Kind = "recogniser") -> list[str]:
        """Return the sorted names of all models of this kind; ``ppocrv6-small`` only if it can be built."""
        found = {spec.name for spec in self._shipped() if spec.kind == kind}
        if kind == "recogniser" and ppocr.available():
            found.add(ppocr.NAME)
        return sorted(found)

    def manifests(self, kind: Kind = "recogniser") -> list[Manifest]:
        """Return all models of this kind, sorted by name."""
        return [self.spec(name) for name in self.names(kind)]

    def spec(self, name: str, *kinds: Kind) -> Manifest:
        """Return the model of this name; UnknownModel lists the known names of these ``kinds`` (default: all).

        The path of a model folder is accepted only if it is in the settings: a name may come from a request, and a
        request must not make the service open files.
        """
        if name not in self._opened:
            self._opened[name] = self._open(name, kinds or ("recogniser", "detector"))
        return self._opened[name]

    def detector(self) -> Manifest:
        """Return the detector named in the settings, else by the default recogniser; UnknownModel if it is none."""
        spec = self.spec(self._detector or self.spec(self._default).detector or DETECTOR, "detector")
        if spec.kind != "detector":
            known = self.names("detector")
            raise UnknownModel(
                f"{spec.name!r} is no detector; there are {', '.join(known)}.", model=spec.name, known=known
            )
        return spec

    def _open(self, name: str, kinds: Sequence[Kind]) -> Manifest:
        for shipped in self._shipped():
            if shipped.name == name:
                return shipped
        if name == ppocr.NAME:
            return ppocr.manifest(self._cache_dir)
        if name in (self._default, self._detector) and (Path(name) / "manifest.json").is_file():
            return load(Path(name))
        names = [each for kind in kinds for each in self.names(kind)]
        known = f"There are: {', '.join(names)}." if names else f"There are none in {self.folder}."
        raise UnknownModel(f"There is no model {name!r}. {known}", model=name, known=names)

    def _shipped(self) -> list[Manifest]:
        return [load(path.parent) for path in sorted(self.folder.glob("*/manifest.json"))]
