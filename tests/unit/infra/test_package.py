"""The package of the functions: all they need, nothing else, and the same bytes each time."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from importlib.util import cache_from_source
from pathlib import Path
from zipfile import ZipFile

import pytest

from infra import package
from tests.cloudformation import ROOT
from tests.lambda_runtime import THIS_ARCHITECTURE, THIS_PYTHON

MOST_BYTES = 12_000_000


@pytest.fixture(scope="session")
def wheels() -> list[Path]:
    """Those for this machine, so that what is compiled can be run."""
    return package.wheels(python=THIS_PYTHON, architecture=THIS_ARCHITECTURE)


@pytest.fixture(scope="session")
def packed(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    return package.build(folder / "execution-agent.zip", wheels, compiler=sys.executable)


@pytest.fixture(scope="session")
def names(packed: Path) -> list[str]:
    return ZipFile(packed).namelist()


def test_it_is_made_of_the_same_bytes_wherever_and_whenever(packed: Path, wheels: list[Path], tmp_path: Path) -> None:
    # Given the same files of another age, with other rights, in a folder that somebody works in
    for source in package.SOURCES:
        for path in sorted((ROOT / source).rglob("*.*"), reverse=True):
            if path.is_file() and path.suffix != ".pyc":
                copy = tmp_path / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
                copy.chmod(0o600)
                os.utime(copy, (1_000_000_000, 1_000_000_000))
    (tmp_path / "domain" / "__pycache__").mkdir()
    (tmp_path / "domain" / "__pycache__" / "action.cpython-313.pyc").write_bytes(b"compiled")
    (tmp_path / "README.md").write_text("not of the package")
    # When it is made once more
    again = package.build(tmp_path / "again.zip", reversed(wheels), compiler=sys.executable, root=tmp_path)
    # Then nobody can tell them apart
    assert again.read_bytes() == packed.read_bytes()


def test_other_code_makes_another_package(tmp_path: Path) -> None:
    # Given code, packed
    module = tmp_path / "domain" / "action.py"
    module.parent.mkdir()
    module.write_text("ATTEMPTS = 1\n")
    first = package.build(tmp_path / "first.zip", [], compiler=sys.executable, root=tmp_path)
    # When it is another one
    module.write_text("ATTEMPTS = 2\n")
    other = package.build(tmp_path / "other.zip", [], compiler=sys.executable, root=tmp_path)
    # Then both its source and what is compiled of it are
    content = [
        {name: ZipFile(made).read(name) for name in ("domain/action.py", cache_from_source("domain/action.py"))}
        for made in (first, other)
    ]
    assert all(content[0][name] != content[1][name] for name in content[0])


def test_it_is_small(packed: Path) -> None:
    size = packed.stat().st_size
    assert size < MOST_BYTES, f"{size:,} bytes"


def test_nothing_tells_when_or_where_it_was_made(packed: Path) -> None:
    entries = ZipFile(packed).infolist()
    assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
    assert {(entry.date_time, entry.external_attr >> 16, entry.create_system) for entry in entries} == {
        ((1980, 1, 1, 0, 0, 0), 0o100644, 3)
    }


@pytest.mark.parametrize(
    "name",
    [
        "agents/execution_agent/handler.py",
        "adapters/dynamodb_events.py",
        "adapters/shipped_templates/renewal_reminder/template.json",
        "adapters/shipped_templates/renewal_reminder/body.html",
        "certifi/cacert.pem",
        "httpcore/__init__.py",
        "jinja2/tests.py",
        "tenacity/__init__.py",
        "aws_lambda_powertools/__init__.py",
    ],
)
def test_what_a_function_needs_is_in_it(name: str, names: list[str]) -> None:
    assert name in names


@pytest.mark.parametrize(
    "folder",
    [
        *("apsw", "boto3", "botocore", "dateutil", "pycparser", "s3transfer", "typer", "urllib3", "tests"),
        *("aws_lambda_powertools/event_handler", "conformance", "yaml"),
    ],
)
def test_what_the_runtime_has_or_nobody_needs_is_not(folder: str, names: list[str]) -> None:
    assert not [name for name in names if name.startswith(f"{folder}/") or f"/{folder}/" in name]


@pytest.mark.parametrize("module", ["cli", "operators", "workflow_commands", "audit_console"])
def test_nobody_types_in_a_function(module: str, names: list[str]) -> None:
    assert f"agents/execution_agent/{module}.py" not in names
    assert (package.ROOT / "agents" / "execution_agent" / f"{module}.py").exists()


def test_it_has_no_leftovers(names: list[str]) -> None:
    assert not [name for name in names if name.endswith((".pyi", ".c", ".h", ".js", "RECORD", "WHEEL", "INSTALLER"))]


# -- compiled code -----------------------------------------------------------------------------------------------------


def test_what_a_function_often_loads_is_compiled_where_an_import_looks_for_it(names: list[str]) -> None:
    compiled = {name for name in names if name.endswith(".pyc")}
    sources = {name for name in names if name.endswith(".py")}
    assert compiled < {cache_from_source(name) for name in sources}
    often = (
        *(f"{source}/" for source in package.SOURCES),
        "pydantic/main.py",
        "eventsourcing/domain.py",
        "eventsourcing/persistence.py",
        "httpcore/",
        "jinja2/",
    )
    assert {cache_from_source(name) for name in sources if name.startswith(often)} <= compiled


@pytest.mark.parametrize("seldom", ["cryptography/", "pydantic/deprecated/", "aws_lambda_powertools/utilities/"])
def test_what_it_seldom_loads_is_there_as_source(seldom: str, names: list[str]) -> None:
    assert {Path(name).suffix for name in names if name.startswith(seldom)} >= {".py"}
    assert not [name for name in names if name.startswith(seldom) and name.endswith(".pyc")]


def test_a_function_runs_compiled_code_whatever_became_of_the_age_of_its_source(packed: Path, tmp_path: Path) -> None:
    # Given an unpacked package, in which nothing that a request needs could be compiled any more
    ZipFile(packed).extractall(tmp_path)
    for source in package.SOURCES:
        for module in (tmp_path / source).rglob("*.py"):
            module.write_text("this is not Python")
    # When a function starts in it
    program = "import sys; sys.path.insert(0, ''); from agents.execution_agent import handler; print(handler.__file__)"
    start = [sys.executable, "-I", "-S", "-B", "-c", program]
    started = subprocess.run(start, cwd=tmp_path, capture_output=True, text=True, check=False)
    # Then it does not notice
    assert started.stdout.strip().endswith("agents/execution_agent/handler.py"), started.stderr


def test_nothing_in_it_needs_what_is_left_out(packed: Path, tmp_path: Path) -> None:
    # Given an unpacked package, and beside it what Lambda's runtime has
    ZipFile(packed).extractall(tmp_path / "package")
    (tmp_path / "runtime").mkdir()
    for name in ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"):
        module = importlib.util.find_spec(name)
        assert module is not None
        assert module.origin is not None
        place = Path(module.origin)
        place = place.parent if place.name == "__init__.py" else place
        (tmp_path / "runtime" / place.name).symlink_to(place)
    # When everything of ours in it is imported
    started = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", IMPORT_ALL, *package.SOURCES],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    # Then nothing is missing
    assert started.returncode == 0, started.stderr
    assert int(started.stdout) > 200


IMPORT_ALL = """
import importlib, pkgutil, sys
sys.path[:0] = ["package", "runtime"]
modules = 0
for source in sys.argv[1:]:
    for module in pkgutil.walk_packages([f"package/{source}"], f"{source}."):
        importlib.import_module(module.name)
        modules += 1
print(modules)
"""


def test_without_a_python_of_its_version_it_holds_sources_only(tmp_path: Path) -> None:
    (tmp_path / "domain").mkdir()
    (tmp_path / "domain" / "action.py").write_text("ATTEMPTS = 1\n")
    made = package.build(tmp_path / "package.zip", [], compiler=None, root=tmp_path)
    assert ZipFile(made).namelist() == ["domain/action.py"]


def test_code_that_cannot_be_compiled_is_not_packed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "domain").mkdir()
    (tmp_path / "domain" / "action.py").write_text("def decide(:\n")
    with pytest.raises(subprocess.CalledProcessError):
        package.build(tmp_path / "package.zip", [], compiler=sys.executable, root=tmp_path)
    assert "domain/action.py" in capfd.readouterr().out
    assert not (tmp_path / "package.zip").exists()


def test_the_running_python_compiles_for_its_own_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert package.compiler_for(THIS_PYTHON, path="") == sys.executable
    assert capsys.readouterr().err == ""


def test_another_version_is_compiled_for_by_its_own_python(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = program(tmp_path / "python3.99", "echo cpython-399")
    assert package.compiler_for("3.99", path=str(tmp_path)) == str(other)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "says",
    [
        pytest.param("exit 127", id="a shim with nothing behind it"),
        pytest.param("echo cpython-398", id="another version"),
        pytest.param("echo pypy399", id="another Python"),
    ],
)
def test_what_only_has_the_name_of_a_python_is_not_asked_to_compile(
    says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program(tmp_path / "python3.99", says)
    assert package.compiler_for("3.99", path=str(tmp_path)) is None
    assert "python3.99" in capsys.readouterr().err


def test_who_has_no_python_for_it_is_told_what_that_costs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert package.compiler_for("3.99", path=str(tmp_path)) is None
    (told,) = capsys.readouterr().err.splitlines()
    assert "python3.99" in told
    assert "cold start" in told


def program(place: Path, script: str) -> Path:
    place.write_text(f"#!/bin/sh\n{script}\n")
    place.chmod(0o755)
    return place


# -- wheels ------------------------------------------------------------------------------------------------------------


def test_its_binaries_are_for_lambda() -> None:
    wheels = package.wheels()
    assert any(wheel.name.startswith("pydantic_core-") for wheel in wheels)
    tag = f"cp{package.RUNTIME.replace('.', '')}"
    # What is built for the stable interface of all Pythons says so.
    binaries = [wheel.name for wheel in wheels if not wheel.name.endswith("-any.whl")]
    assert all((f"-{tag}-" in name or "-abi3-" in name) and name.endswith("_x86_64.whl") for name in binaries)


def test_scanners_are_told_what_is_in_it(names: list[str]) -> None:
    wanted = package.carried(package.REQUIREMENTS.read_text("utf-8"))
    pinned = [line.partition(" ")[0] for line in wanted.splitlines() if "==" in line]
    told = {name.partition(".dist-info/")[0].lower() for name in names if name.endswith(".dist-info/METADATA")}
    assert told == {pin.replace("-", "_").replace("==", "-") for pin in pinned}


def test_all_that_is_left_out_is_pinned_and_all_that_is_carried_has_its_hashes() -> None:
    pinned = package.REQUIREMENTS.read_text("utf-8")
    assert all(f"\n{name}==" in f"\n{pinned}" for name in package.LEFT_OUT)
    carried = package.carried("apsw==1.0 \\\n    --hash=sha256:aa\nidna==3.20 \\\n    --hash=sha256:bb\n    # via us\n")
    assert carried == "idna==3.20 \\\n    --hash=sha256:bb\n    # via us\n"


def test_wheels_that_were_fetched_are_not_fetched_again(wheels: list[Path], tmp_path: Path) -> None:
    # Given a folder with what was fetched before, under the name that says what it is
    shutil.copytree(wheels[0].parent, tmp_path / wheels[0].parent.name)
    # When they are wanted again
    again = package.wheels(python=THIS_PYTHON, architecture=THIS_ARCHITECTURE, folder=tmp_path)
    # Then they are these, and nothing else was made there
    assert [wheel.parent.parent for wheel in again] == [tmp_path] * len(wheels)
    assert list(tmp_path.iterdir()) == [again[0].parent]


def test_a_wheel_that_would_have_to_be_installed_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "odd-1.0-py3-none-any.whl"
    with ZipFile(wheel, "w") as archive:
        archive.writestr("odd-1.0.data/purelib/odd.py", "")
    with pytest.raises(ValueError, match=r"odd-1\.0\.data/purelib/odd\.py"):
        package.build(tmp_path / "package.zip", [wheel], compiler=None)
