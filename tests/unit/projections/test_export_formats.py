"""What an export is written as: sound in its format, whatever stands in the ledger."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable
from html.parser import HTMLParser
from io import StringIO
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given, strategies
from jsonschema import Draft202012Validator

from domain.journal import Damaged, Life
from projections import export_csv, export_html, export_jsonl, export_ocsf
from projections.export_csv import FORMULA, cell
from projections.export_records import COLUMNS, Record, records_of
from projections.field_shapes import Shapes
from projections.reading import read
from projections.redaction import Redactor
from tests.given import ACTION_ID
from tests.lives import ATTEMPTED, MAPPER, REQUEST, REQUESTED, SUCCEEDED, VALIDATED, commit, greeted, life

OCSF = Draft202012Validator(json.loads((Path(__file__).parent / "ocsf_1_9_0_api_activity.json").read_text("utf-8")))
HOSTILE = "=1+1 <script>alert(1)</script> \u202e\x1b[2J \" ' , ; \r\n \u2028 \u200b \ud800"
TEXTS = strategies.text(strategies.characters(exclude_categories=["Cs"]))


def records(told: Life) -> list[Record]:
    return records_of(read(told, MAPPER), Shapes([]), Redactor(b"k"))


def eventful() -> list[list[Record]]:
    """Lives of all kinds, with a finding of each kind among them."""
    undo = {"compensation": "act_undo", "look_at": ATTEMPTED[1]["lease_until"], "by": "ada", "why": "wrong"}
    doubt = ("action.in_doubt", {"reason": "outcome_unknown", "code": "timeout", "message": "no answer"})
    failed = ("action.failed", {"reason": "permanent", "code": "http_404", "message": "gone"})
    return [
        records(greeted()),
        records(life(commit(1, REQUESTED, VALIDATED, ATTEMPTED, SUCCEEDED, ("action.compensation_requested", undo)))),
        records(
            life(commit(1, REQUESTED, VALIDATED, ATTEMPTED, doubt, ("action.probed", {"finding": "x", "message": "y"})))
        ),
        records(
            life(
                commit(1, REQUESTED, VALIDATED, ("action.blessed", {})),
                Damaged(ACTION_ID, 4, "torn"),
                commit(7, failed),
            )
        ),
        records(hostile()),
        records(life(Damaged("\x00\u202e", 0, HOSTILE), action_id="\x00\u202e")),
    ]


def hostile() -> Life:
    """A life whose every text is an attack."""
    request = {"action_type": HOSTILE, "parameters": {HOSTILE: HOSTILE}, "correlation_id": HOSTILE}
    request["decision"] = {"id": HOSTILE, "agent": HOSTILE, "reason": HOSTILE, HOSTILE: HOSTILE}
    said = {"request": {**REQUEST, **request}, "fingerprint": HOSTILE, "effect_key": HOSTILE}
    denied = ("action.denied", {"by": HOSTILE, "why": HOSTILE})
    ended = ("action.failed", {"reason": HOSTILE, "code": HOSTILE, "message": HOSTILE})
    return life(commit(1, ("action.requested", said), VALIDATED, denied, ended))


# -- JSON Lines -------------------------------------------------------------------------------------------------------


def test_every_line_of_json_lines_is_a_record_as_its_schema_says() -> None:
    lives = eventful()
    text = "".join(export_jsonl.jsonl(lives))
    lines = [json.loads(line) for line in text.splitlines()]

    assert text.isascii()
    assert len(lines) == sum(map(len, lives))
    schema = Draft202012Validator(export_jsonl.schema())
    for line in lines:
        schema.validate(line)
    assert [line["version"] for line in lines[:4]] == [1, 2, 3, 4]


# -- CSV --------------------------------------------------------------------------------------------------------------


def read_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO(text, newline=""), strict=True))


def test_a_csv_reads_back_as_what_was_written() -> None:
    lives = eventful()
    text = "".join(export_csv.csv(lives))
    rows = read_csv(text)

    assert text.endswith("\r\n")
    assert tuple(rows[0]) == COLUMNS == tuple(column["name"] for column in export_csv.schema()["columns"])
    for row, record in zip(rows, chain(*lives), strict=True):
        for name, value in record.as_dict().items():
            assert row[name].removeprefix("'") == (
                "" if value is None else value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
            )


def test_no_cell_of_a_hostile_life_begins_as_a_formula_does() -> None:
    for row in read_csv("".join(export_csv.csv([records(hostile())]))):
        assert all(value[:1] not in FORMULA for value in row.values())


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\0=1", "|cmd", "%1",
        "＝1", "＋1", "－1", "＠SUM", "﹦1", "﹢1", "﹣1", "﹫x", "−1",
        "  =1", "\u00a0=1", "\u3000=1", "\u200b=1", "\ufeff=1", '"=1', "'=1", "' =1",
    ],
)  # fmt: skip
def test_what_a_spreadsheet_would_calculate_has_an_apostrophe_before_it(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "act_01", "2026-03-01", "Ada = Bob", "a-b", "{}", "日本"])
def test_what_is_none_stays_as_it_is(text: str) -> None:
    assert cell(text) == text


def test_what_begins_with_an_apostrophe_itself_gets_another_one() -> None:
    assert cell("'tis") == "''tis"


@given(text=TEXTS)
def test_any_cell_is_no_formula_reads_back_and_gives_what_was_there(text: str) -> None:
    record = Record(ACTION_ID, 1, agent=text)
    (row,) = read_csv("".join(export_csv.csv([[record]])))

    assert row["agent"] == cell(text)
    assert row["agent"].removeprefix("'") == text if row["agent"][:1] == "'" else row["agent"] == text
    assert row["agent"].lstrip()[:1] not in FORMULA


# -- OCSF -------------------------------------------------------------------------------------------------------------


def events(lives: Iterable[list[Record]]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in export_ocsf.ocsf(lives, product_version="0.1.0")]


def test_every_event_is_an_api_activity_as_the_framework_defines_it() -> None:
    lives = eventful()
    told = events(lives)

    assert len(told) == sum(map(len, lives))
    for event in told:
        OCSF.validate(event)
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]


def test_an_event_says_who_what_when_and_with_what_end() -> None:
    first, *_, last = events([records(greeted())])

    assert first["time"] == 1_772_366_400_000
    assert first["metadata"]["uid"] == f"{ACTION_ID}:1"
    assert first["metadata"]["correlation_uid"] == "c-1"
    assert first["ai_agent"] == {"name": "renewals"}
    assert first["metadata"]["profiles"] == ["ai_operation", "record_integrity"]
    assert first["api"]["operation"] == "greet"
    assert (last["status_id"], last["status"], last["activity_id"]) == (1, "Success", 3)


def test_a_person_who_acted_is_the_actor_and_else_it_is_the_agent_itself() -> None:
    told = events([records(life(commit(1, REQUESTED, VALIDATED, ("action.cancelled", {"by": "ada", "why": "no"}))))])
    assert [event["actor"]["user"]["name"] for event in told] == ["execution-agent", "execution-agent", "ada"]


def test_an_attestation_is_of_the_whole_event_and_binds_it_to_the_one_before() -> None:
    before = None
    for event in events([records(greeted())]):
        (attestation,) = event["attestation_list"]
        fingerprint = attestation.pop("fingerprint")
        assert fingerprint["value"] == hashlib.sha256(rfc8785.dumps(event)).hexdigest()
        if before is not None:
            assert attestation["prev_event"]["uid"] == before[0]
            assert attestation["prev_event"]["fingerprint"] == before[1]
        before = event["metadata"]["uid"], fingerprint
        assert attestation["chain_uid"] == ACTION_ID


def test_an_event_bears_the_hash_of_its_commit() -> None:
    row = commit(1, REQUESTED, VALIDATED)
    for event in events([records(life(row))]):
        assert event["raw_data_hash"]["value"] == row.hash.hex()


def test_numbers_that_no_reader_of_json_agrees_about_are_told_as_text() -> None:
    said = ("action.succeeded", {"epoch": 2**70, "result": {}})
    (*_, last) = events([records(life(commit(1, REQUESTED, VALIDATED, ATTEMPTED, said)))])

    OCSF.validate(last)
    assert json.loads(last["api"]["request"]["data"])["epoch"] == 2**70


def test_a_finding_is_severe_and_stands_in_time_where_it_stands_in_the_life() -> None:
    told = events([records(life(commit(1, REQUESTED), Damaged(ACTION_ID, 2, "torn"), commit(3, VALIDATED)))])

    assert told[1]["severity_id"] == 4
    assert told[1]["status_code"] == "damaged"
    assert told[1]["time"] == told[0]["time"]


# -- HTML -------------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a browser would find on it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


TAGS = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "section", "dl", "dt", "dd", "table", "thead"}
TAGS |= {"tbody", "tr", "th", "td", "code", "br", "footer"}


def test_the_page_is_whole_in_itself_and_has_no_script() -> None:
    text = "".join(export_html.html(eventful(), {"Made by": "execution-agent 0.1.0"}))
    page = Page(text)

    assert page.tags <= TAGS
    assert page.attributes <= {"lang", "charset", "http-equiv", "content", "name", "class"}
    assert "default-src 'none'" in text
    assert "@media print" in text
    assert "http:" not in text
    assert "https:" not in text


def test_hostile_text_is_text_and_what_cannot_be_seen_is_named() -> None:
    text = "".join(export_html.html([records(hostile())], {"<b>": HOSTILE}))
    page = Page(text)

    assert page.tags <= TAGS
    assert "<script>alert(1)</script>" in page.text
    assert not {"\u202e", "\x1b", "\u2028", "\u200b", "\ud800"} & set(text)
    assert "\\u202e" in page.text
    text.encode()


def test_a_finding_stands_out_on_the_page_and_is_counted_at_its_end() -> None:
    text = "".join(export_html.html(eventful(), {}))

    assert text.count('<tr class="finding">') == sum(
        record.problem is not None for life in eventful() for record in life
    )
    assert "The end." in text


@given(text=TEXTS)
def test_no_text_brings_a_tag_to_the_page(text: str) -> None:
    page = Page(
        "".join(export_html.html([[Record(ACTION_ID, 1, type=text, agent=text, data={text: text})]], {text: text}))
    )
    assert page.tags <= TAGS
