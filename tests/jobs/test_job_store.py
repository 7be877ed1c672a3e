"""The job store: bounds, age, owners that die, files that cannot be used; and its promises on random histories."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from ocrsvc.documents.page_structure import with_blocks
from ocrsvc.errors import InvalidParameter, JobStoreFull, JobStoreUnavailable, NotFound
from ocrsvc.jobs import page_codec, rows
from ocrsvc.jobs.job import Limits, Order, new_id
from ocrsvc.jobs.place import Dsn, Place
from ocrsvc.jobs.store import LEASE_SECONDS, MOST_CRASHES, Store
from ocrsvc.jobs.store_thread import StoreThread
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.results import Alternative, Character, Document, Line, ModelId, Page

ORDER = Order(ReadOptions(mode="page", n_best=2), "json")
LIMITS = Limits(max_bytes=10_000, max_jobs=5, keep_seconds=100.0)
BOX = ((0.0, 0.0), (40.0, 0.5), (40.0, 10.0), (0.0, 10.0))


@dataclass
class Clock:
    """Seconds since 1970, as the test says."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "file", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    yield place_of_kind(request.param, request, tmp_path)
    assert not list(tmp_path.glob("*.lock"))


@pytest.fixture(params=["file", "postgres"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | Dsn]:
    """A place that several processes may share."""
    yield place_of_kind(request.param, request, tmp_path)  # type: ignore[misc]
    assert not list(tmp_path.glob("*.lock"))


def place_of_kind(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if kind == "postgres":
        return Dsn(request.getfixturevalue("new_database")())
    return tmp_path / "jobs.sqlite" if kind == "file" else None


@pytest.fixture
def store(place: Place, clock: Clock) -> Iterator[Store]:
    made = Store(place, LIMITS, clock=clock)
    yield made
    made.close()


def test_a_page_is_kept_as_it_was() -> None:
    alternatives = (Alternative("票", 0.5), Alternative("漂", 0.25))
    characters = (Character("票", 0.123456789, 0.0, 1.0, alternatives),)
    line = Line("票", 0.9, BOX, 3, characters, needs_review=True, free_text="漂", alternatives=alternatives)
    document = Document((line,), (Page(3, 40, 10, 2),), ModelId("crnn", "sha256:00"), {"decode": 1.25})
    assert page_codec.unpack(page_codec.pack(document)) == document
    structured = with_blocks(replace(document, layout="tables"))
    assert structured.blocks
    kept = page_codec.unpack(page_codec.pack(structured))
    assert kept == structured
    assert kept.blocks[0].lines[0] is kept.lines[0]  # not a second copy
    assert page_codec.unpack_order(page_codec.pack_order(ORDER)) == ORDER


def test_ids_cannot_be_guessed() -> None:
    ids = {new_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {len(each) for each in ids} == {24}


def test_the_life_of_a_job(store: Store, clock: Clock) -> None:
    added = store.add("a", ORDER, b"data")
    assert (added.state, added.created, added.input_bytes, added.order) == ("queued", clock.now, 4, ORDER)
    clock.now += 1
    claim = store.claim()
    assert claim is not None
    assert (claim.id, claim.order, claim.data, claim.known) == ("a", ORDER, b"data", frozenset())
    assert store.claim() is None
    assert store.opened("a", 2)
    assert store.put_page("a", 1, b"one")
    assert store.put_page("a", 2, None, rows.problem(InvalidParameter("torn")))
    running = store.get("a")
    assert (running.state, running.pages_total, running.pages_read, running.pages_failed) == (
        "running",
        2,
        1,
        1,
    )
    clock.now += 1
    assert store.finish("a")
    done = store.get("a")
    assert done.is_over
    assert (done.state, done.started, done.ended, done.input_bytes) == ("done", clock.now - 1, clock.now, 0)
    first, second = store.pages("a")
    assert (first.number, first.content, second.problem) == (
        1,
        b"one",
        rows.problem(InvalidParameter("torn")),
    )
    assert [page.number for page in store.pages("a", after=1)] == [2]
    assert [page.number for page in store.pages("a", count=1)] == [1]
    assert store.usage().jobs["done"] == 1
    clock.now += LIMITS.keep_seconds
    with pytest.raises(NotFound):
        store.get("a")
    store.sweep()
    assert store.usage().held_bytes == 0
    assert not store.remove("a")


def test_jobs_are_read_in_the_order_of_their_arrival(store: Store) -> None:
    for name in "cab":
        store.add(name, ORDER, b"data")
    assert [claim.id for claim in iter(store.claim, None)] == ["c", "a", "b"]


def test_a_job_that_failed_says_why(store: Store) -> None:
    store.add("a", ORDER, b"data")
    store.claim()
    assert store.finish("a", rows.problem(RuntimeError("secret")))
    failed = store.get("a")
    assert failed.state == "failed"
    assert failed.problem is not None
    assert (failed.problem["status"], "secret" in str(failed.problem)) == (500, False)


def test_a_password_is_forgotten_with_the_document(store: Store) -> None:
    store.add("a", Order(ReadOptions(password="open sesame"), "json"), b"data")  # noqa: S106
    claim = store.claim()
    assert claim is not None
    assert claim.order.options.password == "open sesame"  # noqa: S105
    store.finish("a")
    assert store.get("a").order == Order(ReadOptions(), "json")


def test_the_file_is_its_owner_s_alone(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    Store(path, LIMITS).close()
    assert path.stat().st_mode & 0o077 == 0


def test_what_a_page_was_is_returned_once(store: Store) -> None:
    store.add("a", ORDER, b"data")
    store.claim()
    assert store.unread("a") == []
    store.put_page("a", 1, b"one")
    store.put_page("a", 2, b"\x00\xfftwo")
    assert [page.content for page in store.unread("a")] == [b"one", b"\x00\xfftwo"]
    store.put_page("a", 3, None, {"title": "\x00 票"})
    assert [page.problem for page in store.unread("a")] == [{"title": "\x00 票"}]
    assert store.unread("a") == []


def test_a_document_is_kept_if_the_result_contains_it(store: Store, clock: Clock) -> None:
    order = Order(ReadOptions(password="open sesame"), "pdf", keep_document=True)  # noqa: S106
    for name in ("done", "failed", "other"):
        store.add(name, ORDER if name == "other" else order, b"data")
        store.claim()
        store.finish(name, {"title": "broken"} if name == "failed" else None)
    assert [store.document(name) for name in ("done", "failed", "other")] == [b"data", None, None]
    assert [store.get(name).input_bytes for name in ("done", "failed", "other")] == [4, 0, 0]
    assert store.get("done").order.options.password == "open sesame"  # noqa: S105
    assert store.get("failed").order.options.password is None
    clock.now += LIMITS.keep_seconds
    store.sweep()
    assert store.document("done") is None


def test_a_removed_job_is_nobody_s(store: Store) -> None:
    store.add("a", ORDER, b"data")
    store.claim()
    assert store.remove("a")
    assert store.renew(["a"]) == frozenset()
    assert not store.opened("a", 1)
    assert not store.put_page("a", 1, b"one")
    assert not store.finish("a")
    assert store.claim() is None


def test_a_released_job_is_taken_again_with_its_pages_known(store: Store) -> None:
    store.add("a", ORDER, b"data")
    store.claim()
    store.put_page("a", 3, b"three")
    for _ in range(2 * MOST_CRASHES):  # a shutdown is no crash
        store.release("a")
        claim = store.claim()
        assert claim is not None
        assert claim.known == {3}


def test_the_store_is_bounded(store: Store, clock: Clock) -> None:
    with pytest.raises(JobStoreFull, match="larger than the job store"):
        store.add("big", ORDER, bytes(8000))
    store.add("a", ORDER, bytes(7000))
    with pytest.raises(JobStoreFull) as refused:
        store.add("b", ORDER, bytes(1000))
    assert refused.value.retry_after_seconds >= 1
    store.claim()
    assert store.put_page("a", 1, bytes(2000))
    with pytest.raises(JobStoreFull):
        store.put_page("a", 2, bytes(2000))
    assert [page.number for page in store.pages("a")] == [1]
    store.finish("a")
    for name in "bcde":
        store.add(name, ORDER, b"data")
    with pytest.raises(JobStoreFull) as refused:
        store.add("f", ORDER, b"data")
    assert refused.value.retry_after_seconds == LIMITS.keep_seconds
    clock.now += LIMITS.keep_seconds
    store.add("f", ORDER, b"data")


def test_the_file_shrinks(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    store = Store(path, Limits(100 << 20, 5, 100.0))
    store.add("a", ORDER, os.urandom(8 << 20))
    store.remove("a")
    store.close()
    assert path.stat().st_size < 1 << 20


# --- several processes ---


def test_an_owner_whose_lease_has_run_out_loses_its_job(shared: Path | Dsn, clock: Clock) -> None:
    one, other = (Store(shared, LIMITS, clock=clock) for _ in range(2))
    one.add("a", ORDER, b"data")
    assert one.claim() is not None
    assert one.put_page("a", 1, b"one")
    clock.now += LEASE_SECONDS - 1
    assert one.renew(["a"]) == {"a"}
    clock.now += LEASE_SECONDS - 1
    assert other.claim() is None
    clock.now += 2
    claim = other.claim()
    assert claim is not None
    assert claim.known == {1}
    assert not one.put_page("a", 2, b"late")
    assert other.put_page("a", 2, b"two")
    one.close()
    other.close()


_CLAIM = """
import sys
from pathlib import Path
from ocrsvc.jobs.job import Limits
from ocrsvc.jobs.store import Store
store = Store(Path(sys.argv[1]), Limits(10_000, 5, 100.0))
claim = store.claim()
store.put_page(claim.id, 1, b"one")
print(claim.id, flush=True)
sys.stdin.read()
"""


def test_the_job_of_a_killed_process_is_taken_at_once(tmp_path: Path) -> None:
    path = tmp_path / "jobs.sqlite"
    store = Store(path, LIMITS)
    store.add("a", ORDER, b"data")
    with subprocess.Popen(
        [sys.executable, "-c", _CLAIM, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"a\n"
        assert store.claim() is None, "its owner lives"
        process.kill()
        process.wait()
        claim = store.claim()
    assert claim is not None
    assert claim.known == {1}
    assert [page.content for page in store.pages("a")] == [b"one"]
    store.close()
    assert not list(tmp_path.glob("*.lock"))


def test_a_document_that_kills_its_readers_fails(shared: Path | Dsn, clock: Clock) -> None:
    store = Store(shared, LIMITS, clock=clock)
    store.add("a", ORDER, b"data")
    for _ in range(MOST_CRASHES):
        assert store.claim() is not None
        clock.now += LEASE_SECONDS + 1
    assert store.claim() is None
    failed = store.get("a")
    assert failed.state == "failed"
    assert failed.problem is not None
    assert "ended 3 times" in failed.problem["detail"]
    store.close()


# --- files that cannot be used ---


@pytest.mark.parametrize("content", [b"this is no database, and longer than its header" * 100, None])
def test_a_file_that_is_no_store(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "jobs.sqlite"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(JobStoreUnavailable):
        Store(path, LIMITS)


def test_a_store_of_another_version(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "jobs.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(JobStoreUnavailable, match="another version"):
        Store(tmp_path / "jobs.sqlite", LIMITS)


def test_a_store_that_another_program_holds(tmp_path: Path) -> None:
    store = Store(tmp_path / "jobs.sqlite", LIMITS)
    store.wait_at_most(0.1)
    holder = sqlite3.connect(tmp_path / "jobs.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(JobStoreUnavailable, match="locked"):
        store.add("a", ORDER, b"data")
    holder.execute("ROLLBACK")
    holder.close()
    store.add("a", ORDER, b"data")
    store.close()


def test_calls_do_not_wait_for_a_lock_one_after_the_other(tmp_path: Path) -> None:
    """The first call waits for the other program; the next ones are refused at once, and the first success ends it."""
    path = tmp_path / "jobs.sqlite"

    async def run() -> float:
        thread = StoreThread(path, LIMITS)
        await thread.call(Store.add, "a", ORDER, b"data")
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        try:
            with pytest.raises(JobStoreUnavailable, match="locked by another"):
                await thread.call(Store.add, "b", ORDER, b"data")
            begun = time.monotonic()
            calls = [thread.call(Store.add, f"c{n}", ORDER, b"data") for n in range(50)]
            refused = await asyncio.gather(*calls, return_exceptions=True)
            seconds = time.monotonic() - begun
            assert {type(error) for error in refused} == {JobStoreUnavailable}
            assert (await thread.call(Store.get, "a")).state == "queued", "what only reads works"
            assert thread.failure is not None, "reading does not tell that the store can be written"
            holder.execute("ROLLBACK")
        finally:
            holder.close()
        await thread.call(Store.get, "a")
        assert thread.failure is None
        thread.close()
        return seconds

    assert asyncio.run(run()) < 20, "50 calls that wait take 40 seconds"


def test_a_job_that_could_not_be_given_back_is_taken_again(store: Store) -> None:
    store.add("a", ORDER, b"data")
    for _ in range(MOST_CRASHES + 1):  # nobody died
        claim = store.claim(running=())
        assert claim is not None
        assert claim.id == "a"
    assert store.claim(running=("a",)) is None


def test_a_page_is_stored_once(store: Store) -> None:
    """A change may have been made although the disk reported an error at its end."""
    store.add("a", ORDER, b"data")
    store.claim()
    assert store.put_page("a", 1, b"page")
    assert store.put_page("a", 1, b"page")
    assert (store.get("a").pages_read, store.get("a").result_bytes) == (1, 4)


# --- random histories ---


@dataclass
class Known:
    """What the model knows of a job."""

    pages: set[int] = field(default_factory=set)
    owner: int | None = None
    over: bool = False


class Histories(RuleBasedStateMachine):
    """Three processes on one store add, claim, read, release, remove, die and come late, in any order."""

    jobs = Bundle("jobs")
    processes = st.integers(0, 2)

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.place = self.new_place()
        self.clock = Clock()
        self.stores = [self.opened() for _ in range(3)]
        self.model: dict[str, Known] = {}
        self.leases: dict[str, float] = {}
        self.crashes: dict[str, int] = {}
        self.names = iter(range(10_000))

    def new_place(self) -> Path | Dsn:
        return Path(self.folder.name) / "jobs.sqlite"

    def opened(self) -> Store:
        limits = Limits(max_bytes=1 << 20, max_jobs=100, keep_seconds=1e9)
        return Store(self.place, limits, clock=self.clock)

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        self.folder.cleanup()

    @rule(target=jobs, process=processes)
    def add(self, process: int) -> str:
        name = str(next(self.names))
        self.stores[process].add(name, ORDER, b"data")
        self.model[name] = Known()
        return name

    @rule(process=processes)
    def claim(self, process: int) -> None:
        for name, known in self.model.items():  # what the death or lateness of its owner costs a job
            if known.owner is not None and self.leases[name] <= self.clock.now:
                known.owner = None
                self.crashes[name] = self.crashes.get(name, 0) + 1
            if self.crashes.get(name, 0) >= MOST_CRASHES:
                known.over = True
        claim = self.stores[process].claim()
        free = [name for name, known in self.model.items() if known.owner is None and not known.over]
        assert (claim.id if claim else None) == (free[0] if free else None)
        if claim:
            assert claim.known == self.model[claim.id].pages
            self.model[claim.id].owner = process
            self.leases[claim.id] = self.clock.now + LEASE_SECONDS

    @rule(job=jobs, process=processes, number=st.integers(1, 5))
    def put_page(self, job: str, process: int, number: int) -> None:
        known = self.model.get(job)
        if known and known.owner == process and number in known.pages:
            return  # a reader never reads a page that it knows
        stored = self.stores[process].put_page(job, number, b"%d" % number)
        assert stored == (known is not None and known.owner == process)
        if known and stored:
            known.pages.add(number)
            self.crashes[job] = 0

    @rule(job=jobs, process=processes)
    def finish(self, job: str, process: int) -> None:
        known = self.model.get(job)
        ended = self.stores[process].finish(job)
        assert ended == (known is not None and known.owner == process)
        if known and ended:
            known.owner, known.over = None, True

    @rule(job=jobs, process=processes)
    def release(self, job: str, process: int) -> None:
        self.stores[process].release(job)
        if (known := self.model.get(job)) and known.owner == process:
            known.owner = None

    @rule(job=consumes(jobs), process=processes)
    def remove(self, job: str, process: int) -> None:
        assert self.stores[process].remove(job) == (self.model.pop(job, None) is not None)

    @rule(process=processes)
    def renew(self, process: int) -> None:
        mine = {name for name, known in self.model.items() if known.owner == process}
        assert self.stores[process].renew([*self.model]) == mine
        self.leases |= dict.fromkeys(mine, self.clock.now + LEASE_SECONDS)

    @rule(process=processes)
    def die(self, process: int) -> None:
        """As kill -9 does: the lock is gone, and nothing was given back. Without locks only leases run out."""
        dying = self.stores[process]
        dying._database.close()
        lock, dying._owner._lock = dying._owner._lock, None
        if lock is not None:
            os.close(lock)
            for name, known in self.model.items():
                if known.owner == process:
                    self.leases[name] = 0.0
        self.stores[process] = self.opened()
        for known in self.model.values():
            if known.owner == process:
                known.owner = 99  # nobody: the new process is another owner

    @rule(seconds=st.sampled_from([1.0, LEASE_SECONDS / 2, LEASE_SECONDS + 1]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(target=jobs)
    def nothing(self) -> object:
        return multiple()

    @invariant()
    def no_page_is_lost(self) -> None:
        for name, known in getattr(self, "model", {}).items():
            assert {page.number for page in self.stores[0].pages(name)} == known.pages


SETTINGS = settings(
    max_examples=150,
    stateful_step_count=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
Histories.TestCase.settings = SETTINGS
TestHistories = Histories.TestCase


def test_histories_in_postgres(new_database: Callable[[], str]) -> None:
    """One database for all histories, emptied before each."""
    address = new_database()

    class InPostgres(Histories):
        def new_place(self) -> Dsn:
            with psycopg.connect(address) as connection:
                connection.execute("DROP SCHEMA IF EXISTS ocrsvc CASCADE")
            return Dsn(address)

    run_state_machine_as_test(InPostgres, settings=settings(SETTINGS, max_examples=25))
