"""Fixtures that many tests share: local engines of AWS, each started once a worker, and only if a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.engines import Engine, local_aws_environment, ministack_engine, moto_engine

# A machine may stall for a second: no example is wrong because it was slow.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

ENGINES = ("moto", "ministack")


@pytest.fixture(scope="session")
def aws() -> Iterator[None]:
    """Credentials that are worth nothing, and a region."""
    with local_aws_environment():
        yield


@pytest.fixture(scope="session")
def moto(aws: None) -> Iterator[Engine]:
    with moto_engine() as engine:
        yield engine


@pytest.fixture(scope="session")
def ministack(aws: None) -> Iterator[Engine]:
    with ministack_engine() as engine:
        yield engine


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of one engine go to one worker, so that it is started once."""
    for item in items:
        for name in ENGINES:
            if name in getattr(item, "fixturenames", ()):
                item.add_marker(pytest.mark.engine)
                item.add_marker(pytest.mark.xdist_group(name))
