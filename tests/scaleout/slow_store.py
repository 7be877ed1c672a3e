"""A store that takes its time, and whose library crashes over one file, as a plugin of fsspec.

``install`` makes it known to every process that has the folder in its PYTHONPATH.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

SECONDS = 0.25  # for each file
POISON = "poison"  # part of the name of the file


class SlowStore(LocalFileSystem):
    """``slow:///folder/file``: the files of this machine."""

    protocol = "slow"

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return super()._strip_protocol(str(path).removeprefix("slow://"))

    def cat_file(self, path: str, *arguments: Any, **options: Any) -> bytes:
        """Return a file, after a while."""
        time.sleep(SECONDS)
        if POISON in os.path.basename(path):
            os.kill(os.getpid(), signal.SIGKILL)
        return bytes(super().cat_file(path, *arguments, **options))


def install(folder: Path) -> str:
    """Write the metadata of a plugin and return the PYTHONPATH with which it is found."""
    about = folder / "slow_store-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-store\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[fsspec.specs]\nslow = slow_store:SlowStore\n")
    before = os.environ.get("PYTHONPATH")
    return os.pathsep.join([str(folder), str(Path(__file__).parent), *([before] if before else [])])
