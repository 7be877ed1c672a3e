"""A PostgreSQL cluster of one's own: in a temporary folder, on a free port, without rights of an administrator.

It is made with the programs of Debian's package ``postgresql``; no cluster that the machine has is touched.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psycopg
import serving

_PLACES = "/usr/lib/postgresql"  # Debian's, one folder for each version
_USER, _PASSWORD = "ocrsvc", "open/sesame@1"
_SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
port = {port}
max_connections = 60
shared_buffers = 32MB
fsync = off
log_min_messages = error
"""


class NoPostgres(Exception):
    """PostgreSQL's programs are not installed, or not to be used here."""


@dataclass(frozen=True)
class Cluster:
    """A running cluster. ``restart`` and ``stop`` are those of pg_ctl; ``user`` is whom its processes belong to."""

    folder: Path
    programs: Path
    port: int
    user: str | None

    def dsn(self, database: str = "postgres") -> str:
        """Return the address of a database."""
        password = _PASSWORD.replace("/", "%2F").replace("@", "%40")
        return f"postgresql://{_USER}:{password}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str) -> str:
        """Make a database and return its address."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{database}"')
        return self.dsn(database)

    def start(self) -> None:
        """Start it and return once it takes connections."""
        self._control("start")

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop it: ``immediate`` is a crash, from which the next start recovers."""
        self._control("stop", "-m", mode)

    def restart(self, mode: Literal["fast", "immediate"]) -> None:
        """Stop and start it."""
        self._control("restart", "-m", mode)

    def _control(self, *arguments: str) -> None:
        log = str(self.folder / "log")
        command = [
            str(self.programs / "pg_ctl"),
            "-D",
            str(self.folder / "data"),
            "-w",
            "-t",
            "120",
            "-l",
            log,
        ]
        # Not to a pipe: the server would keep it open.
        subprocess.run(
            [*command, *arguments], check=True, user=self.user, cwd=self.folder, stdout=subprocess.DEVNULL
        )


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """Make and start a cluster; it is gone at the end. Raises NoPostgres."""
    programs, user = _programs(), _user()
    # Not where tests have their folders, which other users may not enter.
    with tempfile.TemporaryDirectory(prefix="ocrsvc-postgres-", ignore_cleanup_errors=True) as name:
        made = Cluster(Path(name), programs, serving.free_port(), user)
        if user is not None:
            shutil.chown(made.folder, user)
        _initialise(made)
        made.start()
        try:
            yield made
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):
                made.stop("immediate")


def _initialise(made: Cluster) -> None:
    password = made.folder / "password"
    password.write_text(_PASSWORD)
    if made.user is not None:
        shutil.chown(password, made.user)
    command = [
        str(made.programs / "initdb"),
        "-D",
        str(made.folder / "data"),
        "-U",
        _USER,
        "-A",
        "scram-sha-256",
    ]
    command += [
        "--pwfile",
        str(password),
        "--encoding",
        "UTF8",
        "--locale",
        "C",
        "--no-sync",
        "--no-instructions",
    ]
    done = subprocess.run(command, user=made.user, cwd=made.folder, capture_output=True, text=True)
    if done.returncode:
        raise NoPostgres(f"initdb: {done.stderr.strip()[-500:]}")
    with (made.folder / "data" / "postgresql.conf").open("a") as settings:
        settings.write(_SETTINGS.format(port=made.port))


def _programs() -> Path:
    """Return the folder of the newest version's programs."""
    versions = sorted(Path(_PLACES).glob("*/bin/initdb"), key=lambda path: int(path.parts[-3].split(".")[0]))
    if versions:
        return versions[-1].parent
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    raise NoPostgres("no PostgreSQL: install postgresql")


def _user() -> str | None:
    """Return whom the cluster belongs to: PostgreSQL does not run as root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise NoPostgres("no user who is not root")
