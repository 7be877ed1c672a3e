"""Where jobs are kept: in memory, in a file of SQLite, or in PostgreSQL, whose password no text of ours shows."""

from __future__ import annotations

import re
from pathlib import Path

from ocrsvc.settings import Settings

_SCHEMES = ("postgresql://", "postgres://")
_MOST_FILE_BYTES = 64 * 1024
_HOST = re.compile(r"(/[^@]*|[A-Za-z0-9._:-]*)(,(/[^@]*|[A-Za-z0-9._:-]*))*")
_PORT = re.compile(r"\d*(,\d*)*")


class WrongPlace(ValueError):
    """The settings name no place for jobs; the message names the variable and never what it contains."""


class Dsn:
    """The address of a PostgreSQL database, with the user and perhaps the password, from a setting or a file.

    ``str`` gives the host and the database alone. A file is read again for each connection, so that a password may
    change. Raises WrongPlace.
    """

    def __init__(self, text: str = "", path: Path | None = None) -> None:
        self._text = text
        self._path = path
        parameters = self.parameters()
        host, port = parameters.get("host", "localhost"), parameters.get("port")
        database = parameters.get("dbname", "")
        self._shown = f"postgresql://{host}{f':{port}' if port else ''}/{database}"

    def __str__(self) -> str:
        return self._shown

    def __repr__(self) -> str:
        return f"Dsn({self._shown})"

    def parameters(self) -> dict[str, str]:
        """Return libpq's parameters; WrongPlace if there are none, in words that contain nothing of the address."""
        variable = "OCRSVC_JOBS_DSN_FILE" if self._path else "OCRSVC_JOBS_DSN"
        text = _read(self._path) if self._path else self._text.strip()
        if not text.startswith(_SCHEMES):
            raise WrongPlace(f"{variable}: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
        try:
            from psycopg import ProgrammingError
            from psycopg.conninfo import conninfo_to_dict
        except ImportError as error:
            raise WrongPlace(
                f"{variable}: psycopg is not installed: pip install 'ocrsvc[postgres]'"
            ) from error
        hint = "characters such as @ : / % in a password are written %40 %3A %2F %25"
        try:
            found = {name: str(value) for name, value in conninfo_to_dict(text).items()}
        except (ProgrammingError, UnicodeError):
            # Its message has parts of the address, which a traceback would show.
            raise WrongPlace(f"{variable}: no valid address of a database ({hint})") from None
        # What stands in a wrong place may be a part of the password.
        odd = not _HOST.fullmatch(found.get("host", "")) or not _PORT.fullmatch(found.get("port", ""))
        if odd or "@" in found.get("dbname", ""):
            raise WrongPlace(f"{variable}: no valid address of a database ({hint})")
        return found


Place = Path | Dsn | None  # None: memory


def place_of(settings: Settings) -> Place:
    """Return where the settings keep jobs; raises WrongPlace."""
    named = {
        "OCRSVC_JOBS_PATH": settings.jobs_path,
        "OCRSVC_JOBS_DSN": settings.jobs_dsn,
        "OCRSVC_JOBS_DSN_FILE": settings.jobs_dsn_file,
    }
    given = [name for name, value in named.items() if value is not None]
    if len(given) > 1:
        raise WrongPlace(
            f"{given[0]}: jobs are kept in one place, and {' and '.join(given[1:])} is set as well"
        )
    if settings.jobs_dsn is not None:
        return Dsn(settings.jobs_dsn.get_secret_value())
    if settings.jobs_dsn_file is not None:
        return Dsn(path=settings.jobs_dsn_file)
    if str(settings.jobs_path).startswith(("postgres:", "postgresql:")):
        raise WrongPlace("OCRSVC_JOBS_PATH: the address of a database goes into OCRSVC_JOBS_DSN")
    return settings.jobs_path


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_FILE_BYTES).decode("utf-8", "replace").strip()
    except OSError as error:
        raise WrongPlace(f"OCRSVC_JOBS_DSN_FILE: {path}: {error.strerror}") from error
