"""Fixtures that every test may use: the font, drawn lines and pages, their bytes, a clean environment.

A missing font or browser skips the tests that need it, with the package to install; where CI is ``true`` it
fails them, because a check that nobody runs is no check.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import drawings
import pytest
from available import missing
from drawings import DrawnPage, Picture

if TYPE_CHECKING:
    from postgres_cluster import Cluster

CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Training first: its files take minutes, and one at the end would keep a single worker busy."""
    items.sort(key=lambda item: "training" not in item.path.parts)


@pytest.fixture(scope="session", autouse=True)
def _interrupts_arrive() -> None:
    """A shell starts what runs in its background with Ctrl-C ignored, and the processes of the tests inherit that."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The developer's own OCRSVC_* variables must not change what is tested."""
    for name in [name for name in os.environ if name.startswith("OCRSVC_")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _tiny_floats_are_floats() -> Iterator[None]:
    """ONNX Runtime leaves the thread that ran it rounding subnormal numbers to 0, and hypothesis refuses to draw them.

    ``fesetenv(FE_DFL_ENV)`` of the C library takes that back on x86 and ARM: before each test, and after it, because
    the fixtures of the next module are made before its first test begins.
    """
    _take_back()
    yield
    _take_back()


def _take_back() -> None:
    with contextlib.suppress(AttributeError):  # a Python without the C library's mathematics
        ctypes.CDLL(None).fesetenv(ctypes.c_void_p(-1))


@pytest.fixture(scope="session")
def font_path() -> Path:
    """Noto Sans CJK of this machine."""
    found = drawings.find_cjk_font()
    if found is None:
        missing("no Noto Sans CJK font: install fonts-noto-cjk")
    return found


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """A Chromium of this machine, for the tests marked ``browser``."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        missing("no Chromium: install chromium")
    return Path(found)


@pytest.fixture(scope="session")
def draw_line(font_path: Path) -> Callable[..., Picture]:
    """``draw_line(text, size=36, margin=8, ink=RGB, paper=RGB)`` -> uint8 BGR [H, W, 3]."""
    return lambda text, **options: drawings.line_image(text, font_path, **options)


@pytest.fixture(scope="session")
def draw_page(font_path: Path) -> Callable[..., DrawnPage]:
    """``draw_page(lines=RECEIPT, size=34, angle=0.0, noise=0.0, ...)`` -> DrawnPage(image, lines, boxes)."""
    return lambda *lines, **options: drawings.page_image(font_path, *lines, **options)


@pytest.fixture(scope="session")
def png() -> Callable[[Picture], bytes]:
    """``png(image)`` -> the bytes of a PNG file."""
    return lambda image: drawings.encode(image, ".png")


@pytest.fixture(scope="session")
def jpeg() -> Callable[..., bytes]:
    """``jpeg(image, quality=92)`` -> the bytes of a JPEG file."""
    return lambda image, quality=92: drawings.encode(image, ".jpg", quality)


@pytest.fixture
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one during the test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A running PostgreSQL of the tests' own."""
    import postgres_cluster

    try:
        with postgres_cluster.cluster() as running:
            yield running
    except postgres_cluster.NoPostgres as error:
        missing(str(error))


@pytest.fixture(scope="session")
def new_database(postgres: Cluster) -> Callable[[], str]:
    """``new_database()`` -> the address of an empty database in PostgreSQL."""
    numbers = iter(range(10_000))
    return lambda: postgres.create(f"jobs{next(numbers)}")
