"""Checks of ``ocrsvc doctor``: whether this machine is set up well, and what to do if not.

The checks cover the processor as available to this process, the models' files against their hashes and, last, reading
a generated picture with the settings in force.
"""

from __future__ import annotations

import asyncio
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Literal

from ocrsvc import __version__
from ocrsvc.diagnosis import explanation
from ocrsvc.diagnosis.configuration import Sourced
from ocrsvc.errors import CorruptModel, JobStoreUnavailable, OcrError
from ocrsvc.jobs.job import Limits
from ocrsvc.jobs.place import Dsn, WrongPlace, place_of
from ocrsvc.jobs.store import Store
from ocrsvc.jobs.store_thread import StoreThread
from ocrsvc.machine.cpu import Cpu
from ocrsvc.models import ppocr
from ocrsvc.models.manifest import Manifest
from ocrsvc.models.registry import Registry
from ocrsvc.settings import Settings
from ocrsvc.text import fold

if TYPE_CHECKING:
    from ocrsvc.reading.reader import Reader
    from ocrsvc.reading.reading import ReadOptions

Status = Literal["ok", "warning", "problem"]

SELF_TEST_LINE = "OCR 2026"
SELF_TEST_PAGE = ("Invoice 1047", "Total 58.20")


@dataclass(frozen=True, slots=True)
class Check:
    """Result of one check: what was found, and advice if it is not ok."""

    name: str
    status: Status
    found: str
    advice: str = ""


def software() -> Iterator[Check]:
    """Check Python and the libraries on which speed and results depend."""
    import onnxruntime

    found = f"ocrsvc {__version__}, Python {platform.python_version()}, {platform.platform()}"
    yield Check("version", "ok", found)

    providers = ", ".join(onnxruntime.get_available_providers())
    yield Check("onnxruntime", "ok", f"{onnxruntime.__version__} ({providers})")
    yield _opencv()


def _opencv() -> Check:
    import cv2

    names = sorted(
        {name for each in metadata.distributions() if (name := each.metadata["Name"]).startswith("opencv")}
    )
    found = f"{cv2.__version__} from {', '.join(names) or 'an unknown package'}"
    if len(names) > 1:
        # The packages install to the same folder, so the result depends on the order of installation.
        advice = "they overwrite each other: uninstall all of them, then install opencv-python-headless"
        return Check("opencv", "warning", found, advice)
    return Check("opencv", "ok", found)


def processor(cpu: Cpu, settings: Settings) -> Iterator[Check]:
    """Check cores, quota and instruction sets."""
    quota = "no cgroup quota" if cpu.quota is None else f"cgroup quota {cpu.quota:g} cores"
    kind = f"hardware threads on {cpu.physical} cores" if _has_smt(cpu) else "cores"
    nodes = f", {cpu.nodes} NUMA nodes" if cpu.nodes > 1 else ""
    found = f"{cpu.model or cpu.architecture}: {cpu.affinity} {kind}{nodes}, {quota}, {cpu.effective} used"
    workers = settings.workers or cpu.effective
    if workers > cpu.effective:
        advice = f"OCRSVC_WORKERS={workers} is more than {cpu.effective}: threads will wait for each other"
        yield Check("cores", "warning", found, advice)
    elif cpu.quota is not None and cpu.quota < 1:
        yield Check("cores", "warning", found, "less than one core: every reading will be throttled")
    elif cpu.nodes > 1:
        advice = (
            "memory of another node is slow: `ocrsvc serve --processes-per-numa-node` runs a process on each"
        )
        yield Check("cores", "ok", found, advice)
    else:
        yield Check("cores", "ok", found)
    flags = " ".join(sorted(cpu.flags)) or "none known"
    if cpu.gains_from_int8:
        yield Check("instructions", "ok", f"{flags} (8-bit weights pay here)")
    elif settings.precision == "int8":
        advice = "8-bit weights are slow without AVX2 or asimddp: leave OCRSVC_PRECISION at auto"
        yield Check("instructions", "warning", flags, advice)
    else:
        yield Check("instructions", "ok", f"{flags} (no AVX2, no asimddp: fp32 weights)")


def _has_smt(cpu: Cpu) -> bool:
    return cpu.physical is not None and cpu.physical < cpu.affinity


def models(registry: Registry, settings: Settings, cpu: Cpu) -> Iterator[Check]:
    """Check every model's files against the hashes in its manifest, the default model and the detector."""
    try:
        manifests = registry.manifests("recogniser") + registry.manifests("detector")
        default = registry.spec(settings.model)
        digest = default.weights(settings.precision, cpu).digest
    except OcrError as error:
        yield Check("models", "problem", error.detail, "reinstall ocrsvc, or correct OCRSVC_MODEL(S_DIR)")
        return
    if default.kind != "recogniser":
        yield Check("default model", "problem", f"{default.name} is a detector", "correct OCRSVC_MODEL")
    else:
        yield Check("default model", "ok", f"{default.name}, {settings.precision}, {digest[:19]}")
    if default.name not in {manifest.name for manifest in manifests}:
        manifests.append(default)  # a folder that OCRSVC_MODEL names
    for manifest in manifests:
        yield _files(manifest)
    try:
        yield Check("detector", "ok", registry.detector().name)
    except OcrError as error:
        advice = "pages cannot be read: correct OCRSVC_DETECTOR, or reinstall ocrsvc"
        yield Check("detector", "problem", error.detail, advice)


def _files(manifest: Manifest) -> Check:
    name = f"model {manifest.name}"
    try:
        sizes = [f"{key} {len(file.read()) / 1e6:.1f} MB" for key, file in sorted(manifest.files.items())]
    except CorruptModel as error:
        return Check(name, "problem", error.detail, "reinstall ocrsvc, or delete the cached model")
    return Check(name, "ok", f"{manifest.kind}, {', '.join(sizes)}, hashes match")


def storage(settings: Settings) -> Check:
    """Check whether converted models can be cached."""
    folder = settings.cache_dir or ppocr.user_cache()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        advice = "converted models are made anew at every start: set OCRSVC_CACHE_DIR to a folder to write in"
        return Check("cache", "warning", f"{folder}: {error.strerror}", advice)
    return Check("cache", "ok", str(folder))


def jobs(settings: Settings) -> Check:
    """Check whether jobs can be kept."""
    try:
        place = place_of(settings)
    except WrongPlace as error:
        return Check("jobs", "problem", str(error), "the service will not start: correct the setting")
    if place is None:
        return Check("jobs", "ok", "in memory: a restart loses them (OCRSVC_JOBS_PATH keeps them)")
    thread = StoreThread(place, Limits(2**30, 1, settings.jobs_keep_seconds))
    try:
        usage = asyncio.run(thread.call(Store.usage))
    except JobStoreUnavailable as error:
        advice = "correct OCRSVC_JOBS_PATH, or make its folder writable"
        if isinstance(place, Dsn):
            advice = "correct OCRSVC_JOBS_DSN, or start the database"
        return Check(
            "jobs", "problem", f"{place}: {error.cause}", f"POST /api/jobs will answer 503: {advice}"
        )
    finally:
        thread.close()
    states = ", ".join(f"{count} {state}" for state, count in usage.jobs.items() if count) or "no jobs"
    return Check("jobs", "ok", f"{place}: {states}, {usage.held_bytes / 1e6:.1f} MB")


def in_force(settings: Settings) -> Check:
    """List the settings that differ from their defaults."""
    changed = [
        f"OCRSVC_{name.upper()}={value}"
        for name, value in settings
        if value != type(settings).model_fields[name].default
    ]
    return Check("settings", "ok", ", ".join(changed) or "all at their defaults")


def choices(sourced: Sourced, registry: Registry, cpu: Cpu) -> Iterator[Check]:
    """Report the value, the origin and the reason of every setting that decides speed."""
    try:
        spec = registry.spec(sourced.settings.model)
    except OcrError:
        spec = None  # models() reports it
    for each in explanation.explain(sourced, cpu, spec):
        yield Check(f"choice {each.name}", "ok", f"{each.value} ({each.origin}): {each.reason}")


async def self_test(settings: Settings) -> list[Check]:
    """Draw a line and a page, read both and compare the texts."""
    from ocrsvc.reading.reader import Reader
    from ocrsvc.reading.reading import ReadOptions

    begun = time.perf_counter()
    reader = Reader(settings)
    checks = []
    try:
        await reader.start(warm=False)  # the readings below suffice
        checks.append(Check("start", "ok", f"models loaded in {time.perf_counter() - begun:.1f} s"))
        checks.append(providers(reader, settings))
        line = await _try(reader, "read a line", (SELF_TEST_LINE,), ReadOptions(mode="line"))
        page = await _try(reader, "read a page", SELF_TEST_PAGE, ReadOptions(mode="page"))
        checks += [line, page]
    except OcrError as error:
        checks.append(Check("self-test", "problem", error.detail, "see the checks above"))
    finally:
        await reader.close()
    return checks


def providers(reader: Reader, settings: Settings) -> Check:
    """Check which execution provider runs the default model."""
    names = reader.sessions.recognisers[settings.model].providers
    found = f"{settings.model} runs on {', '.join(names)}"
    if settings.providers.partition(",")[0] in names[0].lower():
        return Check("providers", "ok", found)
    advice = f"OCRSVC_PROVIDERS={settings.providers}: what comes first is not in this ONNX Runtime or does not start"
    return Check("providers", "warning", found, advice)


async def _try(reader: Reader, name: str, lines: tuple[str, ...], options: ReadOptions) -> Check:
    begun = time.perf_counter()
    document = await reader.read(draw(lines), options)
    spent = f"{(time.perf_counter() - begun) * 1000:.0f} ms"
    if fold(document.text) == fold("".join(lines)):
        return Check(name, "ok", f"{' / '.join(lines)!r} in {spent}")
    return Check(
        name,
        "problem",
        f"{document.text!r} was read for {' / '.join(lines)!r}",
        "try OCRSVC_PRECISION=fp32; if that helps, this processor and the 8-bit weights do not go together",
    )


def draw(lines: tuple[str, ...]) -> bytes:
    """Return a PNG with these lines in OpenCV's built-in font; several lines make a page."""
    import cv2
    import numpy as np

    step, margin = 70, 20 if len(lines) == 1 else 60
    widths = [cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.4, 3)[0][0] for text in lines]
    canvas = np.full((2 * margin + step * (len(lines) - 1) + 40, max(widths) + 2 * margin, 3), 255, np.uint8)
    for row, text in enumerate(lines):
        origin = (margin, margin + 35 + row * step)
        cv2.putText(canvas, text, origin, cv2.FONT_HERSHEY_SIMPLEX, 1.4, (0, 0, 0), 3, cv2.LINE_AA)
    return bytes(cv2.imencode(".png", canvas)[1])
