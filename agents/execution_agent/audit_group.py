"""The group of commands that auditors use, `execution-agent audit`; modules add theirs."""

from __future__ import annotations

import typer

app = typer.Typer(name="audit", help="What happened and by whose hand, for auditors; nothing is changed.")
