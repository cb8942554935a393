"""Templates on disk, as an author leaves them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from adapters.templates import RenderedTemplate, Templates
from domain.errors import Refused

ANY = dict.fromkeys(("a", "b", "items", "order", "amount", "name", "day", "flag"), "any")


def write_template(
    directory: Path,
    name: str = "note",
    *,
    declaration: Any = None,
    subject: str = "A note",
    text: str = "Hello",
    html: str | None = None,
) -> Path:
    """A folder with a template's files. A declaration that is a string is written as it is."""
    folder = directory / name
    folder.mkdir(parents=True, exist_ok=True)
    declaration = {"variables": ANY} if declaration is None else declaration
    written = declaration if isinstance(declaration, str) else json.dumps(declaration)
    (folder / "template.json").write_text(written, encoding="utf-8")
    (folder / "subject.txt").write_text(subject, encoding="utf-8")
    (folder / "body.txt").write_text(text, encoding="utf-8")
    if html is not None:
        (folder / "body.html").write_text(html, encoding="utf-8")
    return folder


def rendered(directory: Path, variables: dict[str, Any] | None = None, **files: Any) -> RenderedTemplate:
    """What a template of these files makes of the variables."""
    write_template(directory, **files)
    return Templates(directory).render("note", variables or {})


def refusal_of(act: Callable[[], object]) -> Refused | None:
    """The refusal that an act ends in, if it does. Any other exception fails the test."""
    try:
        act()
    except Refused as refused:
        return refused
    return None
