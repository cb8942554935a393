"""How much memory this process has taken so far."""

from __future__ import annotations

import resource
from pathlib import Path


def peak_mib() -> float:
    """Linux's own high-water mark: `ru_maxrss` begins with what the parent had when it forked."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text("ascii").partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2  # macOS counts bytes
