"""Jobs in a database: their inputs until they are read, each page as it is read, and who reads which job.

An input is kept longer if its order says so (``Order.keep_document``).

A job is queued, then running, then done or failed; removing it ends it in any state. A running job belongs to one
owner, which renews its lease. If the owner has died or the lease has run out, the next ``claim`` of any process
queues the job again; the pages that are stored are not read again. Every change is one transaction, and changes of a
job by its owner have no effect once it belongs to another or is gone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ocrsvc.errors import JobStoreFull, NotFound, OcrError
from ocrsvc.jobs import page_codec, rows
from ocrsvc.jobs.database import opened, shared_file
from ocrsvc.jobs.job import STATES, Claim, Job, Limits, Order, State
from ocrsvc.jobs.owner import Owner
from ocrsvc.jobs.place import Place

LEASE_SECONDS = 30.0
MOST_CRASHES = 3  # owners of a job that may die one after the other; the job itself may be what kills them
ADMITTED_SHARE = 0.75  # of the bytes; the rest is for the pages of jobs that have been admitted
NO_SUCH_JOB = "There is no such job: it was removed, or its time has passed."
_BUSY_SECONDS = 5.0  # for another process that writes
_SHORT_RETRY_SECONDS, _LONG_RETRY_SECONDS = 10, 600
_ALL = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Usage:
    """How many jobs there are in each state, and how many bytes all of them hold."""

    jobs: Mapping[State, int]
    held_bytes: int


class Store:
    """The jobs of one file, database or, if ``place`` is None, in memory. Only one thread at a time may call.

    ``clock`` returns seconds since 1970; by default it is the one that all processes of the store share. All methods
    block, and raise JobStoreUnavailable if the database cannot be used.
    """

    def __init__(
        self,
        place: Place,
        limits: Limits,
        *,
        clock: Callable[[], float] | None = None,
        busy_seconds: float = _BUSY_SECONDS,
    ) -> None:
        self._limits = limits
        self._database = opened(place, busy_seconds)
        self._clock = clock or self._database.clock
        try:
            self._owner = Owner(shared_file(place))
        except OSError as error:
            self._database.close()
            raise rows.unavailable(error) from error

    def close(self) -> None:
        """Close the database; jobs that still run are taken over by others, of a file at once."""
        self._database.close()
        self._owner.close()

    def wait_at_most(self, seconds: float) -> None:
        """Set the longest wait for another process that writes; 0 tries once."""
        self._database.wait_at_most(seconds)

    def check(self) -> None:
        """Raise JobStoreUnavailable if nothing can be written."""
        self._database.check()

    # --- clients ---

    def add(self, job: str, order: Order, data: bytes) -> Job:
        """Queue a job and return it; JobStoreFull if there is no room for it."""
        self.sweep()
        with self._database.transaction():
            self._check_room(len(data), jobs=1)  # before the document is sent to a database
            place = self._database.next_place
            self._database.execute(
                "INSERT INTO jobs (id, place, state, orders, created, input_bytes)"  # noqa: S608
                f" VALUES (?, {place}, 'queued', ?, ?, ?)",
                (job, page_codec.pack_order(order), self._clock(), len(data)),
            )
            self._database.execute("INSERT INTO inputs VALUES (?, ?)", (job, data))
            self._database.admit_alone()
            self._check_room(0, jobs=0)  # with what other processes have added meanwhile
            return rows.job(self._one(rows.SELECT_JOB, (job,)))

    def get(self, job: str) -> Job:
        """Return a job; NotFound if there is none of this id, or if it has been kept for its time."""
        with self._database.reading():
            row, now = self._one(rows.SELECT_JOB, (job,)), self._clock()
        found = rows.job(row) if row else None
        if found is None or (found.ended or math.inf) + self._limits.keep_seconds <= now:
            raise NotFound(NO_SUCH_JOB)
        return found

    def pages(self, job: str, after: int = 0, count: int = -1) -> list[rows.StoredPage]:
        """Return the stored pages with numbers above ``after``, ascending, at most ``count`` of them (-1: all)."""
        with self._database.reading():
            return self._pages(job, after, count)

    def unread(self, job: str) -> list[rows.StoredPage]:
        """Return the stored pages that an earlier call, of any process, has not returned."""
        with self._database.transaction():
            # One such call at a time.
            self._one("SELECT id FROM jobs WHERE id = ?" + self._database.for_update, (job,))  # noqa: S608
            row = self._one("SELECT number FROM delivered WHERE job = ?", (job,))
            found = self._pages(job, row[0] if row else 0)
            if found:
                self._database.execute(
                    "INSERT INTO delivered VALUES (?, ?) ON CONFLICT (job) DO UPDATE SET number = excluded.number",
                    (job, found[-1].number),
                )
        return found

    def document(self, job: str) -> bytes | None:
        """Return the input of a job; None if it is not kept any more."""
        with self._database.reading():
            row = self._one("SELECT content FROM inputs WHERE job = ?", (job,))
        return row[0] if row else None

    def remove(self, job: str) -> bool:
        """Delete a job with its input and pages; return whether there was one. Its owner finds out by ``renew``."""
        with self._database.transaction():
            removed = self._database.execute("DELETE FROM jobs WHERE id = ?", (job,)).rowcount
        self._database.free()
        return removed > 0

    # --- the owner of a job ---

    def claim(self, running: Collection[str] | None = None) -> Claim | None:
        """Take the first queued job, or one whose owner has died, for this process; None if there is none.

        ``running``: the jobs that this process reads now, if that is known. Others that it owns it could not give back,
        because the file could not be used: they are taken again.
        """
        with self._database.reading():
            if self._one("SELECT 1 FROM jobs WHERE state IN ('queued', 'running') LIMIT 1") is None:
                return None  # without the lock that other processes may want
        with self._database.transaction():
            self._take_over(running)
            row = self._one(
                "SELECT id, orders FROM jobs WHERE state = 'queued' ORDER BY place, id LIMIT 1"  # noqa: S608
                + self._database.for_claim
            )
            if row is None:
                return None
            job, order = row
            now = self._clock()
            self._database.execute(
                "UPDATE jobs SET state = 'running', owner = ?, lease_until = ?,"
                " started = COALESCE(started, ?) WHERE id = ?",
                (self._owner.name, now + LEASE_SECONDS, now, job),
            )
            known = self._database.execute("SELECT number FROM pages WHERE job = ?", (job,)).fetchall()
        data = self.document(job)  # not in the transaction, which other processes may wait for
        if data is None:  # removed in this moment
            return self.claim(running)
        return Claim(job, page_codec.unpack_order(order), data, frozenset(number for (number,) in known))

    def renew(self, jobs: Collection[str]) -> frozenset[str]:
        """Extend the leases of these jobs; return those that still belong to this process."""
        mine = []
        with self._database.transaction():
            for job in sorted(jobs):  # as in `_take_over`, so that no two processes wait for each other
                if self._change(job, "lease_until = ?", self._clock() + LEASE_SECONDS):
                    mine.append(job)
        return frozenset(mine)

    def opened(self, job: str, pages_total: int) -> bool:
        """Record how many pages a job has; return whether it still belongs to this process."""
        with self._database.transaction():
            return self._change(job, "pages_total = ?", pages_total)

    def put_page(
        self, job: str, number: int, content: bytes | None, problem: dict[str, Any] | None = None
    ) -> bool:
        """Store a page, or the problem of one; return whether the job still belongs to this process.

        Raises JobStoreFull if there is no room for it.
        """
        text = page_codec.pack_problem(problem) if problem is not None else None
        size = len(content or b"") + len((text or "").encode())
        with self._database.transaction():
            if self._held()[0] + size > self._limits.max_bytes:
                raise self._full(self._clock())
            if self._one("SELECT 1 FROM pages WHERE job = ? AND number = ?", (job, number)):
                return self._change(job, "crashes = 0")  # it was stored, although an error was reported
            if not self._change(
                job,
                "pages_read = pages_read + ?, pages_failed = pages_failed + ?,"
                " result_bytes = result_bytes + ?, crashes = 0",
                int(problem is None),
                int(problem is not None),
                size,
            ):
                return False
            self._database.execute("INSERT INTO pages VALUES (?, ?, ?, ?)", (job, number, content, text))
            return True

    def finish(self, job: str, problem: dict[str, Any] | None = None) -> bool:
        """End a job as done or, with a ``problem``, failed; return whether it was still ours.

        Its input is deleted, unless the job is done and its order wants it kept.
        """
        with self._database.transaction():
            ended = self._end(job, problem, self._owner.name)
        self._database.free()
        return ended

    def release(self, job: str) -> None:
        """Queue a job of this process again, for any process to take it at once."""
        with self._database.transaction():
            self._change(job, "state = 'queued', owner = NULL, lease_until = NULL")

    # --- upkeep ---

    def sweep(self) -> None:
        """Delete the jobs that have been kept for their time."""
        with self._database.transaction():
            old = self._clock() - self._limits.keep_seconds
            removed = self._database.execute("DELETE FROM jobs WHERE ended <= ?", (old,)).rowcount
        if removed:
            self._database.free()

    def usage(self) -> Usage:
        """Return how much the store holds."""
        with self._database.reading():
            found = dict(self._database.execute("SELECT state, COUNT(*) FROM jobs GROUP BY state").fetchall())
            held, _ = self._held()
        return Usage({state: found.get(state, 0) for state in STATES}, held)

    def _take_over(self, mine: Collection[str] | None) -> None:
        """Queue the jobs whose owners have died; a job that has outlived too many owners fails."""
        running = self._database.execute(
            "SELECT id, owner, lease_until, crashes FROM jobs WHERE state = 'running' ORDER BY id"
        ).fetchall()
        now = self._clock()
        for job, owner, lease_until, crashes in running:
            if mine is not None and owner == self._owner.name:
                if job not in mine:
                    self._requeue(job, owner, lease_until, crashes)
                continue
            if lease_until > now and not self._owner.is_dead(owner):
                continue
            if crashes + 1 >= MOST_CRASHES:
                error = OcrError(
                    f"The service ended {MOST_CRASHES} times while it read the same page of this document."
                )
                self._end(job, rows.problem(error), owner)
            else:
                self._requeue(job, owner, lease_until, crashes + 1)

    def _requeue(self, job: str, owner: str, lease_until: float, crashes: int) -> None:
        """Queue a job again, unless another process was first or its owner has renewed the lease."""
        self._database.execute(
            "UPDATE jobs SET state = 'queued', owner = NULL, lease_until = NULL, crashes = ?"
            " WHERE id = ? AND state = 'running' AND owner = ? AND lease_until = ?",
            (crashes, job, owner, lease_until),
        )

    def _end(self, job: str, problem: dict[str, Any] | None, owner: str) -> bool:
        text = page_codec.pack_problem(problem) if problem is not None else None
        ended = self._database.execute(
            "UPDATE jobs SET state = ?, problem = ?, ended = ?, owner = NULL, lease_until = NULL"
            " WHERE id = ? AND state = 'running' AND owner = ?",
            ("done" if problem is None else "failed", text, self._clock(), job, owner),
        ).rowcount
        if ended:
            order = page_codec.unpack_order(self._one("SELECT orders FROM jobs WHERE id = ?", (job,))[0])
            if problem is not None or not order.keep_document:
                self._forget(job, order)
        return ended > 0

    def _forget(self, job: str, order: Order) -> None:
        """Delete the input of a job, and its password, which is of no use without the document."""
        order = replace(order, options=replace(order.options, password=None))
        self._database.execute(
            "UPDATE jobs SET input_bytes = 0, orders = ? WHERE id = ?", (page_codec.pack_order(order), job)
        )
        self._database.execute("DELETE FROM inputs WHERE job = ?", (job,))

    def _change(self, job: str, change: str, *values: object) -> bool:
        """Change a job of this process; return whether it is one. ``change`` is text of this module."""
        statement = f"UPDATE jobs SET {change} WHERE id = ? AND state = 'running' AND owner = ?"  # noqa: S608
        return self._database.execute(statement, (*values, job, self._owner.name)).rowcount > 0

    def _one(self, statement: str, values: tuple[object, ...] = ()) -> Any:
        return self._database.execute(statement, values).fetchone()

    def _pages(self, job: str, after: int, count: int = -1) -> list[rows.StoredPage]:
        found = self._database.execute(
            "SELECT number, content, problem FROM pages WHERE job = ? AND number > ? ORDER BY number LIMIT ?",
            (job, after, count if count >= 0 else _ALL),
        ).fetchall()
        return [rows.page(row) for row in found]

    def _held(self) -> tuple[int, int]:
        """Return the bytes and the number of all jobs."""
        held, count = self._one("SELECT CAST(SUM(input_bytes + result_bytes) AS BIGINT), COUNT(*) FROM jobs")
        return held or 0, count

    def _check_room(self, more_bytes: int, *, jobs: int) -> None:
        """Raise JobStoreFull unless there is room for a document and its job beside all others."""
        held, count = self._held()
        most = int(self._limits.max_bytes * ADMITTED_SHARE)
        if count + jobs > self._limits.max_jobs or held + more_bytes > most:
            raise self._full(self._clock(), alone=more_bytes > most)

    def _full(self, now: float, *, alone: bool = False) -> JobStoreFull:
        if alone:
            return JobStoreFull(
                "The document is larger than the job store may be; send it to /api/ocr, or in parts.",
                retry_after_seconds=_LONG_RETRY_SECONDS,
            )
        (first,) = self._one("SELECT MIN(ended) FROM jobs")
        wait = _SHORT_RETRY_SECONDS if first is None else math.ceil(first + self._limits.keep_seconds - now)
        return JobStoreFull(
            "The service keeps as many jobs as it may; fetch results and delete their jobs, or try again later.",
            retry_after_seconds=max(1, min(wait, _LONG_RETRY_SECONDS)),
        )
