"""The API keys that let clients in: read from the settings and a file, kept as SHA-256, and read again when it changes.

A line of the file is ``KEY`` or ``NAME KEY``, where KEY is plain text or ``sha256:HEX``; ``#`` begins a comment.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ocrsvc.settings import Settings

logger = logging.getLogger("ocrsvc.service")

LEAST_CHARACTERS = 16  # of a plain key: fewer might be guessed
_MOST_CHARACTERS = 256
_MOST_FILE_BYTES = 2**20
_CHECK_SECONDS = 1.0  # between two looks at the file's time
_PLAIN = re.compile(r"[\x21-\x2b\x2d-\x7e]+")  # visible ASCII but the comma
_HASHED = re.compile(r"sha256:([0-9a-fA-F]{64})")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class WrongKey(ValueError):
    """An entry that is no key; the message names its place, never the entry."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is kept: its SHA-256 and the name for the log and for limits."""

    digest: bytes
    name: str


def digest_of(key: str) -> bytes:
    """Return what is kept of a key. Keys are random, so that a slow hash would protect nothing more."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


class ApiKeys:
    """The keys in force. ``client`` is called for each request, and sees a change of the file within a second.

    Raises WrongKey for a malformed entry or a file without keys, OSError if the file cannot be read.
    """

    def __init__(
        self, listed: str = "", path: Path | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._listed = [_parsed(each, "", f"key {n}") for n, each in enumerate(_split(listed), 1)]
        self._path = path
        self._clock = clock
        # Keys are found by a hash with a secret of this process. How long a search takes says nothing about them.
        self._secret = secrets.token_bytes(32)
        self._known: dict[bytes, ApiKey] = {}
        self._version = self._seen()
        self._looked, self._failing = clock(), False
        found = self._listed + self._read()
        if path is not None and not found:
            raise WrongKey(f"{path} has no keys")
        self._keep(found)
        self.required = bool(found)

    @classmethod
    def of(cls, settings: Settings) -> ApiKeys:
        """Return the keys that the settings name; raises as the class does."""
        listed = settings.api_keys.get_secret_value() if settings.api_keys else ""
        return cls(listed, settings.api_keys_file)

    def client(self, offered: str) -> str | None:
        """Return the name of the key, None for an unknown one; takes the same time whichever keys there are."""
        self._refresh()
        digest = digest_of(offered)
        key = self._known.get(self._place(digest))
        return key.name if key is not None and hmac.compare_digest(key.digest, digest) else None

    def _refresh(self) -> None:
        """Read the file again if it has changed. A file that cannot be used leaves the keys as they were."""
        if self._path is None or (now := self._clock()) - self._looked < _CHECK_SECONDS:
            return
        self._looked = now
        try:
            version = self._seen()
            if version == self._version:
                return
            found = self._listed + self._read()
        except (OSError, WrongKey) as error:
            if not self._failing:  # said once
                logger.error("the API keys stay as they were", extra={"cause": str(error)})
            self._failing = True
            return
        self._version, self._failing = version, False
        self._keep(found)
        log = logger.info if found else logger.warning
        log("the API keys have changed", extra={"keys": len(self._known)})

    def _seen(self) -> tuple[int, int, int] | None:
        """Return what changes with the file; a mounted secret is another file after each change."""
        if self._path is None:
            return None
        stat = self._path.stat()
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def _read(self) -> list[ApiKey]:
        if self._path is None:
            return []
        with self._path.open("rb") as file:
            data = file.read(_MOST_FILE_BYTES + 1)
        if len(data) > _MOST_FILE_BYTES:
            raise WrongKey(f"{self._path} is larger than {_MOST_FILE_BYTES} bytes")
        return list(_lines(data.decode("utf-8", "replace"), self._path))

    def _keep(self, found: list[ApiKey]) -> None:
        self._known = {self._place(key.digest): key for key in found}

    def _place(self, digest: bytes) -> bytes:
        return hashlib.blake2b(digest, key=self._secret, digest_size=16).digest()


def _split(listed: str) -> list[str]:
    return [stripped for each in listed.split(",") if (stripped := each.strip())]


def _lines(text: str, path: Path) -> Iterator[ApiKey]:
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        where = f"{path}, line {number}"
        if len(words) > 2:
            raise WrongKey(f"{where}: expected KEY or NAME KEY")
        name = words[0] if len(words) == 2 else ""
        if name and not _NAME.fullmatch(name):
            raise WrongKey(f"{where}: a name may have 64 letters, digits, dots, hyphens and underscores")
        yield _parsed(words[-1], name, where)


def _parsed(entry: str, name: str, where: str) -> ApiKey:
    if hashed := _HASHED.fullmatch(entry):
        digest = bytes.fromhex(hashed[1])
    elif entry.startswith("sha256:"):
        raise WrongKey(f"{where}: sha256: needs 64 hexadecimal digits after it")
    elif not LEAST_CHARACTERS <= len(entry) <= _MOST_CHARACTERS or not _PLAIN.fullmatch(entry):
        raise WrongKey(
            f"{where}: a key needs {LEAST_CHARACTERS} to {_MOST_CHARACTERS} visible ASCII characters, no comma"
        )
    else:
        digest = digest_of(entry)
    return ApiKey(digest, name or f"key-{digest.hex()[:8]}")
