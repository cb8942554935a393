"""The package of the functions: all they need, nothing else, and the same bytes each time."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from zipfile import ZipFile

import pytest

from infra import package
from tests.cloudformation import ROOT

MOST_BYTES = 12_000_000


@pytest.fixture(scope="session")
def wheels() -> list[Path]:
    return package.wheels()


@pytest.fixture(scope="session")
def packed(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package.build(tmp_path_factory.mktemp("package") / "execution-agent.zip", wheels)


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
    again = package.build(tmp_path / "again.zip", reversed(wheels), root=tmp_path)
    # Then nobody can tell them apart
    assert again.read_bytes() == packed.read_bytes()


def test_other_code_makes_another_package(packed: Path, wheels: list[Path], tmp_path: Path) -> None:
    for source in package.SOURCES:
        shutil.copytree(ROOT / source, tmp_path / source)
    with (tmp_path / "domain" / "action.py").open("a") as action:
        action.write("\n")
    assert package.build(tmp_path / "other.zip", wheels, root=tmp_path).read_bytes() != packed.read_bytes()


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


@pytest.mark.parametrize("folder", ["apsw", "boto3", "botocore", "dateutil", "s3transfer", "typer", "urllib3", "tests"])
def test_what_the_runtime_has_or_nobody_needs_is_not(folder: str, names: list[str]) -> None:
    assert not [name for name in names if name.startswith(f"{folder}/") or f"/{folder}/" in name]


def test_it_has_source_code_and_no_leftovers(names: list[str]) -> None:
    assert not [name for name in names if name.endswith((".pyc", ".pyi", ".c", "RECORD", "WHEEL", "INSTALLER"))]


def test_its_binaries_are_for_lambda(names: list[str]) -> None:
    binaries = [name for name in names if name.endswith(".so")]
    assert any("pydantic_core" in name for name in binaries)
    tag = f"cpython-{package.RUNTIME.replace('.', '')}-x86_64-linux-gnu.so"
    # What is built for the stable interface of all Pythons has its own name.
    assert all(name.endswith((tag, ".abi3.so")) for name in binaries)


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
    again = package.wheels(folder=tmp_path)
    # Then they are these, and nothing else was made there
    assert [wheel.parent.parent for wheel in again] == [tmp_path] * len(wheels)
    assert list(tmp_path.iterdir()) == [again[0].parent]


def test_a_wheel_that_would_have_to_be_installed_is_refused(tmp_path: Path) -> None:
    wheel = tmp_path / "odd-1.0-py3-none-any.whl"
    with ZipFile(wheel, "w") as archive:
        archive.writestr("odd-1.0.data/purelib/odd.py", "")
    with pytest.raises(ValueError, match=r"odd-1\.0\.data/purelib/odd\.py"):
        package.build(tmp_path / "package.zip", [wheel])
