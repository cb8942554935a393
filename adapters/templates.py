"""Message templates from directories: `NAME/template.json`, `subject.txt`, `body.txt` and, if it is there, `body.html`.

The directories are searched in order, and after them the templates that ship with the project. The first folder of
the name counts, even if it is faulty. What may stand in the files: `adapters.template_declaration` (template.json),
`adapters.template_language` and `adapters.template_filters` (the rest). Jinja is loaded at the first render.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from adapters.template_declaration import VARIABLES_FIELD, Declaration, unfit_variable, unusable_template

if TYPE_CHECKING:
    from adapters.template_language import CompiledTemplate
    from domain.mail_policy import MailPolicy

LARGEST_FILE = 64 * 1024
"""Bytes of one file of a template."""
LONGEST_SUBJECT = 998
"""Characters."""
LARGEST_BODY = 1024 * 1024
"""Bytes of one rendered body, in UTF-8."""

_SHIPPED = Path(__file__).with_name("shipped_templates")
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
_REQUIRED_FILES = ("template.json", "subject.txt", "body.txt")
_FILES = (*_REQUIRED_FILES, "body.html")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SETTLED_NS = 1_000_000_000
_MOST_NAMES_LISTED = 20

_Stamp: TypeAlias = tuple[tuple[int, int, int] | None, ...]


@dataclass(frozen=True, slots=True)
class RenderedTemplate:
    """A message. `sha256` is of the template's own files: what `sha256sum body.html body.txt subject.txt template.json
    | sha256sum` says in its folder (without body.html where there is none)."""

    subject: str
    text: str
    html: str | None
    sha256: str
    policy: MailPolicy | None = None


class Templates:
    """Templates by name. One instance serves every thread; a template that changes on disk is read again.

    `now_ns` is the time of day in nanoseconds, by the clock that stamps the files.
    """

    def __init__(self, *directories: str | Path, now_ns: Callable[[], int] = time.time_ns) -> None:
        self._directories = (*(Path(directory) for directory in directories), _SHIPPED)
        self._now_ns = now_ns
        self._cache: dict[Path, _Cached] = {}

    def render(self, name: str, variables: Mapping[str, Any]) -> RenderedTemplate:
        """The message that template `name` makes of JSON variables.

        Raises InvalidTemplate, MissingVariable or InvalidVariable; the details' fields are `parameters.template` or
        dotted paths such as `parameters.variables.renewal_date`.
        """
        template = self._template(name)
        template.declaration.check(variables)
        return RenderedTemplate(
            subject=_checked_subject(template.subject.render(variables)),
            text=_checked_body(template.text.render(variables)),
            html=_checked_body(template.html.render(variables)) if template.html else None,
            sha256=template.sha256,
            policy=template.declaration.policy,
        )

    def file(self, name: str, file: str, *, at_most: int) -> bytes:
        """A file that lies beside the template's own, of `at_most` bytes, and nowhere else. Raises InvalidTemplate."""
        folder = self._folder(name)
        content = _read_file(folder, file, folder.resolve(), at_most)
        if content is None:
            raise unusable_template(f"template {name} has no {file}")
        return content

    def _template(self, name: str) -> _Template:
        return self._load(self._folder(name))

    def _folder(self, name: str) -> Path:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or ".." in name:
            raise unusable_template("a template's name is made of a-z 0-9 _ . - (64 at most, no two dots in a row)")
        for directory in self._directories:
            folder = directory / name
            if _is_folder(folder):
                return folder
        raise unusable_template(f"no template is called {name}; there are: {self._known_names()}")

    def _load(self, folder: Path) -> _Template:
        stamp = _stamp(folder)
        cached = self._cache.get(folder)
        if cached and cached.stamp == stamp:
            return cached.template
        files = _read(folder)
        digest = _digest(files)
        template = cached.template if cached and cached.template.sha256 == digest else _compile(files, digest)
        self._cache[folder] = _Cached(stamp if self._is_settled(stamp) else None, template)
        return template

    def _is_settled(self, stamp: _Stamp) -> bool:
        """A file written a moment ago may be written again in the same tick of its clock: its stamp proves nothing."""
        youngest = max((written for _, _, written in filter(None, stamp)), default=0)
        return self._now_ns() - youngest > _SETTLED_NS

    def _known_names(self) -> str:
        folders = chain.from_iterable(_entries(directory) for directory in self._directories)
        names = sorted({folder.name for folder in folders if _NAME.fullmatch(folder.name) and _is_folder(folder)})
        return ", ".join(names[:_MOST_NAMES_LISTED])


@dataclass(frozen=True, slots=True)
class _Template:
    sha256: str
    declaration: Declaration
    subject: CompiledTemplate
    text: CompiledTemplate
    html: CompiledTemplate | None


@dataclass(frozen=True, slots=True)
class _Cached:
    stamp: _Stamp | None
    template: _Template


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - where Path.is_dir raises, this one says no


def _entries(directory: Path) -> list[Path]:
    try:
        return [*directory.iterdir()]
    except OSError:
        return []


def _stamp(folder: Path) -> _Stamp:
    """What changes when a file of the template does."""
    return tuple(_file_stamp(f"{folder}/{file}") for file in _FILES)


def _file_stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 - the cheap one: this runs four times a render
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _read(folder: Path) -> dict[str, bytes]:
    home = folder.parent.resolve()
    contents = {file: _read_file(folder, file, home, LARGEST_FILE) for file in _FILES}
    for file in _REQUIRED_FILES:
        if contents[file] is None:
            raise unusable_template(f"template {folder.name} has no {file}")
    return {file: content for file, content in contents.items() if content is not None}


def _read_file(folder: Path, file: str, home: Path, at_most: int) -> bytes | None:
    """The file's bytes; None if there is none. A symbolic link may not lead out of `home`."""
    try:
        path = (folder / file).resolve()
        if not path.is_relative_to(home):
            raise unusable_template(f"{file} of template {folder.name} leads out of its directory")
        if not stat.S_ISREG(path.stat().st_mode):
            raise unusable_template(f"{file} of template {folder.name} is not a file")
        with path.open("rb") as opened:
            content = opened.read(at_most + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, RuntimeError) as error:  # a loop of links is the one or the other, by the version of Python
        raise unusable_template(f"{file} of template {folder.name} cannot be read: {type(error).__name__}") from None
    if len(content) > at_most:
        raise unusable_template(f"{file} of template {folder.name} is larger than {at_most} bytes")
    return content


def _digest(files: Mapping[str, bytes]) -> str:
    lines = (f"{sha256(files[file]).hexdigest()}  {file}\n" for file in sorted(files))
    return sha256("".join(lines).encode()).hexdigest()


def _compile(files: Mapping[str, bytes], digest: str) -> _Template:
    from adapters.template_language import compile_template

    sources = {file: _source(file, content) for file, content in files.items()}
    declaration = Declaration.parse(sources.pop("template.json"))
    # The last line's end is the file's, not the subject's.
    sources["subject.txt"] = sources["subject.txt"].rstrip("\n")
    if "<style" in sources.get("body.html", "").lower() and (
        declaration.policy is None or declaration.policy.inline_css
    ):
        # Imported here: most templates have no style sheet.
        from adapters.template_styles import inlined

        sources["body.html"] = inlined(sources["body.html"])
    compiled = {file: compile_template(file, source, declaration.variables) for file, source in sources.items()}
    return _Template(digest, declaration, compiled["subject.txt"], compiled["body.txt"], compiled.get("body.html"))


def _source(file: str, content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise unusable_template(f"{file} is not UTF-8") from None
    if _UNPRINTABLE.search(text):
        raise unusable_template(f"{file} has a control character; tab and line feed are the only ones allowed")
    return text


def _checked_subject(subject: str) -> str:
    if not 0 < len(subject.strip()) <= len(subject) <= LONGEST_SUBJECT:
        raise unfit_variable(VARIABLES_FIELD, f"make a subject that is empty or over {LONGEST_SUBJECT} characters")
    return subject


def _checked_body(body: str) -> str:
    if len(body.encode()) > LARGEST_BODY:
        raise unfit_variable(VARIABLES_FIELD, f"make a body of more than {LARGEST_BODY} bytes")
    return body
