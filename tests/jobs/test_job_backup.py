"""A backup of the job store while it is in use, as docs/operations.md describes it."""

from __future__ import annotations

import re
import shlex
import shutil
import sqlite3
import subprocess
from pathlib import Path

import psycopg
import pytest
from postgres_cluster import Cluster

from ocrsvc.jobs.job import Limits, Order, new_id
from ocrsvc.jobs.place import Dsn
from ocrsvc.jobs.store import Store
from ocrsvc.reading.reading import ReadOptions

LIMITS = Limits(max_bytes=1 << 20, max_jobs=10, keep_seconds=3600)
PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text("utf-8")
COMMANDS = re.findall(r'^sqlite3 (\S+) "(.+)"$', PAGE, re.MULTILINE)


def run(path: Path, command: str) -> str:
    """Run a command of the shell ``sqlite3``, or what it does where the shell is not installed."""
    if shell := shutil.which("sqlite3"):
        return subprocess.run(
            [shell, str(path), command], check=True, capture_output=True, text=True
        ).stdout.strip()
    connection = sqlite3.connect(path)
    try:
        if target := re.match(r"\.backup '(.+)'", command):
            with sqlite3.connect(target[1]) as copy:
                connection.backup(copy)
            copy.close()
            return ""
        return str(connection.execute(command).fetchone()[0])
    finally:
        connection.close()


@pytest.mark.parametrize("busy", [False, True])
def test_a_backup_is_a_whole_store(tmp_path: Path, *, busy: bool) -> None:
    path, copy = tmp_path / "jobs.sqlite", tmp_path / "copy.sqlite"
    store = Store(path, LIMITS)
    job = new_id()
    store.add(job, Order(ReadOptions(), "json"), b"a document")
    if busy:
        assert store.claim() is not None
    (_, backup), (_, check) = COMMANDS
    run(path, backup.replace("/backup/jobs.sqlite", str(copy)))
    assert run(copy, check) == "ok"
    store.add(new_id(), Order(ReadOptions(), "json"), b"too late for the copy")
    store.close()
    restored = Store(copy, LIMITS)
    assert restored.get(job).input_bytes == len(b"a document")
    claim = restored.claim()
    assert claim is not None
    assert claim.data == b"a document"
    assert restored.claim() is None
    restored.close()


def test_a_backup_of_postgres(postgres: Cluster, tmp_path: Path) -> None:
    address = postgres.create("saved")
    store = Store(Dsn(address), LIMITS)
    store.add("a", Order(ReadOptions(), "json"), b"a document")
    dump, restore = re.findall(r"^pg_\w+ --.+$", PAGE, re.MULTILINE)
    for command in (dump, restore):
        words = command.replace("$OCRSVC_JOBS_DSN", address).replace("/backup", str(tmp_path))
        program, *arguments = shlex.split(words)
        subprocess.run([postgres.programs / program, *arguments], check=True, capture_output=True)
        if command == dump:
            store.add("b", Order(ReadOptions(), "json"), b"too late for the copy")
            with psycopg.connect(address) as admin:
                admin.execute("UPDATE ocrsvc.jobs SET state = 'failed'")
    claim = store.claim()
    assert claim is not None
    assert (claim.id, claim.data) == ("a", b"a document")
    assert store.claim() is None
    store.close()
