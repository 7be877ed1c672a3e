"""What the job store needs of a database, and which database a place means.

The statements of the store are the same in SQLite and in PostgreSQL but for the parts that are attributes here.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol

from ocrsvc.jobs.place import Dsn, Place
from ocrsvc.jobs.sqlite_database import SqliteDatabase


class Rows(Protocol):
    """What a statement found or changed."""

    @property
    def rowcount(self) -> int:
        """Return how many rows were changed."""

    def fetchone(self) -> Any:
        """Return the next row, None if there is no other."""

    def fetchall(self) -> list[Any]:
        """Return all rows."""


class Database(Protocol):
    """An open database with the tables of the store; its methods raise JobStoreUnavailable.

    ``next_place`` is an expression for the place of a new job, ``for_update`` what keeps a selected row for this
    transaction, ``for_claim`` the same for a row of ``jobs`` that no other transaction has. ``clock`` is what time
    leases are measured with, in seconds since 1970; it is read in ``reading`` or ``transaction``, as ``execute`` is.
    """

    next_place: str
    for_update: str
    for_claim: str

    @property
    def clock(self) -> Callable[[], float]:
        """Return the clock that all processes of the store share."""

    def reading(self) -> AbstractContextManager[None]:
        """Run the block, which changes nothing."""

    def transaction(self) -> AbstractContextManager[None]:
        """Run the block as one change: nothing of it is kept if it raises."""

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> Rows:
        """Run a statement with ``?`` for each value."""

    def admit_alone(self) -> None:
        """Let only this transaction look how much room there is, until it ends."""

    def wait_at_most(self, seconds: float) -> None:
        """Set the longest wait for another process that writes; 0 tries once."""

    def check(self) -> None:
        """Raise JobStoreUnavailable if nothing can be written."""

    def free(self) -> None:
        """Give back the room of what has been deleted, if the database does not do so by itself."""

    def close(self) -> None:
        """Close it."""


def opened(place: Place, busy_seconds: float) -> Database:
    """Open the database at a place; ``busy_seconds`` is what ``wait_at_most`` sets. Raises JobStoreUnavailable."""
    if isinstance(place, Dsn):
        from ocrsvc.jobs.postgres_database import PostgresDatabase

        return PostgresDatabase(place, busy_seconds)
    return SqliteDatabase(place, busy_seconds)


def shared_file(place: Place) -> Path | None:
    """Return the file beside which owners hold locks; None where only leases tell that they have died."""
    return place if isinstance(place, Path) else None
