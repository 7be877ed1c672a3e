"""``ocrsvc serve``: runs the HTTP service and its page."""

from __future__ import annotations

import argparse
import contextlib
import logging.config
import os
import socket
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ocrsvc.commands import arguments
from ocrsvc.diagnosis import configuration

if TYPE_CHECKING:
    from ocrsvc.machine.processes import Place
    from ocrsvc.service.process_group import ProcessGroup
    from ocrsvc.settings import Settings

logger = logging.getLogger("ocrsvc")

_LAST_PORT = 65_535

EPILOG = """\
examples:
  ocrsvc serve                             http://127.0.0.1:8000, all cores
  OCRSVC_API_KEYS_FILE=keys ocrsvc serve --host 0.0.0.0   reachable from other machines, with a key
  ocrsvc serve --workers 4                 at most four threads for models
  ocrsvc serve --processes-per-numa-node   a process for each NUMA node (docs/scaling.md)

All other settings are OCRSVC_* variables (docs/settings.md). On SIGTERM the service finishes accepted requests
and exits; at a second signal it exits at once. Exit statuses: docs/operations.md.
"""


def add_parser(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "serve",
        help="run the HTTP service and its page",
        description="Run the HTTP service and its page until SIGTERM or Ctrl-C.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--host", help="address to listen on (default: OCRSVC_HOST or 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port, 0 for a free one (default: OCRSVC_PORT or 8000)")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="threads that run models (default: one for each core)"
    )
    parser.add_argument("--model", metavar="NAME", help="default recogniser, or a path to a model folder")
    arguments.add_detector(parser)
    arguments.add_providers(parser)
    parser.add_argument(
        "--processes-per-numa-node",
        type=_count,
        nargs="?",
        const=1,
        metavar="N",
        help="run N processes (default: 1) on each NUMA node, each on its own CPUs, behind one port",
    )
    parser.set_defaults(run=run, jobs_path=None, metrics_port=None)


def run(options: argparse.Namespace) -> int:
    """Serve until a signal arrives; return the exit status."""
    if options.processes_per_numa_node:
        return _several(options)
    return _serve(options)


def _serve(
    options: argparse.Namespace,
    sockets: Sequence[socket.socket] = (),
    group: ProcessGroup | None = None,
) -> int:
    settings = configuration.load(
        host=options.host,
        port=options.port,
        workers=options.workers,
        model=options.model,
        detector=options.detector,
        providers=options.providers,
        jobs_path=options.jobs_path,
        metrics_port=options.metrics_port,
    )
    open_to_all = _check_access(settings)
    _check_jobs(settings)
    if not sockets:  # fails early, before models are loaded, if another service has the port
        _bound(settings.host, settings.port).close()
    if settings.metrics_port:
        _bound(settings.host, settings.metrics_port).close()
    from ocrsvc.service.logs import configuration as logging_configuration
    from ocrsvc.service.server import serve

    logging.config.dictConfig(logging_configuration(settings.log_level, settings.log_format))
    for warning in configuration.unknown_variables():
        logger.warning(warning)
    if open_to_all:
        logger.warning(
            "anybody who reaches this port may use the service: there is no API key",
            extra={"host": settings.host},
        )
    serve(settings, sockets, group)
    return 0


def _check_access(settings: Settings) -> bool:
    """Return whether other machines need no API key; raise InvalidSettings unless the settings allow that."""
    from ocrsvc.service.access import is_loopback
    from ocrsvc.service.api_keys import ApiKeys, WrongKey

    try:
        keys = ApiKeys.of(settings)
    except WrongKey as error:
        variable = "OCRSVC_API_KEYS_FILE" if settings.api_keys_file else "OCRSVC_API_KEYS"
        raise configuration.InvalidSettings(f"{variable}: {error}") from error
    if keys.required or is_loopback(settings.host):
        return False
    if not settings.allow_anonymous:
        raise configuration.InvalidSettings(
            f"OCRSVC_HOST: {settings.host} lets other machines in without a key: set OCRSVC_API_KEYS or "
            "OCRSVC_API_KEYS_FILE, or OCRSVC_ALLOW_ANONYMOUS=true if anybody who reaches the port may use it"
        )
    return True


def _check_jobs(settings: Settings) -> None:
    """Raise InvalidSettings unless the settings name one place for jobs; whether it can be used shows later."""
    from ocrsvc.jobs.place import WrongPlace, place_of

    try:
        place_of(settings)
    except WrongPlace as error:
        raise configuration.InvalidSettings(str(error)) from error


def _several(options: argparse.Namespace) -> int:
    """Open a shared port and, after it, one port for each process; run the processes until they have ended."""
    if not hasattr(os, "sched_setaffinity"):
        raise configuration.InvalidSettings("--processes-per-numa-node: only Linux binds processes to CPUs")
    settings = configuration.load(host=options.host, port=options.port, workers=options.workers)
    _check_access(settings)
    _check_jobs(settings)
    from ocrsvc.machine import processes
    from ocrsvc.service.logs import configuration as logging_configuration

    try:
        places = processes.places(options.processes_per_numa_node, workers=settings.workers)
    except ValueError as error:
        raise configuration.InvalidSettings(f"--processes-per-numa-node: {error}") from error
    if settings.port + len(places) > _LAST_PORT:
        raise configuration.InvalidSettings(
            f"--processes-per-numa-node: {len(places)} processes need the {len(places)} ports after {settings.port}"
        )
    logging.config.dictConfig(logging_configuration(settings.log_level, settings.log_format))
    _bound(settings.host, settings.port).close()  # fails if another service has the port
    shared = _bound(settings.host, settings.port, reuse=True)
    ports = (settings.port and settings.port + 1 + index for index in range(len(places)))
    own = [_bound(settings.host, port, reuse=True) for port in ports]
    logger.info("running on %s", _url(shared), extra={"processes": [_url(each) for each in own]})
    from ocrsvc.service.process_group import ProcessGroup

    port = shared.getsockname()[1]
    with _shared_jobs(settings) as options.jobs_path, _shared_folder() as folder:
        works = []
        for number, (place, each) in enumerate(zip(places, own, strict=True)):
            chosen = argparse.Namespace(**vars(options))
            if settings.metrics_port:
                chosen.metrics_port = settings.metrics_port + number
            addresses = [shared.getsockname()[:2], each.getsockname()[:2]]
            group = ProcessGroup(folder, number, len(places), port)
            works.append((place, partial(_serve_one, chosen, place, addresses, group)))
        return processes.Processes(works, grace_seconds=settings.drain_seconds).run()


@contextlib.contextmanager
def _shared_jobs(settings: Settings) -> Iterator[Path | None]:
    """Yield the path of the job store that all processes share, because any of them may be asked for a job.

    Without a setting it is a temporary file, so that jobs are lost at the end, as those in memory are. None if the
    jobs are in a database.
    """
    if settings.jobs_path or settings.jobs_dsn or settings.jobs_dsn_file:
        yield settings.jobs_path
        return
    try:
        folder = tempfile.TemporaryDirectory(prefix="ocrsvc-jobs-", ignore_cleanup_errors=True)
    except OSError as error:
        logger.warning("no folder for the jobs: set OCRSVC_JOBS_PATH", extra={"cause": error.strerror})
        yield Path(os.devnull, "jobs.sqlite")  # POST /api/jobs answers 503
        return
    with folder as name:
        yield Path(name, "jobs.sqlite")


@contextlib.contextmanager
def _shared_folder() -> Iterator[Path]:
    """Yield a folder in which the processes hand each other their metrics."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="ocrsvc-", ignore_cleanup_errors=True)
    except OSError as error:
        logger.warning("no folder for the metrics of all processes", extra={"cause": error.strerror})
        yield Path(os.devnull)  # each process then gives its own, and says that the others are not up
        return
    with folder as name:
        yield Path(name)


def _serve_one(
    options: argparse.Namespace,
    place: Place,
    addresses: Sequence[tuple[str, int]],
    group: ProcessGroup,
) -> None:
    """Serve in one process on the CPUs of its place."""
    from ocrsvc.commands.exit_status import status_of

    options.workers = place.workers
    sockets = [_bound(host, port, reuse=True) for host, port in addresses]
    raise SystemExit(status_of(lambda: _serve(options, sockets, group)))


def _bound(host: str, port: int, *, reuse: bool = False) -> socket.socket:
    """Return a socket bound to the port, not listening yet; ``reuse`` lets other such sockets share the port.

    The kernel then spreads connections evenly over the listening sockets. (If two processes share one socket, the first
    to wake up accepts all waiting connections: one of them got 4 of 5.)
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise OSError(error.errno, error.strerror, host) from error
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        bound.bind(address)
    except OSError as error:
        raise OSError(error.errno, error.strerror, f"{host}:{port}") from error
    return bound


def _url(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _count(value: str) -> int:
    if not value.isdecimal() or not 1 <= int(value) <= 64:
        raise argparse.ArgumentTypeError(f"must be 1 to 64, not {value!r}")
    return int(value)
