"""Figures, their targets, and how a report of them reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isclose
from typing import Any


@dataclass(frozen=True)
class Target:
    """A bound that a figure must keep. `relation` is one of `<=`, `>=`, `=`."""

    relation: str
    bound: float

    def is_met_by(self, value: float) -> bool:
        if self.relation == "=":
            return isclose(value, self.bound, abs_tol=1e-9)
        return value <= self.bound if self.relation == "<=" else value >= self.bound

    def __str__(self) -> str:
        return f"{self.relation} {_number(self.bound)}"


def at_most(bound: float) -> Target:
    return Target("<=", bound)


def at_least(bound: float) -> Target:
    return Target(">=", bound)


def exactly(bound: float) -> Target:
    return Target("=", bound)


@dataclass(frozen=True)
class Figure:
    """One measured or counted value. `beside` is what it was made of, by name: the value and its unit."""

    name: str
    value: float
    unit: str
    target: Target | None = None
    counted: bool = False
    beside: Mapping[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool | None:
        """None when nothing is asked of it."""
        return None if self.target is None else self.target.is_met_by(self.value)

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "target": None if self.target is None else str(self.target),
            "passed": self.passed,
            "counted": self.counted,
            "beside": dict(self.beside),
        }


def ratio(
    name: str, ours: float, floor: float, target: Target | None = None, *, shown: str = "{:.2f} ms", scale: float = 1e3
) -> Figure:
    """Ours as a multiple of the floor; both are shown beside it, in seconds unless `shown` and `scale` say else."""
    beside = {"ours": shown.format(ours * scale), "floor": shown.format(floor * scale)}
    return Figure(name, ours / floor, "x floor", target, beside=beside)


def absence(name: str, found: Sequence[str]) -> Figure:
    """How many there are of what there should be none of, and which."""
    return Figure(name, len(found), "found", exactly(0), counted=True, beside={"they are": ", ".join(found) or "none"})


_VERDICTS = {True: "PASS", False: "MISS", None: ""}


def lines_of(title: str, figures: Sequence[Figure]) -> list[str]:
    """A part's figures as aligned lines, for people."""
    rows = [
        (
            figure.name,
            f"{_number(figure.value)} {figure.unit}",
            "" if figure.target is None else str(figure.target),
            _VERDICTS[figure.passed],
            ", ".join(f"{name} {value}" for name, value in figure.beside.items()),
        )
        for figure in figures
    ]
    widths = (46, 18, 10, 4)
    columns = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]) for row in rows
    ]
    return [title, *("  " + line.rstrip() for line in columns), ""]


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}"
