"""An export as a page: whole in itself, without scripts, for the screen and for paper.

Whatever stands in the ledger is text here. Characters that cannot be seen are shown as what they are, and none of them
turns the direction of what follows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from projections.export_records import Record

_STYLE = """
:root { color-scheme: light; font: 14px/1.45 system-ui, sans-serif; color: #1c1e21; }
body { margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .25rem; }
h2 { font-size: 1rem; margin: 2rem 0 .25rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: .5rem 0; }
dt { color: #5b6068; }
dd { margin: 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
th, td { border-bottom: 1px solid #d8dbe0; padding: .3rem .5rem; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; unicode-bidi: isolate; }
th { color: #5b6068; font-weight: 600; }
th:nth-child(1) { width: 13rem; } th:nth-child(2) { width: 11rem; } th:nth-child(3) { width: 11rem; }
code { font: 12px/1.4 ui-monospace, monospace; white-space: pre-wrap; }
tr.finding td { background: #fdecea; }
footer { border-top: 2px solid #1c1e21; margin-top: 2rem; padding-top: .5rem; }
@page { size: A4 landscape; margin: 14mm; }
@media print {
  :root { font-size: 9.5px; }
  body { margin: 0; max-width: none; padding: 0; }
  h2, thead { break-after: avoid; }
  thead { display: table-header-group; }
  tr { break-inside: avoid; }
  tr.finding td { background: none; border-left: 3px solid #b3261e; }
}
"""
_HEAD = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>Audit export</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>Audit export</h1>
"""
_COLUMNS = ("When (UTC)", "What", "Who, how often", "What it says", "Commit")


def html(lives: Iterable[Sequence[Record]], about: Mapping[str, str]) -> Iterator[str]:
    """The page, piece by piece; `about` is what it says of itself, by name."""
    yield _HEAD + _definitions(about)
    events = findings = 0
    for life in lives:
        if life:
            yield _section(life)
        events += sum(record.type is not None for record in life)
        findings += sum(record.problem is not None for record in life)
    yield f"<footer>The end. Events: {events}. Findings: {findings}.</footer>\n</body>\n</html>\n"


def schema() -> dict[str, Any]:
    """How the page is made."""
    return {"title": "The page of an audit export", "columns": list(_COLUMNS), "section": "one action, or workflow run"}


def _section(life: Sequence[Record]) -> str:
    first = life[0]
    told = {
        "Type": first.action_type,
        "Decided by": first.agent,
        "Decision": first.decision_id,
        "Correlation": first.correlation_id,
        "Step": f"{first.step} of {first.run}" if first.run else None,
    }
    head = "".join(f"<th>{column}</th>" for column in _COLUMNS)
    rows = "".join(map(_row, life))
    return (
        f"<section>\n<h2>{_seen(first.action_id)}</h2>\n{_definitions(told)}"
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n</section>\n"
    )


def _row(record: Record) -> str:
    tried = None if record.attempt is None else f"attempt {record.attempt}, route {record.route}"
    cells = (
        _seen(record.at or ""),
        _lines(record.type, record.outcome, record.code, record.problem),
        _lines(record.actor, tried),
        _lines(record.message) + _code(record.data),
        f"<code>{_seen(_commit(record))}</code>",
    )
    finding = ' class="finding"' if record.problem else ""
    return f"<tr{finding}>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n"


def _commit(record: Record) -> str:
    return "" if record.commit_hash is None else f"{record.commit_version}: {record.commit_hash}"


def _code(data: object) -> str:
    return "" if data is None else f"<code>{_seen(json.dumps(data, ensure_ascii=False))}</code>"


def _lines(*said: str | None) -> str:
    return "<br>".join(_seen(one) for one in said if one)


def _definitions(told: Mapping[str, str | None]) -> str:
    rows = "".join(f"<dt>{_seen(name)}</dt><dd>{_seen(value)}</dd>" for name, value in told.items() if value)
    return f"<dl>{rows}</dl>\n"


def _seen(text: str) -> str:
    visible = text if text.isprintable() else "".join(one if one.isprintable() else _named(one) for one in text)
    return escape(visible)


def _named(character: str) -> str:
    return f"\\u{ord(character):04x}"
