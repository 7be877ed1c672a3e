"""The SQLite file of the job store: its tables, how it is opened, and its errors as those of the service."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from ocrsvc.errors import JobStoreUnavailable

_VERSION = 1
_RETRY_SECONDS, _FULL_RETRY_SECONDS = 5, 60
_KEPT_LOG_BYTES = 16 << 20  # the log is cut to this size after a large input

# The input has a table of its own, because SQLite writes a whole row anew if one of its values changes.
_TABLES = """
CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    place INTEGER NOT NULL,         -- order of arrival
    state TEXT NOT NULL,
    orders TEXT NOT NULL,
    created REAL NOT NULL,
    started REAL,
    ended REAL,
    pages_total INTEGER,
    pages_read INTEGER NOT NULL DEFAULT 0,
    pages_failed INTEGER NOT NULL DEFAULT 0,
    problem TEXT,
    input_bytes INTEGER NOT NULL,
    result_bytes INTEGER NOT NULL DEFAULT 0,
    owner TEXT,                     -- of a running job
    lease_until REAL,
    crashes INTEGER NOT NULL DEFAULT 0  -- owners that died since the last page was stored
);
CREATE INDEX jobs_by_state ON jobs (state, place);
CREATE TABLE inputs (
    job TEXT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    content BLOB NOT NULL
);
CREATE TABLE pages (
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    content BLOB,                   -- the page, or
    problem TEXT,                   -- why it could not be read
    PRIMARY KEY (job, number)
);
"""
# Not in the first stores of this format, so it is made where it is missing.
_DELIVERED = """
CREATE TABLE IF NOT EXISTS delivered (
    job TEXT PRIMARY KEY REFERENCES jobs (id) ON DELETE CASCADE,
    number INTEGER NOT NULL         -- of the last page that Store.unread has returned
)
"""


class SqliteDatabase:
    """The store at ``path``, made at first use; None for one in memory. Raises JobStoreUnavailable.

    ``busy_seconds``: longest wait for another process that writes, until ``wait_at_most`` sets another one.
    """

    next_place = "(SELECT COALESCE(MAX(place), 0) + 1 FROM jobs)"
    for_update = for_claim = ""  # a transaction that writes is the only one

    def __init__(self, path: Path | None, busy_seconds: float) -> None:
        self._connection = _connected(path, busy_seconds)

    @property
    def clock(self) -> Callable[[], float]:
        """Return the clock of the machine, which all processes of one file share."""
        return time.time

    def reading(self) -> AbstractContextManager[None]:
        """Run the block, which changes nothing."""
        return translated()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block as one change: nothing of it is kept if it raises."""
        with translated(), _transaction(self._connection):
            yield

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """Run a statement with ``?`` for each value."""
        return self._connection.execute(statement, values)

    def admit_alone(self) -> None:
        """Nothing need be done: a transaction that writes is the only one."""

    def wait_at_most(self, seconds: float) -> None:
        """Set the longest wait for another process that writes; 0 tries once."""
        with translated():
            self._connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")

    def check(self) -> None:
        """Write the version again; raises JobStoreUnavailable if nothing can be written."""
        with self.transaction():
            _mark(self._connection)

    def free(self) -> None:
        """Give unused parts of the file back to the disk; no harm is done if another process is writing now."""
        try:
            # Not `execute`, which takes one step of a statement without rows, and frees one page.
            self._connection.executescript("PRAGMA incremental_vacuum")
        except sqlite3.OperationalError:
            return

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def _connected(path: Path | None, busy_seconds: float) -> sqlite3.Connection:
    try:
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            if (
                not path.exists()
            ):  # documents are nobody else's business; SQLite's other files get the same mode
                path.touch(mode=0o600)
    except OSError as error:
        raise JobStoreUnavailable(f"The job store cannot be made: {error.strerror}.") from error
    with translated():
        connection = sqlite3.connect(
            path or ":memory:", timeout=busy_seconds, isolation_level=None, check_same_thread=False
        )
    try:
        with translated():
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only before the first table
            _use_log(connection, busy_seconds)
            # A page that was stored survives the end of the process; only a power failure may lose the last ones.
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(f"PRAGMA journal_size_limit = {_KEPT_LOG_BYTES}")
            _make_tables(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _use_log(connection: sqlite3.Connection, busy_seconds: float) -> None:
    """Let readers and a writer work side by side; SQLite does not wait here for another process that does the same."""
    until = time.monotonic() + busy_seconds
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return


def _make_tables(connection: sqlite3.Connection) -> None:
    with _transaction(connection):  # also fails where the file cannot be written
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in (0, _VERSION):
            raise JobStoreUnavailable(
                f"The job store was written by another version of ocrsvc (format {version}, not {_VERSION})."
            )
        if version == 0:
            for statement in _TABLES.split(";")[:-1]:
                connection.execute(statement)
        connection.execute(_DELIVERED)
        _mark(connection)


def _mark(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA user_version = {_VERSION}")


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block as one change: nothing of it is kept if it raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite itself ends it if the disk is full
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raise SQLite's errors as JobStoreUnavailable, with what can be done about them."""
    try:
        yield
    except sqlite3.Error as error:
        code = (
            getattr(error, "sqlite_errorcode", 0) & 0xFF
        )  # the primary code; the rest tells where it happened
        if code == sqlite3.SQLITE_FULL:
            detail, seconds = "The disk of the job store is full; try again later.", _FULL_RETRY_SECONDS
        elif code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            detail, seconds = "The job store is locked by another program; try again later.", _RETRY_SECONDS
        elif code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            reason = "its disk is read-only, or the service may not write there"
            detail, seconds = f"The job store cannot be written: {reason}.", _RETRY_SECONDS
        else:
            detail, seconds = f"The job store cannot be used: {error}.", _RETRY_SECONDS
        raise JobStoreUnavailable(detail, retry_after_seconds=seconds) from error
