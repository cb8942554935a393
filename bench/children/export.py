"""Exports a ledger to a file, and says how much memory that took. Arguments: the ledger's file, a format, a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from time import perf_counter

from agents.execution_agent.agent import ExecutionAgent
from agents.execution_agent.config import Settings
from bench.memory import peak_mib
from bench.ours import sqlite_ledger

ledger, wanted, folder = sys.argv[1:]
out = Path(folder) / f"export.{wanted}"
with ExecutionAgent(Settings.from_environment(sqlite_ledger(Path(ledger)))) as agent:
    begun, start_mib = perf_counter(), peak_mib()
    pieces, tally = agent.export(wanted)
    with out.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(pieces)
    seconds = perf_counter() - begun
said = {"events": tally.events, "findings": tally.findings, "seconds": seconds, "bytes": out.stat().st_size}
print(json.dumps({**said, "start_mib": start_mib, "peak_mib": peak_mib()}))
