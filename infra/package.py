"""The package of the functions: their code and what it needs, in a zip whose bytes depend on nothing else.

    python -m infra.package [--python 3.13] [--architecture x86_64] [--output dist/execution-agent.zip]

The wheels are those that requirements/lambda.txt pins, hash by hash. They are read, never installed: so nothing of this
machine gets in, and a package for Lambda can be made anywhere. Wheels that were fetched once are not fetched again.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements" / "lambda.txt"
DIST = ROOT / "dist"
PACKAGE = DIST / "execution-agent.zip"

RUNTIME = "3.13"
"""The Python of the functions in infra/template.yaml."""
PLATFORMS = {"x86_64": "manylinux2014_x86_64", "arm64": "manylinux2014_aarch64"}
"""Lambda's architectures, in the words of wheels."""

SOURCES = ("adapters", "agents", "domain", "handlers", "projections")
LEFT_OUT = frozenset(
    {
        # The ledger of a function is in DynamoDB.
        "apsw",
        # The runtime brings the AWS SDK along.
        *("boto3", "botocore", "s3transfer", "python-dateutil", "six", "urllib3"),
    }
)
"""Distributions that requirements/lambda.txt pins and a function does without."""

_UNUSED_FOLDERS = frozenset({"__pycache__", "tests", "licenses"})
_UNUSED_SUFFIXES = frozenset({".c", ".pyc", ".pyi", ".pyx", ".typed"})
_ALWAYS_THE_SAME = (1980, 1, 1, 0, 0, 0)
"""When every file was last changed: the earliest moment that a zip can name."""


def main() -> None:
    """What `make package` runs."""
    wanted = argparse.ArgumentParser(description="Makes the package of the functions.")
    wanted.add_argument("--python", default=RUNTIME, help="the version of Python that will run it")
    wanted.add_argument("--architecture", default="x86_64", choices=PLATFORMS)
    wanted.add_argument("--output", default=PACKAGE, type=Path)
    chosen = wanted.parse_args()
    package = build(chosen.output, wheels(python=chosen.python, architecture=chosen.architecture))
    print(f"{package}: {package.stat().st_size:,} bytes, sha256 {hashlib.sha256(package.read_bytes()).hexdigest()}")


def wheels(*, python: str = RUNTIME, architecture: str = "x86_64", folder: Path = DIST / "wheels") -> list[Path]:
    """The pinned wheels for this Python, fetched into `folder` unless they are there. Raises CalledProcessError."""
    wanted = carried(REQUIREMENTS.read_text("utf-8"))
    fetched = folder / f"{python}-{architecture}-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    if not fetched.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as unfinished:
            _fetch(wanted, python, PLATFORMS[architecture], Path(unfinished))
            # In one step, so that whoever finds the folder finds all of it.
            _move(Path(unfinished) / "wheels", fetched)
    return sorted(fetched.glob("*.whl"))


def carried(requirements: str) -> str:
    """Those of the pinned requirements, hashes included, that a function needs."""
    pins = re.split(r"^(?=[a-z0-9])", requirements, flags=re.MULTILINE)
    return "".join(pin for pin in pins if pin.partition("==")[0] not in LEFT_OUT)


def build(output: Path, wheels: Iterable[Path], *, root: Path = ROOT) -> Path:
    """Writes the package of `root`'s code and of `wheels` to `output`. The same content gives the same bytes."""
    files = dict(_source_files(root))
    for wheel in wheels:
        files.update(_wheel_files(wheel))
    output.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(output, "w") as package:
        for name, content in sorted(files.items()):
            package.writestr(_entry(name), content, ZIP_DEFLATED, 9)
    return output


def _fetch(requirements: str, python: str, platform: str, folder: Path) -> None:
    (folder / "requirements.txt").write_text(requirements, "utf-8")
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--require-hashes", "--no-deps", "--only-binary=:all:"),
        *("--implementation", "cp", "--python-version", python, "--platform", platform),
        *("--requirement", str(folder / "requirements.txt"), "--dest", str(folder / "wheels")),
    ]
    subprocess.run(command, check=True)


def _move(fetched: Path, place: Path) -> None:
    try:
        fetched.rename(place)
    except OSError:
        # Somebody else was first, with the same wheels.
        if not place.exists():
            raise


def _source_files(root: Path) -> Iterator[tuple[str, bytes]]:
    for source in SOURCES:
        for path in (root / source).rglob("*"):
            name = path.relative_to(root).as_posix()
            if path.is_file() and _is_of_use(name):
                yield name, path.read_bytes()


def _wheel_files(wheel: Path) -> Iterator[tuple[str, bytes]]:
    with ZipFile(wheel) as archive:
        for name in archive.namelist():
            if not name.endswith("/") and _is_of_use(name):
                yield name, archive.read(name)


def _is_of_use(name: str) -> bool:
    top, *folders = name.split("/")
    if top.endswith(".dist-info"):
        # Entry points are looked up, and scanners read names and versions; the rest is for installers.
        return folders in (["METADATA"], ["entry_points.txt"])
    if top.endswith(".data"):
        return _is_code_elsewhere(name, folders[0])
    return Path(name).suffix not in _UNUSED_SUFFIXES and _UNUSED_FOLDERS.isdisjoint(folders)


def _is_code_elsewhere(name: str, kind: str) -> bool:
    if kind in ("purelib", "platlib"):
        raise ValueError(f"{name} would have to be installed, which a package does not do")
    return False


def _entry(name: str) -> ZipInfo:
    entry = ZipInfo(name, _ALWAYS_THE_SAME)
    entry.create_system = 3  # Unix, wherever it is made
    entry.external_attr = 0o100644 << 16
    return entry


if __name__ == "__main__":
    main()
