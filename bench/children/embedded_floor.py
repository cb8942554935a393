"""The floor of a cold start: the libraries that a program like ours stands on, and one POST.

Argument: the sink's port.
"""

from __future__ import annotations

import json
import sys

import apsw
import eventsourcing.application
import httpx
import pydantic

from bench.workload import MESSAGE, Sender

Sender(int(sys.argv[1])).post(MESSAGE)
print(json.dumps({"stands_on": [library.__name__ for library in (apsw, eventsourcing, httpx, pydantic)]}))
