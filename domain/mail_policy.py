"""What a template lets its mails have besides their words: the member `email` of its `template.json`.

    "email": {
      "cc":          {"domains": ["example.com"], "at_most": 2},
      "bcc":         {"always": ["archive@example.com"]},
      "reply_to":    {"default": "renewals@example.com", "addresses": ["support@example.com"]},
      "attachments": {"always": ["terms.pdf"], "files": ["prices.csv"], "stores": ["invoices"], "types": ["pdf"]},
      "unsubscribe": {"url": "https://news.example.com/u/{{ token }}", "mailto": "unsubscribe@example.com"}
    }

Whoever asks for a mail may be an AI that was talked into something: it names nobody and nothing else. What is not
mentioned here is not allowed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self
from urllib.parse import quote

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from domain.errors import Code, FieldError, InvalidVariable
from domain.mail import FILE_TYPES, Unsubscribe
from domain.refusal import dotted
from domain.validators.attachment import FileReference, file_name
from domain.validators.domain_name import InvalidDomainName, ascii_domain
from domain.validators.recipient import InvalidAddress, bare_address

MOST_RECIPIENTS = 50
"""Of one mail, the first one included: Amazon SES takes no more."""
LARGEST_IN_ALL = 25_000_000
"""Bytes of all attachments, whatever a template says: a third more on its way, and SES takes 40 MB."""
USUAL_IN_ALL = 7_000_000
"""Bytes of all attachments, where a template says nothing."""
LONGEST_URI = 900
"""Characters: a header's line has 998."""
LONGEST_VALUE = 256
"""Characters of a variable in a URI."""


class InvalidPolicy(ValueError):
    """A template's `email` that cannot be used. The message is one line that names the member."""


def _address(text: str) -> str:
    try:
        return bare_address(text)
    except InvalidAddress as invalid:
        raise ValueError(f"{text[:80]!a} {invalid}") from None


def _domain(text: str) -> str:
    try:
        return ascii_domain(text)
    except InvalidDomainName as invalid:
        raise ValueError(f"{text[:80]!a} {invalid}") from None


def _file_type(text: str) -> str:
    if text not in FILE_TYPES:
        raise ValueError(f"the types are {', '.join(FILE_TYPES)}")
    return text


_Address = Annotated[str, AfterValidator(_address)]
_Domain = Annotated[str, AfterValidator(_domain)]
_File = Annotated[str, AfterValidator(file_name)]
_FileType = Annotated[str, AfterValidator(_file_type)]
_Store = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class _Part(BaseModel):
    """Strict and closed: a member that is not known stops the template."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, defer_build=True)


class Allowed(_Part):
    """Addresses that a request may name: these, and those of these very domains.

    `somebody%elsewhere.com@example.com` is not of example.com: old mail servers pass it on to elsewhere.com.
    """

    addresses: list[_Address] = []
    domains: list[_Domain] = []

    def admits(self, address: str) -> bool:
        local, _, domain = address.rpartition("@")
        return address in self.addresses or (domain in self.domains and "%" not in local)


class Copies(Allowed):
    """Who gets a copy: `always` whatever is asked, and up to `at_most` that a request names."""

    always: list[_Address] = []
    at_most: int = Field(default=5, ge=0, lt=MOST_RECIPIENTS)


class Replies(Allowed):
    """Who gets the answers: the sender where nothing is said, `default`, or the one that a request names."""

    default: _Address | None = None


class Files(_Part):
    """What may come with the mail: `always` and `files` are in the template's folder, `stores` are connections."""

    always: list[_File] = []
    files: list[_File] = []
    stores: list[_Store] = []
    types: list[_FileType] = list(FILE_TYPES)
    at_most: int = Field(default=5, ge=0, le=20)
    largest_bytes_in_all: int = Field(default=USUAL_IN_ALL, ge=1, le=LARGEST_IN_ALL)

    def admits(self, reference: FileReference) -> bool:
        known = self.files + self.always if reference.store is None else self.stores
        return (reference.store or reference.key) in known


_VARIABLE = re.compile(r"\{\{ *([A-Za-z][A-Za-z0-9_]{0,63}) *\}\}")
_URL = re.compile(r"https://(?P<host>[A-Za-z0-9.-]+)(?::[0-9]{1,5})?/[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*")
_MAILTO = re.compile(r"(?P<address>[^?]*)(?:\?subject=[A-Za-z0-9._~-]*)?")
_DOTS_ALONE = re.compile(r"/\.{1,2}(?=[/?]|\Z)")


def _https_url(text: str) -> str:
    match = _URL.fullmatch(_VARIABLE.sub("x", text))
    host = text.removeprefix("https://").partition("/")[0]
    if not match or "{" in host:
        raise ValueError("must be https://HOST/PATH, without a login or fragment, and with {{ variables }} in its path")
    _domain(match["host"])
    return text


def _mailto(text: str) -> str:
    match = _MAILTO.fullmatch(_VARIABLE.sub("x", text))
    address = text.partition("?")[0]
    if not match or "{" in address:
        raise ValueError("must be NAME@DOMAIN or NAME@DOMAIN?subject=TEXT, with {{ variables }} in its text")
    return text.replace(address, quote(_address(address), safe="@+'"), 1)


class Leaving(_Part):
    """How a recipient of list mail gets off the list; `{{ name }}` is a required variable of the template."""

    url: Annotated[str, AfterValidator(_https_url)] | None = Field(default=None, max_length=LONGEST_URI)
    mailto: Annotated[str, AfterValidator(_mailto)] | None = Field(default=None, max_length=LONGEST_URI)
    one_click: bool = True

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if not self.url and not self.mailto:
            raise ValueError("needs a url or a mailto")
        return self

    def variables(self) -> frozenset[str]:
        """Whose values the URIs are made of."""
        return frozenset(_VARIABLE.findall(f"{self.url or ''} {self.mailto or ''}"))

    def filled(self, variables: Mapping[str, Any]) -> Unsubscribe:
        """For one recipient. Raises InvalidVariable for a value that makes no URI."""
        values = {name: _in_uri(name, variables[name]) for name in self.variables()}
        patterns = [self.url] * bool(self.url) + [f"mailto:{self.mailto}"] * bool(self.mailto)
        uris = tuple(_VARIABLE.sub(lambda found: values[found[1]], pattern or "") for pattern in patterns)
        if any(len(uri) > LONGEST_URI or _DOTS_ALONE.search(uri.removeprefix("https:/")) for uri in uris):
            raise _unfit_variables(sorted(values), "make a way to unsubscribe that is no URI, or too long")
        return Unsubscribe(uris, one_click=self.one_click and self.url is not None)


def _in_uri(name: str, value: object) -> str:
    text = str(value)
    if not text.strip() or len(text) > LONGEST_VALUE:
        raise _unfit_variables([name], f"is empty, or over {LONGEST_VALUE} characters, in the way to unsubscribe")
    return quote(text, safe="")


def _unfit_variables(names: list[str], reason: str) -> InvalidVariable:
    fields = [f"parameters.variables.{name}" for name in names] or ["parameters.variables"]
    details = [FieldError(field, Code.INVALID_VARIABLE, reason) for field in fields]
    return InvalidVariable(f"{', '.join(fields)} {reason}", details=details)


class MailPolicy(_Part):
    """The whole."""

    cc: Copies = Copies(at_most=0)
    bcc: Copies = Copies(at_most=0)
    reply_to: Replies = Replies()
    attachments: Files = Files(at_most=0)
    unsubscribe: Leaving | None = None
    inline_css: bool = True

    @classmethod
    def read(cls, value: object) -> Self:
        """Raises InvalidPolicy."""
        try:
            return cls.model_validate(value)
        except ValidationError as invalid:
            problem = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
            words = "is not known" if problem["type"] == "extra_forbidden" else problem["msg"]
            raise InvalidPolicy(
                f"{dotted(('email', *problem['loc']))}: {words.removeprefix('Value error, ')}"
            ) from None
