"""Files on any file system that fsspec knows: a local folder, S3, Google Cloud Storage, HTTP and others."""

from __future__ import annotations

import contextlib
import os
import posixpath
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

# Stores that show an object only when all of it has arrived. On others, a file is written under another name first.
_WHOLE_OBJECTS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "obs", "memory"})
_MAGIC = frozenset("*?[")


class StoreFailure(OSError):
    """A store cannot be used, or did not do what was asked; the message is one line."""

    def __init__(self, message: str) -> None:
        super().__init__(None, message)
        self.strerror = message

    def __str__(self) -> str:
        return self.strerror or ""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file found in a store: its ``path`` as the store opens it, its ``name`` below the folder that was listed.

    ``size`` in bytes, if the store says it.
    """

    path: str
    name: str
    size: int | None


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    """Turn what libraries of stores raise into OSErrors with one line."""
    try:
        yield
    except OSError as error:
        if error.strerror is not None:
            raise
        raise StoreFailure(_line(error)) from error
    except Exception as error:
        raise StoreFailure(_line(error)) from error


def _line(error: Exception) -> str:
    text = " ".join(str(error).split()) or "no reason is given"
    return f"{type(error).__name__}: {text}"


class Store:
    """One folder or file named by a path or a URL; every method blocks and raises OSError."""

    def __init__(self, url: str) -> None:
        from fsspec.core import url_to_fs
        from fsspec.implementations.local import LocalFileSystem

        try:
            with _failures():
                found: tuple[AbstractFileSystem, str] = url_to_fs(url)
        except StoreFailure as error:
            raise StoreFailure(f"{url}: {error}") from error
        self.url = url
        self._files, self._root = found
        self._local = isinstance(self._files, LocalFileSystem)

    @property
    def identity(self) -> str:
        """Return the URL in one spelling, whatever the current folder is."""
        return str(self._files.unstrip_protocol(self._root)).rstrip("/")

    @property
    def portable(self) -> str:
        """Return the URL for processes with another current folder."""
        return self.url if "://" in self.url else os.path.abspath(self.url)

    # --- one file of the folder ---

    def read(self, name: str) -> bytes:
        """Return a whole file of the folder."""
        with _failures():
            return bytes(self._files.cat_file(self._at(name)))

    def exists(self, name: str) -> bool:
        """Return whether the folder has this file."""
        with _failures():
            self._files.invalidate_cache()
            return bool(self._files.isfile(self._at(name)))

    def write(self, name: str, data: bytes) -> None:
        """Write a file of the folder so that it is never there in part, and replace one of the same name."""
        target = self._at(name)
        if self._local:
            _write_local(Path(target), data)
            return
        with _failures():
            protocols = self._files.protocol
            names = {protocols} if isinstance(protocols, str) else set(protocols)
            if names & _WHOLE_OBJECTS:
                self._files.pipe_file(target, data)
                return
            folder, leaf = posixpath.split(target)
            self._files.makedirs(folder, exist_ok=True)
            building = posixpath.join(folder, f".{leaf}.{secrets.token_hex(4)}.part")
            self._files.pipe_file(building, data)
            self._files.mv(building, target)

    def names(self) -> set[str]:
        """Return the names of the files directly in the folder; none if there is no such folder."""
        with _failures():
            self._files.invalidate_cache()
            try:
                found = self._files.ls(self._root, detail=True)
            except FileNotFoundError:
                return set()
        return {posixpath.basename(each["name"]) for each in found if each["type"] == "file"}

    # --- what is below ---

    def find(self) -> list[StoredFile]:
        """Return all files below the folder, those that match the pattern, or the one file, sorted by name.

        Hidden files and folders are left out. Raises FileNotFoundError if there is no such file or folder.
        """
        with _failures():
            self._files.invalidate_cache()
            if _MAGIC & set(self._root) and not self._files.exists(self._root):
                base = _without_magic(self._root)
                found: dict[str, Any] = self._files.glob(self._root, detail=True)
                found = {path: info for path, info in found.items() if info["type"] == "file"}
            else:
                base = self._root
                found = self._files.find(self._root, detail=True)
                if not found and not self._files.exists(self._root):
                    raise FileNotFoundError(2, "No such file or folder", self.url)
        files = [_stored(path, info, base) for path, info in found.items()]
        return sorted((each for each in files if not _hidden(each.name)), key=lambda each: each.name)

    def open_at(self, path: str, *, size: int | None, limit_bytes: int) -> bytes:
        """Return a file that ``find`` has found, or ``limit_bytes + 1`` bytes of a longer one."""
        with _failures():
            if size is not None and size <= limit_bytes:
                return bytes(self._files.cat_file(path))
            with self._files.open(path, "rb") as file:
                return bytes(file.read(limit_bytes + 1))

    def arrow(self) -> Any:
        """Return the file system as pyarrow takes it."""
        return self._files

    def path(self, name: str) -> str:
        """Return the path of a file of the folder, for ``arrow``."""
        return self._at(name)

    def _at(self, name: str) -> str:
        return posixpath.join(self._root, name)


def _write_local(target: Path, data: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    building = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        with building.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        building.replace(target)
    except BaseException:
        building.unlink(missing_ok=True)
        raise


def _without_magic(pattern: str) -> str:
    """Return the folder below which a pattern looks."""
    parts = pattern.split("/")
    fixed = next(i for i, part in enumerate(parts) if _MAGIC & set(part))
    return "/".join(parts[:fixed])


def _stored(path: str, info: Any, base: str) -> StoredFile:
    below = path[len(base) :].lstrip("/") if path.startswith(base) else path
    size = info.get("size")
    return StoredFile(path, below or posixpath.basename(path), None if size is None else int(size))


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))
