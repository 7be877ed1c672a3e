"""npm, where Node.js is: that of the machine, or else the one file that it is, whose hash is known.

Debian's package of npm brings hundreds of others along, so ``tests/system-packages`` installs Node.js alone.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import subprocess
import tarfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest
from available import missing

_TARBALL = "https://registry.npmjs.org/npm/-/npm-10.9.4.tgz"
_SHA512 = "OnUG836FwboQIbqtefDNlyR0gTHzIfwRfE3DuiNewBvnMnWEpB0VEXwBlFVgqpNzIgYo/MHh3d2Hel/pszapAA=="
_LEAST_NODE = (20, 19)  # of Redocly's linter
_INSTALL_SECONDS = 150
# Nothing but the packages: no scripts of theirs, no usage data, no looking for newer versions.
_QUIET = {
    "NPM_CONFIG_UPDATE_NOTIFIER": "false",
    "REDOCLY_TELEMETRY": "off",
    "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true",
}


@dataclass(frozen=True)
class Npm:
    """How npm is called."""

    command: tuple[str, ...]

    def install(self, project: Path) -> None:
        """Install what ``package-lock.json`` in the folder names, by its hashes; skip the test without a network."""
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
        done = run([*self.command, "ci", *options], project, timeout=_INSTALL_SECONDS)
        if "network" in done.stderr and done.returncode:
            pytest.skip(f"no packages from npm's registry: {done.stderr[-300:]}")
        assert done.returncode == 0, done.stderr[-2000:]

    def script(self, project: Path, name: str, *arguments: str) -> str:
        """Return what a script of ``package.json`` prints."""
        done = run([*self.command, "run", "--silent", name, "--", *arguments], project)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
        return done.stdout


def run(command: list[str], folder: Path, *, timeout: float = 100) -> subprocess.CompletedProcess[str]:
    """Run a program of Node.js in a folder."""
    return subprocess.run(
        command, cwd=folder, env={**os.environ, **_QUIET}, capture_output=True, encoding="utf-8",
        timeout=timeout, check=False,
    )  # fmt: skip


def found_npm(folder: Path) -> Npm:
    """Return npm; it is fetched into the folder if the machine has none. Skips the test if that fails."""
    node = shutil.which("node")
    if node is None:
        missing("no node: install nodejs")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(int(part) for part in version.lstrip("v").split(".")[:2]) < _LEAST_NODE:
        pytest.skip(f"node is {version}: the tools of these tests need 20.19 or newer")
    if npm := shutil.which("npm"):
        return Npm((npm,))
    try:
        with urllib.request.urlopen(_TARBALL, timeout=30) as answer:
            content = answer.read()
    except (urllib.error.URLError, TimeoutError) as error:
        pytest.skip(f"npm is not installed and cannot be fetched: {error}")
    assert base64.b64encode(hashlib.sha512(content).digest()).decode() == _SHA512
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(folder, filter="data")
    return Npm((node, str(folder / "package" / "bin" / "npm-cli.js")))
