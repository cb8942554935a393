"""The style sheet of a `body.html`, moved into the tags that it is about: many mail programs read no other.

It is done to the template when it loads, never to a message: what a variable holds is not there yet, and a mail costs
nothing more. Only start tags are touched; every other character stays as the author has written it.

    p, td.total, #head a, ul > li   rules of such selectors are inlined, in the order of the cascade
    @media, @font-face, a:hover     stay in the sheet, since no tag can hold them; to win over the inlined they need
                                    !important, as in every mail

What else there is stops the template, with its line: a sheet that was inlined in part would look like no sheet at all.
`"email": {"inline_css": false}` in template.json leaves a template as it is.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import accumulate

from adapters.template_declaration import unusable_template
from domain.errors import InvalidTemplate

_FILE = "body.html"
_VOID = frozenset(
    {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
)

# What stands for a character of the template language while the HTML is read.
_MASK = "\ue000"
_LANGUAGE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_BRANCH = re.compile(r"\{%[-+]?\s*(?P<end>end)?(?:if|for)\b")

_COMMENT = re.compile(r"/\*.*?\*/|<!--|-->", re.DOTALL)
_AT_RULE = re.compile(r"@[^{};]+(?:;|\{(?:[^{}]|\{[^{}]*\})*\})")
_RULE = re.compile(r"(?P<selectors>[^{}@]+)\{(?P<body>[^{}]*)\}")
_DECLARATION = re.compile(
    r"""\s*(?P<name>-{0,2}[A-Za-z][A-Za-z0-9-]*)\s*:\s*(?P<value>(?:[^;"'()]|"[^"]*"|'[^']*'|\([^()]*\))+)(?:;|\Z)\s*"""
)
_COMPOUND = re.compile(r"(?P<tag>[A-Za-z][A-Za-z0-9]*|\*)?(?P<marks>(?:[.#][A-Za-z_-][A-Za-z0-9_-]*)*)")
_COMBINATOR = re.compile(r"\s*(>)\s*|\s+")
_PSEUDO = re.compile(r":[:A-Za-z-]+(?:\([^()]*\))?")

_ATTRIBUTE = re.compile(
    r"""\s+(?P<name>[^\s=>/"']+)(?:\s*=\s*(?P<quote>["']?)(?P<value>(?<=")[^"]*|(?<=')[^']*|[^\s>"']*)["']?)?"""
)
_TAG = re.compile(r"<[A-Za-z][^\s/>]*")
_TAG_END = re.compile(r"\s*/?>\Z")


def inlined(source: str) -> str:
    """The same template with its rules in its tags. Raises InvalidTemplate."""
    page = _Page(source)
    rules: list[_Rule] = []
    edits: list[_Edit] = []
    for sheet in page.sheets:
        kept = _read_sheet(sheet, page, rules)
        edits.append(_Edit(sheet.begin, sheet.end, kept) if kept else _Edit(sheet.opens, sheet.closes, ""))
    needs = {mark[0] for rule in rules for compound in rule.compounds for mark in compound.marks}
    needs |= {">"} if any(len(rule.compounds) > 1 for rule in rules) else set()
    if ">" in needs and page.unbalanced:
        raise _refused(page.unbalanced, "tags must be closed in order, for a selector that asks what is around them")
    for element in page.elements:
        element.require_readable(needs)
        if declarations := _cascaded(rules, element):
            edits.append(element.styled(declarations))
    return _edited(source, edits)


@dataclass(frozen=True, slots=True)
class _Edit:
    begin: int
    end: int
    text: str


def _edited(source: str, edits: Sequence[_Edit]) -> str:
    for edit in sorted(edits, key=lambda edit: edit.begin, reverse=True):
        source = source[: edit.begin] + edit.text + source[edit.end :]
    return source


def _refused(line: int, reason: str) -> InvalidTemplate:
    return unusable_template(f'{_FILE}, line {line}: {reason} (or write "email": {{"inline_css": false}})')


# -- the page ---------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Sheet:
    """A `<style>`: where its element opens, its content begins and ends, and its element closes."""

    opens: int
    begin: int
    end: int = 0
    closes: int = 0


@dataclass(frozen=True, slots=True)
class _Element:
    """A start tag, its text without the template language, and the element around it."""

    tag: str
    text: str
    begin: int
    line: int
    around: _Element | None
    attributes: dict[str, re.Match[str]] = field(default_factory=dict)

    @property
    def marks(self) -> frozenset[str]:
        """Its classes and its id, as a selector writes them."""
        classes = {f".{name}" for name in self._value("class").split()}
        return frozenset(classes | ({f"#{self._value('id')}"} if "id" in self.attributes else set()))

    def _value(self, name: str) -> str:
        found = self.attributes.get(name)
        return found["value"] or "" if found else ""

    def require_readable(self, needs: set[str]) -> None:
        """Raises InvalidTemplate where a variable decides what a selector asks for."""
        if _MASK in "".join(self.attributes):
            raise _refused(self.line, "a condition stands around whole tags, not within one")
        asked = [name for name, mark in (("class", "."), ("id", "#")) if mark in needs]
        if any(_MASK in self._value(name) for name in asked):
            raise _refused(self.line, "a class or id that is made of variables cannot be matched by a selector")

    def styled(self, declarations: str) -> _Edit:
        """The declarations, before those that the tag has of its own."""
        own = self.attributes.get("style")
        if own is None:
            end = _TAG_END.search(self.text)
            at = self.begin + (end.start() if end else len(self.text))
            quoted = _escaped(declarations, '"')
            return _Edit(at, at, f' style="{quoted}"')
        at = self.begin + own.start("value")
        if not own["quote"]:
            raise _refused(self.line, "a style stands in quotes")
        return _Edit(at, at, f"{_escaped(declarations, own['quote'])}; ")


def _escaped(declarations: str, quote: str) -> str:
    escaped = declarations.replace("&", "&amp;").replace("<", "&lt;")
    return escaped.replace(quote, "&quot;" if quote == '"' else "&#39;")


class _Page(HTMLParser):
    """Reads the source, and knows where everything stands in it."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=False)
        self.source = source
        self.elements: list[_Element] = []
        self.sheets: list[_Sheet] = []
        self.unbalanced = 0
        """The first line where a tag closes what is not open, or leaves something open."""
        self._around: _Element | None = None
        self._lines = [0, *accumulate(len(line) + 1 for line in source.split("\n"))]
        self.feed(_LANGUAGE.sub(_masked, source))
        self.close()
        self._require_ends()

    def line_of(self, place: int) -> int:
        return bisect_right(self._lines, place)

    def _require_ends(self) -> None:
        if self._around is not None:
            self.unbalanced = self.unbalanced or self._around.line
        if self.sheets and not self.sheets[-1].closes:
            raise _refused(self.line_of(self.sheets[-1].opens), "the style has no end")

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - the text says where they are
        text, begin = self.get_starttag_text() or "", self._place()
        if tag == "style":
            # One for print, or for narrow screens, stays as a @media would.
            if "media" not in _attributes(text):
                self._begin_sheet(begin, begin + len(text))
            return
        element = _Element(tag, text, begin, self.line_of(begin), self._around, _attributes(text))
        self.elements.append(element)
        if tag not in _VOID and not text.endswith("/>"):
            self._around = element

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == "style":
            self._end_sheet()
            return
        if self._around is None or self._around.tag != tag:
            self.unbalanced = self.unbalanced or self.line_of(self._place())
            return
        self._around = self._around.around

    def _begin_sheet(self, opens: int, begin: int) -> None:
        branches = [-1 if found["end"] else 1 for found in _BRANCH.finditer(self.source, 0, opens)]
        if sum(branches):
            raise _refused(self.line_of(opens), "a style may not depend on a condition")
        self.sheets.append(_Sheet(opens, begin))

    def _end_sheet(self) -> None:
        if self.sheets and not self.sheets[-1].closes:
            self.sheets[-1].end = self._place()
            self.sheets[-1].closes = self.source.index(">", self._place()) + 1

    def _place(self) -> int:
        line, column = self.getpos()
        return self._lines[line - 1] + column


def _masked(found: re.Match[str]) -> str:
    return "".join(character if character == "\n" else _MASK for character in found[0])


def _attributes(text: str) -> dict[str, re.Match[str]]:
    tag = _TAG.match(text)
    found = _ATTRIBUTE.finditer(text, tag.end() if tag else 0)
    return {attribute["name"].lower(): attribute for attribute in reversed([*found])}


# -- the sheet --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Compound:
    """What one element must be: `td.total`. `is_child`: the one before it in the selector is right around it."""

    tag: str
    marks: frozenset[str]
    is_child: bool = False

    def fits(self, element: _Element) -> bool:
        return self.tag in ("*", element.tag) and self.marks <= element.marks


@dataclass(frozen=True, slots=True)
class _Rule:
    """A selector and its declarations, `(name, value)`."""

    compounds: tuple[_Compound, ...]
    declarations: tuple[tuple[str, str], ...]

    @property
    def specificity(self) -> tuple[int, int, int]:
        marks = [mark for compound in self.compounds for mark in compound.marks]
        ids = sum(mark.startswith("#") for mark in marks)
        return ids, len(marks) - ids, sum(compound.tag != "*" for compound in self.compounds)

    def fits(self, element: _Element) -> bool:
        return self.compounds[-1].fits(element) and _is_within(self.compounds, element)


def _is_within(compounds: Sequence[_Compound], element: _Element) -> bool:
    """Whether what is around the element is as all compounds but the last one say."""
    *outer, last = compounds
    if not outer:
        return True
    around = element.around
    while around is not None:
        if outer[-1].fits(around) and _is_within(outer, around):
            return True
        around = None if last.is_child else around.around
    return False


def _read_sheet(sheet: _Sheet, page: _Page, rules: list[_Rule]) -> str:
    """Adds the rules that can be inlined, and returns what stays."""
    line_of: Callable[[int], int] = lambda place: page.line_of(sheet.begin + place)  # noqa: E731
    css = page.source[sheet.begin : sheet.end]
    if _LANGUAGE.search(css):
        raise _refused(line_of(0), "a style may not be made of variables")
    css = _COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), css)
    kept, place = [], len(css) - len(css.lstrip())
    while place < len(css):
        found = _AT_RULE.match(css, place) or _RULE.match(css, place)
        if not found:
            raise _refused(line_of(place), "the style cannot be read here")
        if found[0].startswith("@"):
            kept.append(found[0])
        else:
            kept.extend(_read_rule(found, line_of(place), rules))
        rest = css[found.end() :]
        place = len(css) - len(rest.lstrip())
    return "".join(f"\n{one}" for one in kept) + "\n" * bool(kept)


def _read_rule(found: re.Match[str], line: int, rules: list[_Rule]) -> Iterator[str]:
    declarations = tuple(_declarations(found["body"], line))
    for selector in map(str.strip, found["selectors"].split(",")):
        if _PSEUDO.search(selector):
            yield f"{selector} {{{found['body'].strip()}}}"
        else:
            rules.append(_Rule(_selector(selector, line), declarations))


def _selector(text: str, line: int) -> tuple[_Compound, ...]:
    compounds: list[_Compound] = []
    place, is_child = 0, False
    while True:
        found = _COMPOUND.match(text, place)
        if not found or not found[0]:
            raise _refused(line, f"the selector {text[:64]!a} is none of tag, .class, #id, a space and >")
        marks = frozenset(re.findall(r"[.#][^.#]+", found["marks"]))
        compounds.append(_Compound((found["tag"] or "*").lower(), marks, is_child))
        place = found.end()
        if place == len(text):
            return tuple(compounds)
        between = _COMBINATOR.match(text, place)
        is_child = bool(between and between[1])
        place = between.end() if between else place
        if not between:
            raise _refused(line, f"the selector {text[:64]!a} is none of tag, .class, #id, a space and >")


def _declarations(body: str, line: int) -> Iterator[tuple[str, str]]:
    place = 0
    while body[place:].strip():
        found = _DECLARATION.match(body, place)
        if not found:
            raise _refused(line, f"the declaration {body[place:].strip()[:64]!a} cannot be read")
        yield found["name"].lower(), " ".join(found["value"].split())
        place = found.end()


def _cascaded(rules: Sequence[_Rule], element: _Element) -> str:
    """What the rules say of an element: the weakest first, each property once, the important last."""
    fitting = sorted((rule for rule in rules if rule.fits(element)), key=lambda rule: rule.specificity)
    said = [declaration for rule in fitting for declaration in rule.declarations]
    said.sort(key=lambda declaration: declaration[1].endswith("!important"))
    cascaded: dict[str, str] = {}
    for name, value in said:
        cascaded.pop(name, None)
        cascaded[name] = value
    return "; ".join(f"{name}: {value}" for name, value in cascaded.items())
