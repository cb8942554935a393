"""The package of the functions: their code and what it needs, in a zip whose bytes depend on nothing else.

A function cannot write to its folder, so what it often loads is compiled beforehand, by a Python of the version that
will run it: this one, else the python3.13 on the path.

    python -m infra.package [--python 3.13] [--architecture x86_64] [--output dist/execution-agent.zip]

The wheels are those that requirements/lambda.txt pins, hash by hash. They are read, never installed: so nothing of this
machine gets in, and a package for Lambda can be made anywhere. Wheels that were fetched once are not fetched again.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
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
        # cffi needs it when something is built.
        "pycparser",
        # Definitions of workflows are read where they are written; a run has its own pinned, as JSON.
        "pyyaml",
    }
)
"""Distributions that requirements/lambda.txt pins and a function does without."""

_ELSEWHERE = re.compile(
    # The command line, and the kit for authors of action types: nobody types in a function.
    r"agents/execution_agent/(conformance/.*|(cli|console|operators|shell|audit_group|__main__|\w+_(commands|console))\.py)"
    # Its ledger is in DynamoDB.
    r"|adapters/(sqlite_\w+|group_commit)\.py"
)
"""What is of use on a machine, and not in a function."""
_UNUSED_PARTS = (
    # What builds extensions.
    *(f"cffi/{name}.py" for name in ("cparser", "recompiler", "setuptools_ext", "vengine_cpy", "vengine_gen")),
    # Other stores, the release before, and a plugin for type checks.
    *("pydantic/v1/", "eventsourcing/dcb/", "eventsourcing/postgres.py", "eventsourcing/sqlite.py", "pydantic/mypy.py"),
    # Of Powertools, what does not serve metrics or queues.
    "aws_lambda_powertools/event_handler/",
    *(
        f"aws_lambda_powertools/utilities/{name}/"
        for name in ("auth_alpha", "circuit_breaker", "data_masking", "feature_flags", "idempotency", "kafka")
    ),
    *(f"aws_lambda_powertools/utilities/{name}/" for name in ("parameters", "streaming", "validation")),
)
_UNUSED_FOLDERS = frozenset({"__pycache__", "tests", "licenses"})
_UNUSED_SUFFIXES = frozenset({".c", ".css", ".h", ".js", ".pyc", ".pyi", ".pyx", ".typed"})
_SELDOM_LOADED = (
    # A login by key to Salesforce.
    *("cffi/", "cryptography/"),
    # International names.
    "idna/",
    # Older and newer interfaces, and what no door uses; utilities/batch is for queues, where nobody waits.
    *("pydantic/color.py", "pydantic/deprecated/", "pydantic/experimental/"),
    "aws_lambda_powertools/utilities/",
    "eventsourcing/system.py",
)
"""What is not worth its size when compiled."""
_ALWAYS_THE_SAME = (1980, 1, 1, 0, 0, 0)
"""When every file was last changed: the earliest moment that a zip can name."""


def main() -> None:
    """What `make package` runs."""
    wanted = argparse.ArgumentParser(description="Makes the package of the functions.")
    wanted.add_argument("--python", default=RUNTIME, help="the version of Python that will run it")
    wanted.add_argument("--architecture", default="x86_64", choices=PLATFORMS)
    wanted.add_argument("--output", default=PACKAGE, type=Path)
    chosen = wanted.parse_args()
    fetched = wheels(python=chosen.python, architecture=chosen.architecture)
    package = build(chosen.output, fetched, compiler=compiler_for(chosen.python))
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


def compiler_for(python: str, *, path: str | None = None) -> str | None:
    """A Python of this version: the running one, else one on `path`. None where there is none, which stderr is told."""
    tag = f"cpython-{python.replace('.', '')}"
    if sys.implementation.cache_tag == tag:
        return sys.executable
    found = shutil.which(f"python{python}", path=path)
    if found and _cache_tag(found) == tag:
        return found
    print(
        f"There is no python{python} on the path, so the package holds no compiled code:"
        " each cold start of a function compiles what it loads, some 200 ms.",
        file=sys.stderr,
    )
    return None


def build(output: Path, wheels: Iterable[Path], *, compiler: str | None, root: Path = ROOT) -> Path:
    """Writes the package of `root`'s code and of `wheels` to `output`. The same content gives the same bytes.

    `compiler` is a Python of the version that the wheels are for; without one, the package holds sources only. Raises
    CalledProcessError for code that cannot be compiled.
    """
    files = dict(_source_files(root))
    for wheel in wheels:
        files.update(_wheel_files(wheel))
    if compiler:
        files.update(_compiled({name: files[name] for name in files if _is_worth_compiling(name)}, compiler))
    output.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(output, "w") as package:
        for name, content in sorted(files.items()):
            package.writestr(_entry(name), content, ZIP_DEFLATED, 9)
    return output


def _cache_tag(interpreter: str) -> str:
    """Empty for what only has the name: a shim without a Python behind it."""
    command = [interpreter, "-I", "-S", "-c", "import sys; print(sys.implementation.cache_tag)"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


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
            if path.is_file() and _is_of_use(name) and not _ELSEWHERE.fullmatch(name):
                yield name, path.read_bytes()


def _wheel_files(wheel: Path) -> Iterator[tuple[str, bytes]]:
    with ZipFile(wheel) as archive:
        for name in archive.namelist():
            if not name.endswith("/") and _is_of_use(name):
                yield name, archive.read(name)


def _is_worth_compiling(name: str) -> bool:
    return name.endswith(".py") and not name.startswith(_SELDOM_LOADED)


def _compiled(sources: Mapping[str, bytes], compiler: str) -> Iterator[tuple[str, bytes]]:
    """Compiled code by its name beside the source. It knows its source by that name alone, and never looks at its age.

    One process of its own compiles all, in order: what Python writes depends on what it has compiled before.
    """
    command = [
        *(compiler, "-I", "-S", "-W", "ignore", "-m", "compileall", "-q", "-o", "0"),
        *("--invalidation-mode", "unchecked-hash", "-i", "-"),
    ]
    with tempfile.TemporaryDirectory() as folder:
        for name, content in sources.items():
            place = Path(folder) / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        subprocess.run(command, cwd=folder, input="\n".join(sorted(sources)), text=True, check=True)
        for path in Path(folder).rglob("*.pyc"):
            yield path.relative_to(folder).as_posix(), path.read_bytes()


def _is_of_use(name: str) -> bool:
    top, *folders = name.split("/")
    if top.endswith(".dist-info"):
        # Entry points are looked up, and scanners read names and versions; the rest is for installers.
        return folders in (["METADATA"], ["entry_points.txt"])
    if top.endswith(".data"):
        return _is_code_elsewhere(name, folders[0])
    if name.startswith(_UNUSED_PARTS):
        return False
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
