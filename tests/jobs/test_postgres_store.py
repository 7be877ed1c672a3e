"""What the job store does in PostgreSQL alone: many processes at once, lost connections, refusals, its clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg
import pytest
from postgres_cluster import Cluster

from ocrsvc.diagnosis import doctor
from ocrsvc.errors import JobStoreFull, JobStoreUnavailable
from ocrsvc.jobs.job import Limits, Order
from ocrsvc.jobs.place import Dsn
from ocrsvc.jobs.store import Store
from ocrsvc.reading.reading import ReadOptions
from ocrsvc.settings import Settings

ORDER = Order(ReadOptions(), "json")
LIMITS = Limits(max_bytes=100_000, max_jobs=50, keep_seconds=100.0)
PASSWORDS = ("open/sesame@1", "open%2Fsesame%401")


@pytest.fixture
def address(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def store(address: str) -> Iterator[Store]:
    with closing(Store(Dsn(address), LIMITS)) as made:
        yield made


@pytest.fixture
def admin(address: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(address, autocommit=True) as connection:
        yield connection


def test_several_processes_make_the_tables_at_once(address: str, admin: psycopg.Connection) -> None:
    stores = [Store(Dsn(address), LIMITS) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(Store.usage, stores))
    for store in stores:
        store.close()
    assert admin.execute("SELECT version FROM ocrsvc.format").fetchall() == [(1,)]


def test_each_job_is_claimed_once_and_the_bounds_hold(address: str) -> None:
    """Eight processes add and claim at the same time."""
    stores = [Store(Dsn(address), LIMITS, busy_seconds=30) for _ in range(8)]
    refused: list[str] = []

    def add(place: int) -> None:
        for number in range(12):
            try:
                stores[place].add(f"{place}-{number}", ORDER, bytes(2000))
            except JobStoreFull:
                refused.append(f"{place}-{number}")

    def claim(place: int) -> list[str]:
        return [claim.id for claim in iter(stores[place].claim, None)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
        usage = stores[0].usage()
        claimed = [job for jobs in pool.map(claim, range(8)) for job in jobs]
    for store in stores:
        store.close()
    assert usage.held_bytes == 2000 * 37, "37 documents are three quarters of the bytes"
    assert len(refused) == 8 * 12 - 37
    assert len(claimed) == len(set(claimed)) == 37


def test_the_clock_is_the_database_s(
    store: Store, address: str, monkeypatch: pytest.MonkeyPatch, admin: psycopg.Connection
) -> None:
    """A process whose clock is wrong takes nobody's job."""
    store.add("a", ORDER, b"data")
    assert store.claim() is not None
    monkeypatch.setattr(time, "time", lambda: 4e9)
    with closing(Store(Dsn(address), LIMITS)) as other:
        assert other.claim() is None
        other.sweep()
    assert store.renew(["a"]) == {"a"}
    (behind,) = admin.execute(
        "SELECT extract(epoch FROM now())::float8 - created FROM ocrsvc.jobs"
    ).fetchall()
    assert 0 <= behind[0] < 3600


def cut(admin: psycopg.Connection) -> None:
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ocrsvc'")


def test_a_connection_that_is_lost_at_rest_is_opened_again(store: Store, admin: psycopg.Connection) -> None:
    store.add("a", ORDER, b"data")
    cut(admin)
    assert store.get("a").state == "queued"
    claim = store.claim()
    cut(admin)
    assert claim is not None
    assert store.put_page("a", 1, b"one"), "it is still the same owner"


def test_nothing_is_kept_of_a_change_that_lost_its_connection(
    store: Store, admin: psycopg.Connection
) -> None:
    store.add("a", ORDER, b"data")

    def change() -> None:
        with store._database.transaction():
            store._database.execute("DELETE FROM jobs")
            cut(admin)
            store._database.execute("DELETE FROM inputs")

    with pytest.raises(JobStoreUnavailable, match="closed the connection"):
        change()
    assert store.document("a") == b"data"


def test_a_database_that_has_gone_is_asked_once_a_second(postgres: Cluster, address: str) -> None:
    with closing(Store(Dsn(address), LIMITS)) as store:
        store.add("a", ORDER, b"data")
        postgres.stop()
        try:
            begun = time.monotonic()
            for _ in range(100):
                with pytest.raises(JobStoreUnavailable, match="cannot be reached") as refused:
                    store.get("a")
            assert time.monotonic() - begun < 60
            assert refused.value.extra["retry_after_seconds"] >= 1
        finally:
            postgres.start()
        while True:
            try:
                assert store.get("a").state == "queued"
                break
            except JobStoreUnavailable:
                time.sleep(0.1)


def test_another_program_holds_the_tables(store: Store, address: str) -> None:
    store.add("a", ORDER, b"data")
    store.wait_at_most(0.1)
    with psycopg.connect(address) as holder:
        holder.execute("LOCK TABLE ocrsvc.jobs")
        with pytest.raises(JobStoreUnavailable, match="locked by another program"):
            store.add("b", ORDER, b"data")
    store.add("b", ORDER, b"data")


def test_a_store_of_another_version(store: Store, address: str, admin: psycopg.Connection) -> None:
    store.usage()
    admin.execute("UPDATE ocrsvc.format SET version = 99")
    with (
        closing(Store(Dsn(address), LIMITS)) as other,
        pytest.raises(JobStoreUnavailable, match="another version"),
    ):
        other.usage()


def test_a_refusal_is_told_without_names_to_clients_and_without_passwords_to_anybody(
    address: str, admin: psycopg.Connection
) -> None:
    host, _, _ = address.rpartition("/")
    port = host.rpartition(":")[2]
    admin.execute("DROP ROLE IF EXISTS poor")
    admin.execute("CREATE ROLE poor LOGIN PASSWORD 'open/sesame@1'")
    cases = {
        address.replace("%401@", "%402@"): "refuses the user or the password",
        address.replace("//ocrsvc:", "//nobody:"): "refuses the user or the password",
        f"{host}/nowhere": "there is no such database",
        address.replace(port, "1"): "cannot be reached",
        address.replace("127.0.0.1", "nowhere.invalid"): "cannot be reached",
        address.replace("//ocrsvc:", "//poor:"): "lacks rights",
    }
    for wrong, expected in cases.items():
        with closing(Store(Dsn(wrong), LIMITS)) as store, pytest.raises(JobStoreUnavailable) as refused:
            store.usage()
        assert expected in refused.value.detail
        assert "127.0.0.1" not in refused.value.detail
        check = doctor.jobs(Settings(jobs_dsn=wrong))
        assert check.status == "problem"
        for text in (refused.value.detail, refused.value.cause, repr(check)):
            assert not any(password in text for password in PASSWORDS)
            assert "\n" not in text
    assert doctor.jobs(Settings(jobs_dsn=address)).status == "ok"


def test_a_user_without_the_right_to_make_tables_uses_those_that_are_there(
    store: Store, address: str, admin: psycopg.Connection
) -> None:
    store.usage()
    admin.execute("DROP ROLE IF EXISTS plain")
    admin.execute("CREATE ROLE plain LOGIN PASSWORD 'open/sesame@1'")
    admin.execute("GRANT USAGE ON SCHEMA ocrsvc TO plain")
    admin.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ocrsvc TO plain")
    with closing(Store(Dsn(address.replace("//ocrsvc:", "//plain:")), LIMITS)) as other:
        other.add("a", ORDER, b"data")
        other.check()
        assert other.claim() is not None
    admin.execute("DROP OWNED BY plain")
