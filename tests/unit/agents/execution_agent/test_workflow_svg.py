"""A run as a picture: readable without colours, the same each time, and nothing in it that anybody could make run."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.execution_agent.workflow_marks import MARKS
from agents.execution_agent.workflow_svg import HEIGHT, WIDTH, svg_of
from domain.workflow_standing import RunStatus, StepStatus, UndoStatus

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</text><script>alert('1')</script>&lol; \"><img src=x onerror=alert(1)> ]]> \x00\x1b[31m\ud800\ufffe\u202e"


def step(name: str, *needs: str, status: str = "succeeded", uses: str | None = "do", **more: Any) -> dict[str, Any]:
    told = {"id": name, "kind": "action", "uses": uses, "needs": [*needs], "status": status, "action_id": None}
    return {**told, "run_id": None, "error": None, **more}


def run(*steps: dict[str, Any], name: str = "onboarding") -> dict[str, Any]:
    return {"run_id": "run_1", "name": name, "status": "running", "steps": [*steps]}


def drawn(told: dict[str, Any]) -> ET.Element:
    return ET.fromstring(svg_of(told))


def written(picture: ET.Element) -> list[str]:
    return [element.text or "" for element in picture.iter(f"{SVG}text")]


def boxes(picture: ET.Element) -> dict[str, tuple[int, int]]:
    """Where each step stands, by its name."""
    found = {}
    for group in picture.iter(f"{SVG}g"):
        rect, text = group.find(f"{SVG}rect"), group.find(f"{SVG}text")
        assert rect is not None
        assert text is not None
        found[(text.text or "")[2:]] = (int(rect.attrib["x"]), int(rect.attrib["y"]))
    return found


def test_each_step_says_what_it_is_and_where_it_stands() -> None:
    failed = step(
        "b", "a", status="failed", uses="send_slack", error={"code": "http_404", "message": "no such channel"}
    )
    told = written(drawn(run(step("a"), failed, step("c", "b", status="pending", uses=None))))
    assert told[:2] == ["onboarding: running", "run_1"]
    assert told[2:] == ["✓ a", "do", "succeeded", "✗ b", "send_slack", "failed, http_404", "· c", "action", "pending"]


@pytest.mark.parametrize("status", [*MARKS])
def test_every_state_is_told_in_words(status: str) -> None:
    assert status in written(drawn(run(step("a", status=status))))


def test_there_is_a_mark_for_every_state() -> None:
    assert {*map(str, StepStatus), *map(str, UndoStatus), "pending", "running", "waiting", "undoing"} == {*MARKS}
    assert not {*map(str, RunStatus)} & {"pending", "waiting"}


def test_a_step_stands_below_all_that_it_waits_for_and_no_box_covers_another() -> None:
    steps = [step("a"), step("b", "a"), step("c"), step("d", "a", "c"), step("e", "b", "d"), step("f", "a", "e")]
    picture = drawn(run(*steps))
    spots = boxes(picture)
    for one in steps:
        assert all(spots[one["id"]][1] >= spots[need][1] + HEIGHT for need in one["needs"])
    assert len({*spots.values()}) == len(steps)
    assert all(
        abs(x1 - x2) >= WIDTH or abs(y1 - y2) >= HEIGHT
        for n, (x1, y1) in enumerate(spots.values())
        for x2, y2 in [*spots.values()][:n]
    )
    assert len([*picture.iter(f"{SVG}path")]) == sum(len(one["needs"]) for one in steps)
    width, height = int(picture.attrib["width"]), int(picture.attrib["height"])
    assert all(x + WIDTH <= width and y + HEIGHT <= height for x, y in spots.values())


def test_the_same_run_is_the_same_picture() -> None:
    steps = [step(f"s{n}", *([f"s{n // 2}"] if n else [])) for n in range(30)]
    assert svg_of(run(*steps)) == svg_of(run(*steps))


def test_whatever_a_name_or_a_provider_says_is_text_and_nothing_else() -> None:
    error = {"code": HOSTILE, "message": HOSTILE}
    text = svg_of(run(step("a", uses=HOSTILE, status="failed", error=error), name=HOSTILE))
    picture = ET.fromstring(text)
    assert {element.tag for element in picture.iter()} <= {
        f"{SVG}{tag}" for tag in ("svg", "g", "rect", "path", "text", "title")
    }
    names = {name for element in picture.iter() for name in element.attrib}
    assert not [name for name in names if name.startswith("on") or "href" in name or "style" in name]
    assert "<script" not in text
    assert "\x1b" not in text
    assert "\u202e" not in text
    text.encode()


@given(st.text(max_size=60), st.text(max_size=60))
@settings(max_examples=80, deadline=None)
def test_any_text_is_drawn(name: str, message: str) -> None:
    error = {"code": message, "message": message}
    drawn(run(step("a", uses=name or None, status="failed", error=error), name=name))


def test_what_does_not_fit_is_shortened_and_told_whole_to_whoever_points_at_it() -> None:
    picture = drawn(run(step("x" * 64, uses="y" * 64, action_id="act_1")))
    assert max(map(len, written(picture)[2:])) <= 27
    (title,) = (element.text or "" for element in picture.iter(f"{SVG}title"))
    assert title == f"{'x' * 64} ({'y' * 64}): succeeded; act_1"


def test_a_thousand_steps_and_none_are_drawn() -> None:
    assert len(boxes(drawn(run(*(step(f"s{n}", *([f"s{n - 1}"] if n % 50 else [])) for n in range(1_000)))))) == 1_000
    assert boxes(drawn(run())) == {}
