"""Who reads a job: one process, whose death others notice at once on the same machine, and elsewhere by its lease.

Each process holds a lock on a file of its own beside the store. The system releases the lock when the process ends,
however it ends, and a process number that is used again cannot be mistaken for it. A lock says nothing about another
machine that shares the folder over a network, so an owner there counts as alive until its lease has run out.
"""

from __future__ import annotations

import fcntl
import os
import platform
import secrets
from pathlib import Path

_BOOT_ID = Path(
    "/proc/sys/kernel/random/boot_id"
)  # the same in all containers of a machine, until it restarts


class Owner:
    """This process as an owner of jobs; ``name`` identifies it in the store at ``path`` (None: a store in memory)."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._machine = _machine()
        token = secrets.token_hex(8)
        self.name = f"{self._machine}/{token}"
        self._lock: int | None = None
        if path is not None:
            self._lock = os.open(_lock_file(path, token), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    def is_dead(self, name: str) -> bool:
        """Return whether the owner of this name is known to have ended; False if that cannot be known."""
        machine, _, token = name.rpartition("/")
        if name == self.name or self._path is None or machine != self._machine:
            return False
        try:
            lock = os.open(_lock_file(self._path, token), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:  # deleted by whoever found it dead, or by itself
            return True
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        else:
            _lock_file(self._path, token).unlink(missing_ok=True)
            return True
        finally:
            os.close(lock)

    def close(self) -> None:
        """Release the lock and delete its file."""
        lock, self._lock = self._lock, None
        if lock is not None and self._path is not None:
            _lock_file(self._path, self.name.rpartition("/")[2]).unlink(missing_ok=True)
            os.close(lock)


def _lock_file(path: Path, token: str) -> Path:
    return path.with_name(f"{path.name}.{token}.lock")


def _machine() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return platform.node()
