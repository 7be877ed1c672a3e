"""Reads many files on Ray Data: one row a page, in parts that are written whole, so that a run can go on anywhere."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ocrsvc.errors import OcrError
from ocrsvc.machine import cpu
from ocrsvc.models.registry import Registry
from ocrsvc.scaleout import plan, rows
from ocrsvc.scaleout.block_reader import LoadLimits
from ocrsvc.scaleout.blocks import Block
from ocrsvc.scaleout.plan import PartFormat, Plan, Source
from ocrsvc.scaleout.stores import Store
from ocrsvc.scaleout.worker import Outcome, Work, Worker

if TYPE_CHECKING:
    from ocrsvc.settings import Settings

_BLOCKS_AT_ONCE = 4096  # of one pipeline: Ray keeps an object for each
_FRUITLESS_ROUNDS = 2  # after which blocks that come to nothing are given up
_STORE_BYTES = (
    128 * 2**20
)  # of Ray's memory for objects, in a Ray of our own: only names and counts go through it
_STARTS = 3  # of a Ray of our own, which gives up after 30 s, too early for a busy machine
# Ray would report to its makers, and give up on its own processes after 15 s of a busy machine.
_RAY_VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_agent_register_timeout_ms": "600000",
    "RAY_worker_register_timeout_seconds": "600",
}
_MOST_CORES = 4  # for one reader; see docs/bulk.md
# Settings that change what is read; all others change only how fast, or what is refused for its time.
_DECISIVE = (
    "model",
    "detector",
    "precision",
    "context",
    "enhance",
    "review_threshold",
    "pdf_dpi",
    "detector_side_pixels",
    "max_image_pixels",
    "max_pages",
    "max_page_lines",
    "max_request_lines",
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where a run takes place. ``address``: of a Ray cluster, as ``ray.init`` takes it; ``local`` for one of our own.

    ``cores`` of each reader and ``actors``, the most readers at once; None for what the cluster suggests.
    """

    address: str = "local"
    cores: int | None = None
    actors: int | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What is read and written, and how. ``options``: keywords of ReadOptions, as JSON has them."""

    source: Source
    results_url: str
    part_format: PartFormat
    settings: Settings = field(repr=False)
    options: Mapping[str, Any]
    limits: LoadLimits = field(default_factory=LoadLimits)
    retry_failed: bool = False


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run did. ``items`` of the plan, of which ``done_before`` were not read again, and ``failed`` in this run.

    ``pages``: rows with a page number that were written in this run.
    """

    items: int
    done_before: int
    pages: int
    failed: int


class BulkFailed(OcrError):
    """The run cannot go on; what has been written stays, and the same command goes on from there."""

    slug, title = "bulk-failed", "Bulk run failed"


def run(
    job: Job, cluster: Cluster, planned: Callable[[Plan, int], None], done: Callable[[Outcome], None]
) -> Summary:
    """Read everything that has no part yet; return when nothing is left.

    ``planned`` is called once with the plan and the number of items that are done already, ``done`` for each block.
    Raises OSError or InvalidParameter if the source or the results cannot be used, BulkFailed.
    """
    results = Store(job.results_url)
    before = plan.agree(results, job.source, _recipe(job), job.part_format)
    found = plan.find_new(job.source, before)
    if not before.blocks and not (found.files or found.groups):
        raise BulkFailed(f"There is no picture and no PDF in {job.source.url}.")
    if not (found.files or found.groups or job.retry_failed or before.unfinished(results)):
        planned(before, before.items)
        return Summary(before.items, before.items, 0, 0)
    with _connected(cluster):
        cores, actors = _size(cluster)
        made = plan.extend(results, before, found, actors=actors)
        work = Work(
            replace(job.source, url=Store(job.source.url).portable),
            results.portable,
            job.part_format,
            job.settings.model_dump(exclude_unset=True, exclude={"api_keys", "workers"}),
            job.options,
            cores,
            job.limits,
        )
        unfinished = made.unfinished(results)
        left: dict[int, tuple[Block, list[int] | None]] = {
            block.number: (block, None) for block in unfinished
        }
        if job.retry_failed:
            left |= _failed(made, results, {block.number for block in unfinished})
        wanted = sum(len(block) if only is None else len(only) for block, only in left.values())
        planned(made, made.items - wanted)
        pages = failed = fruitless = 0
        with _ledger() as ledger:
            while left:
                count = len(left)
                some = list(itertools.islice(left.values(), _BLOCKS_AT_ONCE))
                for outcome in _outcomes(some, work, ledger, cores=cores, actors=actors):
                    if outcome.trouble:
                        raise BulkFailed(outcome.trouble)
                    if left.pop(outcome.block, None) is not None:
                        pages, failed = pages + outcome.pages, failed + outcome.failed
                        done(outcome)
                fruitless = fruitless + 1 if len(left) == count else 0
                if fruitless == _FRUITLESS_ROUNDS:
                    raise BulkFailed(f"Ray lost {count} blocks again and again; its log says why.")
    return Summary(made.items, made.items - wanted, pages, failed)


def _recipe(job: Job) -> dict[str, Any]:
    """Return what the rows depend on, beside the source."""
    registry = Registry(job.settings)
    recognisers, detector = registry.spec(job.settings.model), registry.detector()
    settings = job.settings.model_dump(include=set(_DECISIVE), mode="json")
    return {
        **settings,
        **{f"option {name}": value for name, value in job.options.items()},
        "model": recognisers.name,
        "detector": detector.name,
        "weights": _digest({**recognisers.files, **{f"detector {k}": v for k, v in detector.files.items()}}),
    }


def _digest(files: Mapping[str, Any]) -> str:
    named = sorted((name, each.sha256) for name, each in files.items())
    return hashlib.sha256(repr(named).encode()).hexdigest()[:16]


def _failed(made: Plan, results: Store, unfinished: set[int]) -> dict[int, tuple[Block, list[int] | None]]:
    """Return the finished blocks of which items failed, with these items."""
    found: dict[int, tuple[Block, list[int] | None]] = {}
    for block in made.blocks:
        if block.number in unfinished:
            continue
        if items := rows.failed_in(results, made.part(block), made.part_format):
            found[block.number] = (block, items)
    return found


# --- Ray ---


@contextlib.contextmanager
def _connected(cluster: Cluster) -> Iterator[None]:
    """Connect to a cluster, or start Ray here, for the time of the block."""
    for name, value in _RAY_VARIABLES.items():
        os.environ.setdefault(name, value)
    try:
        import ray
    except ModuleNotFoundError as error:
        raise OcrError("Ray is not installed: pip install 'ocrsvc[ray]'") from error
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if cluster.address == "local":
        quiet |= {
            "num_cpus": cpu.inspect().effective,
            "object_store_memory": _STORE_BYTES,
            "include_dashboard": False,
        }
    for tried in range(_STARTS):
        try:
            ray.init(address=cluster.address, **quiet)
            break
        except Exception as error:  # Ray raises plain Exceptions here
            ray.shutdown()
            if cluster.address != "local" or tried == _STARTS - 1:
                text = " ".join(str(error).split())
                raise BulkFailed(f"Ray ({cluster.address}) cannot be used: {text}") from error
    try:
        yield
    finally:
        ray.shutdown()


def _size(cluster: Cluster) -> tuple[int, int]:
    """Return the cores of each reader and the number of readers."""
    import ray

    nodes = [int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]]
    nodes = [cpus for cpus in nodes if cpus]
    if not nodes:
        raise BulkFailed("No node of the Ray cluster has a CPU.")
    cores = cluster.cores or min(_MOST_CORES, *nodes)
    if cores > max(nodes):
        raise BulkFailed(f"No node of the Ray cluster has {cores} CPUs for one reader.")
    return cores, cluster.actors or sum(cpus // cores for cpus in nodes)


@contextlib.contextmanager
def _ledger() -> Iterator[Any]:
    """Yield the actor that keeps the ledger, on the node of this process."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from ocrsvc.scaleout.ledger import Ledger

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = (
        ray.remote(Ledger).options(num_cpus=0, max_restarts=-1, scheduling_strategy=here).remote(_node_lives)
    )
    try:
        yield actor
    finally:
        ray.kill(actor)


def _node_lives(node: str) -> bool:
    import ray

    return any(each["NodeID"] == node and each["Alive"] for each in ray.nodes())


def _outcomes(
    some: Sequence[tuple[Block, Sequence[int] | None]], work: Work, ledger: Any, *, cores: int, actors: int
) -> Iterator[Outcome]:
    """Yield the outcomes of blocks as they are done; a block that Ray loses has none."""
    import ray
    from ray.data import ActorPoolStrategy, DataContext

    context = DataContext.get_current()
    context.enable_progress_bars = False
    context.max_errored_blocks = -1
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    given = [
        {"block": block.encode(), "only": "" if only is None else json.dumps(list(only))}
        for block, only in some
    ]
    readers = min(actors, len(given))
    found = ray.data.from_items(given, override_num_blocks=len(given)).map_batches(
        Worker,
        fn_constructor_args=(work, ledger),
        batch_size=1,
        num_cpus=cores,
        compute=ActorPoolStrategy(
            min_size=1, max_size=readers, initial_size=readers, max_tasks_in_flight_per_actor=2
        ),
    )
    names = set(asdict(Outcome(0)))
    for row in found.iter_rows():
        yield Outcome(**{name: row[name] for name in names})
