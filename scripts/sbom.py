"""Writes the bill of materials (CycloneDX) of a release: ``python scripts/sbom.py FILE``, or ``make sbom``.

It lists ocrsvc, the packages of the lock file of the images with their hashes, the models with the hashes of their
weights, and the libraries of the web page, and is checked against CycloneDX' schema. An image has one of its own, which
also knows Debian's packages: ``/opt/ocrsvc/sbom.cdx.json`` (``containers/sbom``).
"""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from ocrsvc import __version__

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "containers" / "requirements.txt"
SPECIFICATION = "1.6"


def packages() -> dict[str, Any]:
    """Return the bill of the locked packages."""
    program = [sys.executable, "-m", "cyclonedx_py", "requirements", "--output-reproducible"]
    program += ["--spec-version", SPECIFICATION, "--of", "JSON", str(LOCK)]
    done = subprocess.run(program, capture_output=True, text=True, check=True)
    bom: dict[str, Any] = json.loads(done.stdout)
    return bom


def libraries() -> list[dict[str, Any]]:
    """Return the libraries of the web page as components."""
    listed = json.loads((ROOT / "web" / "vendor" / "vendor.json").read_text("utf-8"))
    return [
        {
            "type": "library",
            "bom-ref": f"pkg:npm/{each['name']}@{each['version']}",
            "name": each["name"],
            "version": each["version"],
            "purl": f"pkg:npm/{each['name']}@{each['version']}",
        }
        for each in listed
    ]


def bill() -> dict[str, Any]:
    """Return the whole bill."""
    bom = packages()
    models = runpy.run_path(str(ROOT / "containers" / "sbom"))["models"]
    bom["components"] = [*bom["components"], *libraries(), *models(ROOT / "models")]
    bom["metadata"]["component"] = {
        "type": "application",
        "bom-ref": "ocrsvc",
        "name": "ocrsvc",
        "version": __version__,
        "purl": f"pkg:pypi/ocrsvc@{__version__}",
        "licenses": [{"license": {"id": "Apache-2.0"}}],
    }
    return bom


def main() -> int:
    """Write the bill; the exit status is 1 if it is not valid."""
    text = json.dumps(bill(), ensure_ascii=False, indent=1) + "\n"
    if fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        print(f"not valid: {fault}", file=sys.stderr)
        return 1
    path = Path(sys.argv[1])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
