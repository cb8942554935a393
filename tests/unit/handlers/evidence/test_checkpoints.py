"""Checkpoints are made one after the other, each of what no earlier one holds, and a verification misses nothing."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from typing import BinaryIO

import pytest

from domain.checkpoint import Header, Leaf, Signed, leaves_in, line_of, name_of
from domain.commit import Commit
from domain.errors import LedgerConflict, LedgerUnavailable
from domain.journal import Damaged
from domain.merkle import head_of
from handlers.evidence.verify import MOST_KEPT, Examined, Expected
from projections.evidence import Finding, Judgement, Trouble
from tests.evidence_house import NOON, FakeJournal, FakeSigner, FakeStore, House, life_of, told

ONE, OTHER = life_of("act_1", 3, 1), life_of("act_2", 2, 2, 1)


@pytest.fixture
def house() -> House:
    return House(FakeJournal(ONE, OTHER))


def leaves(house: House, number: int) -> list[tuple[str, int]]:
    return [(leaf.action_id, leaf.version) for leaf in leaves_of(house, number)]


def leaves_of(house: House, number: int) -> list[Leaf]:
    (name,) = [name for name in house.store.names() if name.startswith(f"{number:08}-")]
    file = house.store.read(name)
    assert file is not None
    return list(leaves_in(gzip.GzipFile(fileobj=file)))


def header(house: House, number: int) -> Header:
    file = house.store.read(name_of(number))
    assert file is not None
    return Header.read(Signed.read(file.read()).text)


def troubles(findings: list[Finding]) -> list[str]:
    return [str(finding.trouble) for finding in findings]


def files(house: House) -> dict[str, bytes]:
    assert isinstance(house.store, FakeStore)
    return house.store.files


# -- making them ------------------------------------------------------------------------------------------------------


def test_the_first_one_holds_all_that_there_is_in_the_order_of_its_tree(house: House) -> None:
    sealed = house.seal()

    assert leaves(house, 1) == [("act_1", 1), ("act_1", 4), ("act_2", 1), ("act_2", 3), ("act_2", 5)]
    assert sealed.header == header(house, 1)
    assert sealed.header.root == head_of([commit.hash for commit in ONE + OTHER])
    assert (sealed.header.size, sealed.header.number, sealed.header.previous) == (5, 1, None)
    assert (sealed.header.earliest, sealed.header.latest) == (ONE[0].at, OTHER[2].at)
    assert sealed.findings == []


def test_the_next_one_holds_what_is_new_and_names_the_one_before(house: House) -> None:
    first = house.seal()
    house.now += timedelta(hours=3)
    house.journal.put(life_of("act_2", 2, 2, 1, 4))
    house.journal.put(life_of("act_3", 1, at=house.now))

    second = house.seal()

    assert leaves(house, 2) == [("act_2", 6), ("act_3", 1)]
    assert second.header.previous == first.header.hash
    assert second.header.number == 2
    assert house.found() == []


def test_one_without_anything_new_still_vouches_for_more_time(house: House) -> None:
    first = house.seal()
    house.now += timedelta(hours=3)
    second = house.seal()

    assert (second.header.size, second.header.earliest, second.header.late) == (0, None, 0)
    assert second.header.complete_until > first.header.complete_until
    assert house.found() == []


def test_a_clock_that_goes_back_takes_no_promise_back(house: House) -> None:
    first = house.seal()
    house.now -= timedelta(hours=5)
    assert house.seal().header.complete_until == first.header.complete_until


def test_what_comes_late_is_in_the_next_one_and_told(house: House) -> None:
    house.seal()
    house.journal.put(life_of("act_late", 1, at=NOON - timedelta(hours=1)))
    assert house.found() == [("inserted", "act_late", 1)]

    house.now += timedelta(hours=1)

    assert house.seal().header.late == 1
    verified = house.verify()
    assert (verified.is_sound, verified.late) == (True, 1)


def test_what_says_that_it_is_days_old_is_taken_in_by_nobody_but_a_person(house: House) -> None:
    house.seal()
    house.journal.put(life_of("act_old", 1, at=NOON - timedelta(days=3)))

    assert house.seal().header.size == 0
    assert house.found() == [("inserted", "act_old", 1)]

    assert house.seal(everything=True).header.late == 1
    assert house.found() == []


def test_nothing_is_ever_in_two_trees(house: House) -> None:
    for hour in range(30):
        house.now += timedelta(hours=1)
        house.journal.put(life_of(f"act_{hour:02}", 1, 1, at=house.now - timedelta(minutes=90 * (hour % 3))))
        house.seal(everything=hour % 7 == 6)

    held = [leaf for number in range(1, 31) for leaf in leaves(house, number)]
    assert len(held) == len(set(held)) == 5 + 60
    assert house.found() == []


def test_what_was_committed_by_a_clock_that_is_ahead_is_in_one_tree_too(house: House) -> None:
    house.journal.put(life_of("act_ahead", 1, at=NOON + timedelta(hours=20)))
    house.seal()
    for hour in (30, 40):
        house.now = NOON + timedelta(hours=hour)
        house.seal()

    assert [leaves(house, number) for number in (2, 3)] == [[], []]
    assert house.found() == []


def test_what_was_committed_by_a_clock_that_is_days_ahead_is_counted_and_contradicts_nothing(house: House) -> None:
    house.journal.put(life_of("act_ahead", 1, at=NOON + timedelta(days=5)))
    house.seal()
    for _ in range(5):
        house.now += timedelta(days=1)
        house.seal()

    verified = house.verify()
    assert (verified.is_sound, verified.repeated) == (True, 1)
    proof = house.prove("act_ahead")
    assert proof is not None
    assert (proof.findings, proof.document["commits"][0]["checkpoint"]) == ([], 1)


def test_a_row_that_is_no_commit_is_told_and_keeps_no_other_out(house: House) -> None:
    house.journal.rows["act_1"][0] = Damaged("act_1", 1, "it cannot be read")

    sealed = house.seal()

    assert [told(finding) for finding in sealed.findings] == [("damaged", "act_1", 1)]
    assert leaves(house, 1) == [("act_1", 4), ("act_2", 1), ("act_2", 3), ("act_2", 5)]


def test_what_is_not_what_an_earlier_one_holds_is_told_and_not_signed_anew(house: House) -> None:
    house.seal()
    house.journal.rows["act_1"][1] = replace(ONE[1], at=OTHER[0].at)

    sealed = house.seal()

    assert [told(finding) for finding in sealed.findings] == [("altered", "act_1", 4)]
    assert sealed.header.size == 0


def test_of_two_who_make_one_at_the_same_time_one_begins_again(house: House) -> None:
    class Overtaken(FakeStore):
        others = 1

        def put(self, name: str, file: BinaryIO) -> bool:
            if name.endswith(".checkpoint") and self.others:
                self.others -= 1
                house.now += timedelta(seconds=1)
                assert house.seal().header.number == 1
            return super().put(name, file)

    house.store = Overtaken()

    assert house.seal().header.number == 2
    assert (leaves(house, 2), house.found()) == ([], [])


def test_whoever_is_always_overtaken_says_so(house: House) -> None:
    class Taken(FakeStore):
        def put(self, name: str, file: BinaryIO) -> bool:
            return not name.endswith(".checkpoint") and super().put(name, file)

    house.store = Taken()
    with pytest.raises(LedgerConflict, match="at the same time"):
        house.seal()


@pytest.mark.parametrize("puts", range(2))
def test_one_that_is_cut_short_leaves_nothing_half_and_the_next_one_is_whole(house: House, puts: int) -> None:
    class Dying(FakeStore):
        left = puts

        def put(self, name: str, file: BinaryIO) -> bool:
            if self.left == 0:
                raise KeyboardInterrupt
            self.left -= 1
            return super().put(name, file)

    dying = Dying()
    house.store = dying
    with pytest.raises(KeyboardInterrupt):
        house.seal()
    dying.left = 100

    assert house.checkpoints().newest() == 0
    assert (house.seal().header.number, house.found()) == (1, [])


@pytest.mark.parametrize(
    ("word", "spoil"),
    [
        ("signature", lambda house: spoil_signature(house, 1)),
        ("key", lambda house: setattr(house, "signer", FakeSigner("another"))),
        ("SHA-256", lambda house: spoil_list(house, 1)),
    ],
)
def test_nothing_is_built_upon_what_was_not_signed(house: House, word: str, spoil: Callable[[House], None]) -> None:
    house.seal()
    spoil(house)
    with pytest.raises(LedgerUnavailable, match=word):
        house.seal()
    assert house.checkpoints().newest() == 1


# -- what is wrong with them ------------------------------------------------------------------------------------------


def spoil_signature(house: House, number: int) -> None:
    file = files(house)[name_of(number)]
    files(house)[name_of(number)] = file.replace(b'"late":0', b'"late":1')


def spoil_list(house: House, number: int) -> None:
    (name,) = [name for name in files(house) if name.startswith(f"{number:08}-")]
    files(house)[name] = gzip.compress(gzip.decompress(files(house)[name]).split(b"\n", 1)[1])


@pytest.fixture
def three(house: House) -> House:
    """Checkpoints 1 to 3, with something in each."""
    for number in range(3):
        house.now += timedelta(hours=2)
        house.journal.put(life_of(f"act_of_{number + 1}", 1, 1, at=house.now))
        house.seal()
    return house


def test_a_whole_chain_is_sound(three: House) -> None:
    verified = three.verify()
    assert (verified.is_sound, verified.checkpoints, verified.examined.commits) == (True, 3, 11)
    assert verified.newest == header(three, 3)


@pytest.mark.parametrize("number", [1, 2])
def test_one_that_is_missing_in_between_is_named(three: House, number: int) -> None:
    del files(three)[name_of(number)]
    assert troubles(three.verify().examined.findings) == ["checkpoint_missing"]


def test_all_that_are_missing_in_a_row_are_one_finding(three: House) -> None:
    files(three)["00200000.checkpoint"] = b"x"
    files(three)["00000007.checkpoint"] = b"x"

    findings = three.verify().examined.findings
    assert [(str(finding.trouble), finding.checkpoint) for finding in findings] == [
        ("checkpoint_missing", 4),
        ("checkpoint_unreadable", 7),
        ("checkpoint_missing", 8),
        ("checkpoint_unreadable", 200_000),
    ]
    proof = three.prove("act_1")
    assert proof is not None
    assert [finding.checkpoint for finding in proof.findings] == [200_000, 8, 7, 4]


def test_those_before_the_first_that_is_there_are_missed_too(three: House) -> None:
    del files(three)[name_of(1)]
    assert [(str(finding.trouble), finding.checkpoint) for finding in three.verify().examined.findings] == [
        ("checkpoint_missing", 1)
    ]
    proof = three.prove("act_of_3")
    assert proof is not None
    assert troubles(proof.findings) == ["checkpoint_missing"]


def test_a_name_in_other_digits_is_that_of_no_checkpoint(house: House) -> None:
    house.seal()
    files(house)["\u0660\u0660\u0660\u0660\u0660\u0660\u0660\u0662.checkpoint"] = b"x"
    assert house.seal().header.number == 2


def test_the_last_one_is_missed_by_whoever_remembers_it(three: House) -> None:
    del files(three)[name_of(3)]

    assert three.found() == []
    (finding,) = three.verify(expected=Expected(3)).examined.findings
    assert (finding.trouble, finding.checkpoint) == (Trouble.CHECKPOINT_MISSING, 3)


def test_one_that_was_made_anew_is_found_by_whoever_remembers_its_hash(three: House) -> None:
    remembered = header(three, 3).hash.hex()[:16]
    assert three.verify(expected=Expected(3, remembered)).is_sound

    del files(three)[name_of(3)]
    three.now += timedelta(seconds=1)
    three.seal()

    assert three.verify(expected=Expected(3)).is_sound
    findings = three.verify(expected=Expected(3, remembered)).examined.findings
    assert troubles(findings) == ["checkpoint_replaced"]


def test_what_is_remembered_is_compared_though_it_is_older_than_what_is_looked_at(three: House) -> None:
    remembered = Expected(1, header(three, 1).hash.hex()[:16])
    assert three.verify(since=3, expected=remembered).is_sound

    findings = three.verify(since=3, expected=Expected(1, "deadbeef")).examined.findings
    assert [(str(finding.trouble), finding.checkpoint) for finding in findings] == [("checkpoint_replaced", 1)]
    del files(three)[name_of(2)]
    findings = three.verify(since=3, expected=remembered).examined.findings
    assert [(str(finding.trouble), finding.checkpoint) for finding in findings] == [("checkpoint_missing", 2)]


def test_a_header_that_was_changed_is_named(three: House) -> None:
    spoil_signature(three, 2)
    assert troubles(three.verify().examined.findings) == ["checkpoint_forged"]


def test_what_is_no_header_is_named(three: House) -> None:
    for content in (b"", b"{}\n", b"x" * 10_000, files(three)[name_of(2)][:-3]):
        files(three)[name_of(2)] = content
        assert troubles(three.verify().examined.findings) == ["checkpoint_unreadable"]


def test_another_key_is_named_for_each(three: House) -> None:
    findings = three.verify(key=FakeSigner("another").key).examined.findings
    assert troubles(findings) == ["checkpoint_wrong_key"] * 3


def test_one_that_stands_under_another_number_is_named(three: House) -> None:
    files(three)[name_of(2)] = files(three)[name_of(1)]
    assert troubles(three.verify().examined.findings) == ["checkpoint_replaced"]


def test_a_chain_that_was_put_together_of_two_is_found(three: House) -> None:
    """Signed by the right key, but not one after the other: of a ledger that was set back, and went on."""
    forked = House(FakeJournal(ONE), store=FakeStore(), now=three.now)
    forked.seal()
    files(three)[name_of(1)] = files(forked)[name_of(1)]
    files(three).update({name: data for name, data in files(forked).items() if name.endswith(".gz")})

    assert "checkpoint_unchained" in troubles(three.verify().examined.findings)


def test_a_leaf_list_that_is_gone_or_altered_is_named_and_its_commits_are_not_blamed(three: House) -> None:
    spoil_list(three, 2)
    assert troubles(three.verify().examined.findings) == ["leaves_altered"]

    (name,) = [name for name in files(three) if name.startswith("00000002-")]
    del files(three)[name]
    assert troubles(three.verify().examined.findings) == ["leaves_missing"]


def forged(house: House, number: int, lines: bytes, **changes: object) -> None:
    """A checkpoint as the holder of the key could make it by mistake, or on purpose."""
    packed = gzip.compress(lines)
    changed = replace(header(house, number), leaves=sha256(packed).digest(), **changes)  # type: ignore[arg-type]
    house.store.put(changed.list_name, BytesIO(packed))
    files(house)[name_of(number)] = Signed(changed.text, house.signer.sign(changed.text)).file


def test_a_leaf_list_that_is_not_of_the_signed_head_is_refused(three: House) -> None:
    lines = b"".join(gzip.decompress(files(three)[header(three, 3).list_name]).splitlines(keepends=True)[:1])
    forged(three, 3, lines)
    assert troubles(three.verify().examined.findings) == ["leaves_altered"]
    forged(three, 3, lines, size=1)
    assert troubles(three.verify().examined.findings) == ["leaves_altered"]
    forged(three, 3, b"nonsense\n")
    assert troubles(three.verify().examined.findings) == ["leaves_altered"]


def test_what_two_trees_hold_is_named(three: House) -> None:
    again = replace(leaves_of(three, 1)[0], hash=bytes(32))
    forged(three, 3, line_of(again), root=head_of([again.hash]), size=1)
    (first, *_) = three.verify().examined.findings
    assert (first.trouble, first.action_id, first.checkpoint) == (Trouble.LEAVES_CONTRADICT, again.action_id, 3)


def test_without_any_it_is_said_what_that_leaves_open(house: House) -> None:
    (finding,) = house.verify().examined.findings
    assert finding.trouble is Trouble.NO_CHECKPOINT
    assert "rewritten to its end" in finding.message


# -- what is wrong with the ledger ------------------------------------------------------------------------------------


def test_a_life_in_whose_place_is_another_of_today_is_no_proof_and_never_sound(three: House) -> None:
    """The checkpoint after it takes the other one in: it looks at the last day alone."""
    three.now += timedelta(days=4)
    three.seal()
    three.journal.put(life_of("act_1", 2, at=three.now - timedelta(minutes=30)))
    three.now += timedelta(hours=1)
    assert three.seal().header.size == 1

    proof = three.prove("act_1")
    assert proof is not None
    assert [told(finding) for finding in proof.findings] == [
        ("leaves_contradict", "act_1", 1),
        ("altered", "act_1", 1),
        ("deleted", "act_1", 4),
    ]
    assert proof.document["commits"][0]["checkpoint"] == 1
    assert three.found() == [("leaves_contradict", "act_1", 1), ("altered", "act_1", 1), ("truncated", "act_1", 4)]


def test_events_that_say_they_are_older_than_their_commit_are_no_proof(house: House) -> None:
    state = b'{"at":"2020-03-01T09:00:00.000000Z"}'
    house.journal.put([replace(life_of("act_old", 1)[0], events=(("action.noted", state),), body=b"")])
    assert [told(finding) for finding in house.seal().findings] == [("times_disagree", "act_old", 1)]

    proof = house.prove("act_old")
    assert proof is not None
    assert [told(finding) for finding in proof.findings] == house.found() == [("times_disagree", "act_old", 1)]


def test_an_action_that_was_deleted_whole_is_named_commit_by_commit(three: House) -> None:
    del three.journal.rows["act_2"]
    assert three.found() == [("deleted", "act_2", version) for version in (1, 3, 5)]


def test_a_life_that_is_hidden_from_the_list_of_all_lives_is_still_judged(three: House) -> None:
    class Hiding(FakeJournal):
        def lives(self, *_: object, **__: object):  # type: ignore[no-untyped-def]
            return (life for life in super().lives() if life.action_id != "act_2")

    three.journal = Hiding(*three.journal.rows.values())
    three.journal.rows["act_2"].pop()
    assert three.found() == [("truncated", "act_2", 5)]


def test_what_was_put_in_after_a_checkpoint_is_found_if_it_says_that_it_is_older(three: House) -> None:
    three.journal.put(life_of("act_forged", 2, at=NOON))
    three.journal.put(life_of("act_new", 2, at=three.now))

    verified = three.verify()
    assert [told(finding) for finding in verified.examined.findings] == [("inserted", "act_forged", 1)]
    assert verified.examined.uncovered == 1


def test_only_what_is_new_is_looked_at_where_the_rest_was_verified_before(three: House) -> None:
    three.journal.rows["act_1"].pop()  # held by checkpoint 1, and nearly two days old by then
    three.now += timedelta(days=2)
    three.journal.put(life_of("act_of_4", 1, 1, at=three.now))
    three.seal()
    three.journal.put(life_of("act_of_5", 1, at=three.now + timedelta(hours=1)))

    verified = three.verify(since=4)
    assert (verified.is_sound, verified.examined.lives, verified.examined.uncovered) == (True, 2, 1)
    assert troubles(three.verify().examined.findings) == ["truncated"]

    three.journal.rows["act_of_4"].pop()
    assert ("truncated", "act_of_4", 2) in map(told, three.verify(since=3).examined.findings)
    del three.journal.rows["act_of_4"]
    assert ("deleted", "act_of_4", 1) in map(told, three.verify(since=3).examined.findings)


def test_what_was_verified_before_is_not_looked_for_even_where_its_checkpoint_is_read_again(house: House) -> None:
    house.now = NOON + timedelta(days=2)
    house.journal.put(life_of("act_new", 1, at=house.now - timedelta(hours=2)))
    house.seal()
    house.seal()
    del house.journal.rows["act_1"]

    assert house.verify(since=1).is_sound
    assert troubles(house.verify().examined.findings) == ["deleted", "deleted"]


def test_what_was_put_in_is_found_by_a_short_look_too(three: House) -> None:
    three.journal.put(life_of("act_forged", 2, at=three.now - timedelta(hours=3)))
    assert troubles(three.verify(since=2).examined.findings) == ["inserted"]


def test_a_number_that_is_not_reached_yet_is_missing(three: House) -> None:
    assert troubles(three.verify(since=7).examined.findings) == ["checkpoint_missing"]


def test_findings_without_end_are_counted_and_not_all_kept() -> None:
    examined, part = Examined(), Examined()
    finding = Finding(Trouble.ALTERED, "", "act_1", 1)
    part.take(Judgement(findings=[finding] * (MOST_KEPT + 5), places=[3, 700], commits=1, events=2, uncovered=1))
    examined.take(Judgement(places=[1]))
    examined.add(part)

    assert (len(examined.findings), examined.found) == (MOST_KEPT, MOST_KEPT + 5)
    assert [place for place in range(900) if examined.has_met(place)] == [1, 3, 700]
    assert (examined.lives, examined.commits, examined.events, examined.uncovered) == (2, 1, 2, 1)


# -- proofs -----------------------------------------------------------------------------------------------------------


def test_a_proof_names_what_no_checkpoint_holds_yet(house: House) -> None:
    house.seal()
    house.journal.put(life_of("act_2", 2, 2, 1, 4))

    proof = house.prove("act_2")

    assert proof is not None
    assert (proof.findings, proof.uncovered) == ([], [6])
    assert [commit["leaf"] for commit in proof.document["commits"]] == [2, 3, 4, None]
    assert len(proof.document["checkpoints"]) == 1
    json.dumps(proof.document)


def test_a_proof_says_where_the_ledger_is_not_what_a_checkpoint_holds(house: House) -> None:
    house.seal()
    house.journal.put([replace(OTHER[0], at=OTHER[1].at), OTHER[1]])
    proof = house.prove("act_2")
    assert proof is not None
    assert [told(finding) for finding in proof.findings] == [("altered", "act_2", 1), ("deleted", "act_2", 5)]


def test_a_proof_says_which_checkpoint_cannot_be_trusted(three: House) -> None:
    spoil_signature(three, 2)
    spoil_list(three, 3)
    proof = three.prove("act_1")
    assert proof is not None
    assert troubles(proof.findings) == ["leaves_altered", "checkpoint_forged"]


@pytest.mark.parametrize("at", ["zzz", "", "0001-01-01T00:00:00.000000Z"])
def test_a_time_that_is_none_is_no_reason_to_give_up(house: House, at: str) -> None:
    house.seal()
    house.journal.put([replace(ONE[0], at=at), ONE[1]])
    proof = house.prove("act_1")
    assert proof is not None
    assert [told(finding) for finding in proof.findings] == [("altered", "act_1", 1)]
    assert troubles(house.verify().examined.findings) == ["altered"]
    house.seal()


def test_there_is_no_proof_of_what_there_is_not(house: House) -> None:
    assert house.prove("act_unknown") is None


def test_a_commit_keeps_its_hash_in_the_tree(house: House) -> None:
    house.seal()
    commits: list[Commit] = [*ONE, *OTHER]
    assert [leaf.hash for leaf in leaves_of(house, 1)] == [commit.hash for commit in commits]
