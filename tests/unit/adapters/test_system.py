"""Processes of this machine: each has a name of its own, and a dead one is known to be dead."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from adapters.system import SystemClock, SystemHolders, UnknownHolders

ANOTHER = "from adapters.system import SystemHolders; print(SystemHolders().me(), flush=True); input()"


def test_threads_that_ask_at_once_hear_the_same_name() -> None:
    for _ in range(20):
        holders, together = SystemHolders(), Barrier(8)

        def ask(_: int, holders: SystemHolders = holders, together: Barrier = together) -> str | None:
            together.wait()
            return holders.me()

        with ThreadPoolExecutor(8) as pool:
            names = set(pool.map(ask, range(8)))
        assert len(names) == 1
        assert None not in names


def test_a_process_is_alive_until_it_is_killed_and_dead_before_it_is_buried() -> None:
    holders = SystemHolders()
    with subprocess.Popen(
        [sys.executable, "-c", ANOTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        name = other.stdout.readline().strip()
        assert name != holders.me()
        assert not holders.is_dead(name)
        other.kill()
        assert other.stdout.read() == ""  # it has let go of everything, and nobody has waited for it yet
        while not holders.is_dead(name):
            assert other.returncode is None
    assert holders.is_dead(name)
    assert not holders.is_dead(holders.me())


def test_a_number_that_came_back_is_another_process() -> None:
    holders = SystemHolders()
    me = holders.me()
    assert me is not None
    machine, boot, pid, began = me.split("/")
    assert holders.is_dead(f"{machine}/{boot}/{pid}/{int(began) - 1}")
    assert holders.is_dead(f"{machine}/00000000/{pid}/{began}")


@pytest.mark.parametrize("holder", [None, "", "me", "a/b/c", "elsewhere/boot/1/2", "a/b/c/d/e"])
def test_of_others_nothing_is_certain(holder: str | None) -> None:
    assert not SystemHolders().is_dead(holder)
    assert not UnknownHolders().is_dead(holder)


def test_without_proc_nobody_has_a_name(tmp_path: Path) -> None:
    holders = SystemHolders(tmp_path)
    assert holders.me() is None
    assert not holders.is_dead("a/b/1/2")


def test_the_time_of_day_is_aware_and_in_utc() -> None:
    assert SystemClock().now().utcoffset() is not None
    assert SystemClock().now().isoformat().endswith("+00:00")
