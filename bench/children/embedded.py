"""A fresh embedded agent: its first action on a new SQLite file. Arguments: the file, the sink's port."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from bench.loaded import loaded_needlessly
from bench.ours import bench_agent, must_succeed, sqlite_ledger
from bench.workload import POST_REQUEST, Sender

file, port = sys.argv[1:]
agent = bench_agent(sqlite_ledger(Path(file)), post=Sender(int(port)).post)
must_succeed(agent.process(POST_REQUEST))
print(json.dumps({"needless": loaded_needlessly("boto3", "botocore", "httpx", "httpcore", "jinja2")}))
