"""Time, chance and processes of this machine."""

from __future__ import annotations

import os
import random
import time
from datetime import UTC, datetime
from pathlib import Path


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class SystemChance:
    """The machine's randomness. Jitter needs no secrecy; ids take their bytes from the system."""

    def uniform(self, low: float, high: float) -> float:
        return random.uniform(low, high)  # noqa: S311 - jitter

    def entropy(self, size: int) -> bytes:
        return os.urandom(size)


class UnknownHolders:
    """Where a ledger is shared by machines, nothing is certain of a process: its lease must lapse."""

    def me(self) -> None:
        return None

    def is_dead(self, holder: str | None) -> bool:  # noqa: ARG002 - whoever it is
        return False


class SystemHolders:
    """Processes of the one machine whose ledger this is, named by its boot, their number and when they began.

    A process number comes back, and a restart of the machine brings all of them back; the three together never do.
    """

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._known: tuple[int, str | None] = (0, None)

    def me(self) -> str | None:
        # Number and name are published together: of threads that come at once none may see a half of it, and a forked
        # child must never go by its parent's name.
        pid, name = self._known
        if pid != os.getpid():
            pid = os.getpid()
            name = self._name(pid)
            self._known = (pid, name)
        return name

    def is_dead(self, holder: str | None) -> bool:
        parts = (holder or "").split("/")
        machine, boot = self._machine(), self._boot()
        if len(parts) != 4 or machine is None or boot is None or parts[0] != machine or not parts[2].isdecimal():
            return False
        return parts[1] != boot or self._began(int(parts[2])) != parts[3]

    def _name(self, pid: int) -> str | None:
        machine, boot, began = self._machine(), self._boot(), self._began(pid)
        return None if machine is None or boot is None or began is None else f"{machine}/{boot}/{pid}/{began}"

    def _machine(self) -> str | None:
        """The machine and the process numbering that this process sees: a container has one of its own."""
        try:
            return f"{os.uname().nodename}-{(self._proc / 'self/ns/pid').readlink().name[5:-1]}"
        except OSError:
            return None

    def _boot(self) -> str | None:
        text = _read(self._proc / "sys/kernel/random/boot_id")
        return text.strip()[:8] if text else None

    def _began(self, pid: int) -> str | None:
        """The 22nd field of /proc/PID/stat (proc_pid_stat(5)); the 2nd may hold spaces and brackets."""
        text = _read(self._proc / str(pid) / "stat")
        if text is None:
            return None
        after_name = text.rpartition(")")[2].split()
        # A zombie has left everything but its entry: it will never act again.
        return None if after_name[0] in "ZX" else after_name[19]


def _read(path: Path) -> str | None:
    try:
        return path.read_text("ascii", "replace")
    except OSError:
        return None
