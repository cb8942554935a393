"""The commands of tamper evidence: `execution-agent audit keygen`, `checkpoint`, `verify`, `prove`."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from agents.execution_agent import evidence, verify_proof
from agents.execution_agent.console import one_line, say
from agents.execution_agent.shell import (
    REFUSED_OR_FAILED,
    USAGE,
    ActionId,
    Json,
    broken_is_one_line,
    print_json,
    refused,
    settings_of_environment,
)
from domain.checkpoint import Header, key_id_of
from handlers.evidence.prove import Proof
from handlers.evidence.seal import Sealed
from handlers.evidence.verify import Expected, Verified
from projections.evidence import Finding

MOST_SHOWN = 100
"""Findings that people are shown; `--json` has more."""
REMEMBERED = 16
"""Digits of a header's hash that are enough to know it again."""

PublicKey = Annotated[
    Path | None,
    typer.Option("--public-key", metavar="FILE", help="PEM, or 32 bytes; else that of the key that signs here."),
]


def register(audit: typer.Typer) -> None:
    """Adds them to the group."""
    for command in (keygen, checkpoint, verify, prove):
        audit.command()(command)


def keygen(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The private key goes here, the public one to FILE.pub.")
    ],
    as_json: Json = False,
) -> None:
    """Make the key that signs checkpoints (Ed25519)."""
    with broken_is_one_line(as_json):
        key_id = key_id_of(evidence.make_key(file))
    if as_json:
        print_json({"key": key_id, "private": str(file), "public": f"{file}.pub"})
    else:
        say(f"{key_id} signs with {file}, and is verified with {file}.pub")
        say(f"export EXECUTION_AGENT_CHECKPOINT_KEY=file:{file}")


def checkpoint(
    everything: Annotated[
        bool, typer.Option("--all", help="Take in whatever no checkpoint holds, however old it says it is.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Sign, outside the ledger, what is new in it."""
    with broken_is_one_line(as_json):
        sealed = evidence.seal(settings_of_environment(), everything=everything)
    if as_json:
        print_json(_sealed_as_dict(sealed))
    else:
        _tell_sealed(sealed)
    raise typer.Exit(REFUSED_OR_FAILED if sealed.findings else 0)


def verify(
    since: Annotated[
        int,
        typer.Option("--since-checkpoint", min=0, metavar="N", help="Take what checkpoints up to N hold for verified."),
    ] = 0,
    expect: Annotated[
        str | None,
        typer.Option("--expect", metavar="N[:HASH]", help="The last checkpoint that you remember, as it was printed."),
    ] = None,
    public_key: PublicKey = None,
    as_json: Json = False,
) -> None:
    """Find whatever was edited, deleted, put in, moved, repeated or cut off."""
    expected = None if expect is None else _expected(expect, as_json)
    with broken_is_one_line(as_json):
        verified = evidence.verify(settings_of_environment(), since=since, expected=expected, public_key=public_key)
    if as_json:
        print_json(_verified_as_dict(verified))
    else:
        _tell_verified(verified)
    raise typer.Exit(0 if verified.is_sound else REFUSED_OR_FAILED)


def prove(
    action_id: ActionId,
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="Else ID.proof.json; - is standard output.")] = None,
    with_verifier: Annotated[
        bool, typer.Option("--with-verifier", help="Put a copy of verify_proof.py beside it.")
    ] = False,
    public_key: PublicKey = None,
    as_json: Json = False,
) -> None:
    """Write the proof of an action, for people without access to the ledger."""
    with broken_is_one_line(as_json):
        proof = evidence.prove(settings_of_environment(), action_id, public_key=public_key)
    if proof is None:
        raise refused(as_json, "not_found", f"no action has the id {action_id!r}", REFUSED_OR_FAILED)
    file = out or Path(f"{action_id}.proof.json")
    _write(proof, file, with_verifier=with_verifier, as_json=as_json)
    if as_json and str(file) != "-":
        print_json(_proof_as_dict(proof, file))
    elif not as_json:
        _tell_proof(proof, file)
    raise typer.Exit(REFUSED_OR_FAILED if proof.findings or proof.uncovered else 0)


def _expected(text: str, as_json: bool) -> Expected:
    found = re.fullmatch(r"0*([1-9][0-9]{0,7})(?::([0-9a-f]{8,64}))?", text)
    if found is None:
        raise refused(as_json, "usage", f"--expect is N or N:HASH, not {text[:80]!r}", USAGE)
    return Expected(int(found[1]), found[2] or "")


def _write(proof: Proof, file: Path, *, with_verifier: bool, as_json: bool) -> None:
    text = json.dumps(proof.document, indent=1) + "\n"
    if str(file) == "-":
        sys.stdout.write(text)
        return
    try:
        file.write_text(text, "utf-8")
        if with_verifier:
            shutil.copyfile(verify_proof.__file__, file.with_name("verify_proof.py"))
    except OSError as error:
        raise refused(as_json, "usage", f"cannot write {error.filename}: {error.strerror}", USAGE) from None


# -- for programs -----------------------------------------------------------------------------------------------------


def _header_as_dict(header: Header) -> dict[str, Any]:
    return {
        "number": header.number,
        "hash": header.hash.hex(),
        "at": header.at,
        "complete_until": header.complete_until,
        "size": header.size,
        "root": header.root.hex(),
        "late": header.late,
        "key": header.key,
    }


def _sealed_as_dict(sealed: Sealed) -> dict[str, Any]:
    return {
        "checkpoint": _header_as_dict(sealed.header),
        "findings": [finding.as_dict() for finding in sealed.findings],
    }


def _verified_as_dict(verified: Verified) -> dict[str, Any]:
    examined = verified.examined
    return {
        "sound": verified.is_sound,
        "found": examined.found,
        "findings": [finding.as_dict() for finding in examined.findings],
        "actions": examined.lives,
        "commits": examined.commits,
        "events": examined.events,
        "under_no_checkpoint": examined.uncovered,
        "before_chaining": examined.unchained,
        "late": verified.late,
        "repeated": verified.repeated,
        "notices": list(verified.notices),
        "checkpoints": verified.checkpoints,
        "newest": None if verified.newest is None else _header_as_dict(verified.newest),
    }


def _proof_as_dict(proof: Proof, file: Path) -> dict[str, Any]:
    return {
        "action_id": proof.document["action_id"],
        "file": str(file),
        "commits": len(proof.document["commits"]),
        "under_no_checkpoint": proof.uncovered,
        "findings": [finding.as_dict() for finding in proof.findings],
    }


# -- for people -------------------------------------------------------------------------------------------------------


def _tell_sealed(sealed: Sealed) -> None:
    header = sealed.header
    say(f"Checkpoint {header.number}: {header.size} commits that no earlier one holds, signed by {header.key}")
    if header.late:
        say(f"{header.late} of them came late: the checkpoint before should have held them")
    say(f"Remember it elsewhere: execution-agent audit verify --expect {_remembered(header)}")
    _tell_findings(sealed.findings, len(sealed.findings))


def _tell_verified(verified: Verified) -> None:
    examined, newest = verified.examined, verified.newest
    console = Console(soft_wrap=True)
    word = ("sound", "bold green") if verified.is_sound else (f"{examined.found} found", "bold red")
    told = f"{examined.lives} actions, {examined.commits} commits, {examined.events} events"
    console.print(Text.assemble(word, f"  {told}, {verified.checkpoints} checkpoints"), highlight=False)
    _tell_findings(examined.findings, examined.found)
    if examined.uncovered:
        say(f"{examined.uncovered} commits are under no checkpoint yet: their chains alone vouch for them")
    if examined.unchained:
        say(f"{examined.unchained} commits are of a time before commits were chained")
    if verified.late:
        say(f"{verified.late} commits came late into a checkpoint: the one before it should have held them")
    if verified.repeated:
        say(f"{verified.repeated} commits are in more than one checkpoint, the same in each: a clock was days ahead")
    for notice in verified.notices:
        say(notice)
    if newest is not None:
        say(f"The last checkpoint is {_remembered(newest)}, of {newest.at}: --expect it the next time")


def _tell_proof(proof: Proof, file: Path) -> None:
    terminal = Console(stderr=True, soft_wrap=True)
    held = len(proof.document["commits"]) - len(proof.uncovered)
    where = "" if str(file) == "-" else f": {file}"
    terminal.print(Text(f"{held} of {len(proof.document['commits'])} commits are proved{where}"), highlight=False)
    if proof.uncovered:
        versions = ", ".join(map(str, proof.uncovered[:MOST_SHOWN]))
        terminal.print(Text(f"under no checkpoint yet, and so not proved: versions {versions}"), highlight=False)
    for finding in proof.findings[:MOST_SHOWN]:
        terminal.print(_line(finding), highlight=False)


def _tell_findings(findings: list[Finding], found: int) -> None:
    console = Console(soft_wrap=True)
    for finding in findings[:MOST_SHOWN]:
        console.print(_line(finding), highlight=False)
    if found > MOST_SHOWN:
        say(f"and {found - MOST_SHOWN} more")


def _line(finding: Finding) -> Text:
    of = [] if finding.checkpoint is None else [f"checkpoint {finding.checkpoint}"]
    if finding.action_id is not None:
        of.insert(0, f"{finding.action_id} version {finding.version}")
    return Text.assemble((f"  {finding.trouble}", "red"), f"  {one_line('  '.join([*of, finding.message]))}")


def _remembered(header: Header) -> str:
    return f"{header.number}:{header.hash.hex()[:REMEMBERED]}"
