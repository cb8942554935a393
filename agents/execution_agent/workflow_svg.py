"""A workflow run as a picture: one SVG, with nothing in it that is loaded, linked or carried out.

Steps stand in rows, each below the last row of what it waits for, and in a row below what they wait for as far as that
goes; so the same run is the same picture, to the byte. What a step stands at is written on it, for colours are not seen
by everybody. Whatever a definition or a provider says is text here, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any
from xml.sax.saxutils import quoteattr

from agents.execution_agent.workflow_marks import MARKS

WIDTH, HEIGHT = 232, 66
"""Of the box of a step."""
ACROSS, DOWN = 24, 44
"""Between two boxes, and between two rows."""
MARGIN, HEAD = 16, 40
LONGEST_LINE = 27
"""Characters that fit into a box."""
LONGEST_TITLE = 500
"""Characters of what is told when somebody points at a box."""

INK, FAINT, PAPER = "#1f2328", "#59636e", "#ffffff"
COLOURS: Mapping[str, tuple[str, str]] = {
    "succeeded": ("#1a7f37", "#dafbe1"),
    "compensated": ("#1a7f37", "#dafbe1"),
    "failed": ("#cf222e", "#ffebe9"),
    "timed_out": ("#cf222e", "#ffebe9"),
    "compensation_failed": ("#cf222e", "#ffebe9"),
    "irreversible": ("#cf222e", "#ffebe9"),
    "running": ("#9a6700", "#fff8c5"),
    "waiting": ("#9a6700", "#fff8c5"),
    "undoing": ("#9a6700", "#fff8c5"),
}
"""The line of a box, and what it is filled with, by the state of the step."""
OTHERS = ("#818b98", "#f6f8fa")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where the box of a step begins."""

    x: int
    y: int


def svg_of(told: Mapping[str, Any]) -> str:
    """The picture of a run, as `workflow_status` tells it."""
    steps: Sequence[Mapping[str, Any]] = told["steps"]
    rows = _rows(steps)
    spots = {
        name: Spot(MARGIN + place * (WIDTH + ACROSS), MARGIN + HEAD + number * (HEIGHT + DOWN))
        for number, row in enumerate(rows)
        for place, name in enumerate(row)
    }
    width = 2 * MARGIN + max([WIDTH, *(len(row) * (WIDTH + ACROSS) - ACROSS for row in rows)])
    height = 2 * MARGIN + HEAD + len(rows) * (HEIGHT + DOWN) - (DOWN if rows else 0)
    return "\n".join(_lines(told, spots, width, height)) + "\n"


def _rows(steps: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The ids of each row. Within one they stand as what they wait for stands, and else in the order of the run."""
    needs: Mapping[str, Sequence[str]] = {step["id"]: step["needs"] for step in steps}
    level: dict[str, int] = {}
    for name in TopologicalSorter(needs).static_order():
        level[name] = 1 + max((level[need] for need in needs.get(name, ())), default=-1)
    rows: list[list[str]] = [[] for _ in range(max(level.values(), default=-1) + 1)]
    for name in needs:
        rows[level[name]].append(name)
    places: dict[str, float] = {}
    for row in rows:
        row.sort(key=lambda name: sum(places[need] for need in needs[name]) / max(len(needs[name]), 1))
        places.update((name, place) for place, name in enumerate(row))
    return rows


def _lines(told: Mapping[str, Any], spots: Mapping[str, Spot], width: int, height: int) -> Iterator[str]:
    head = f"{told['name']}: {told['status']}"
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' role="img" aria-label={quoteattr(_plain(head))} font-family="ui-monospace, monospace" font-size="13">'
    )
    yield f'<rect width="{width}" height="{height}" fill="{PAPER}"/>'
    yield _text(Spot(MARGIN, MARGIN + 14), head, INK, bold=True)
    yield _text(Spot(MARGIN, MARGIN + 30), str(told["run_id"]), FAINT)
    for step in told["steps"]:
        for need in step["needs"]:
            yield _edge(spots[need], spots[step["id"]])
    for step in told["steps"]:
        yield from _box(step, spots[step["id"]])
    yield "</svg>"


def _edge(above: Spot, below: Spot) -> str:
    x1, y1, x2, y2 = above.x + WIDTH // 2, above.y + HEIGHT, below.x + WIDTH // 2, below.y
    half = (y2 - y1) // 2
    return f'<path d="M{x1} {y1}C{x1} {y1 + half} {x2} {y2 - half} {x2} {y2}" fill="none" stroke="{FAINT}"/>'


def _box(step: Mapping[str, Any], spot: Spot) -> Iterator[str]:
    state, error = step["status"], step["error"]
    line, fill = COLOURS.get(state, OTHERS)
    yield f"<g><title>{_escaped(_whole(step)[:LONGEST_TITLE])}</title>"
    yield (
        f'<rect x="{spot.x}" y="{spot.y}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{fill}" stroke="{line}"'
        f' stroke-width="2"/>'
    )
    written = (
        (20, f"{MARKS.get(state, '?')} {step['id']}", INK),
        (38, step["uses"] or step["kind"], FAINT),
        (56, f"{state}, {error['code']}" if error else state, line),
    )
    for down, text, colour in written:
        yield _text(Spot(spot.x + 10, spot.y + down), _short(text), colour, bold=down == 20)
    yield "</g>"


def _whole(step: Mapping[str, Any]) -> str:
    error, needs = step["error"], ", ".join(step["needs"])
    said = [f"{step['id']} ({step['uses'] or step['kind']}): {step['status']}"]
    said += [f"after {needs}"] if needs else []
    said += [f"{error['code']}: {error['message']}"] if error else []
    return "; ".join([*said, *(step[name] for name in ("action_id", "run_id") if step[name])])


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE - 1]}…"


def _text(spot: Spot, text: str, colour: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{spot.x}" y="{spot.y}" fill="{colour}"{weight}>{_escaped(text)}</text>'


def _escaped(text: str) -> str:
    return _plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str) -> str:
    """Without what XML has no place for, and on one line."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)
