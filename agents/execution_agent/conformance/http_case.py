"""A case whose provider speaks HTTP: every status, every trouble of a network, and what is documented besides."""

from __future__ import annotations

import json
import socket
from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from agents.execution_agent.conformance.case import Case, End, Means, Sent
from agents.execution_agent.conformance.http_provider import (
    Answer,
    HttpProvider,
    Request,
    Telling,
    Trouble,
    cut_off,
    drip,
    hang,
    hang_up,
    raw,
    reset,
    says,
    tell,
    under,
    with_body,
)

EVERY_STATUS = range(1000)
SOME_STATUSES: Sequence[int] = sorted(
    {*range(98, 104), *range(198, 209), *range(299, 309), *range(399, 432), 451, *range(499, 512), *range(6, 1000, 12)}
)
"""Those that mean something, their neighbours, and every twelfth."""

_DID_NOT_ACT = (Means.PERMANENT, Means.RETRY)
_LOST: Mapping[str, Telling] = {"it hangs up": hang_up, "it tears the connection down": reset}
_NO_HTTP: Mapping[str, bytes] = {
    "an answer that is no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "half a status line": b"HTTP/1.1 2",
    "a head without its end": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n",
    "a length that is none": b"HTTP/1.1 200 OK\r\ncontent-length: two\r\n\r\n{}",
    "two lengths": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "a chunk that breaks off": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{}",
}
IMPATIENT = 0.5
"""Seconds, the deadline of an attempt whose provider says nothing."""


def http_meaning(status: int) -> Means:
    """What HTTP itself says of a status (RFC 9110, 6585, 8470), for a client that follows no redirect."""
    if 200 <= status < 300:
        return Means.SUCCEEDED
    if status in (425, 429):
        return Means.RETRY
    if 300 <= status < 500 and status != 408:
        return Means.PERMANENT
    return Means.UNKNOWN


NO_SENSE: Mapping[str, bytes] = {
    "an empty body": b"",
    "a page for people": b"<!doctype html><html><body>Please sign in</body></html>",
    "an object that says nothing": b"{}",
    "an array": b"[]",
    "null": b"null",
    "a text": b'"yes"',
    "a number": b"1e999",
    "half an object": b'{"id": "1',
    "what is no UTF-8": b'{"id": "\xff\xfe"}',
    "an abyss": b"[" * 100_000,
}
"""Bodies of an answer that says yes, and not what it said yes to."""


class HttpCase(Case):
    """One action type, and a provider that speaks HTTP and is asked at `self.provider.url`."""

    statuses: Collection[int] = EVERY_STATUS
    """Those that are tried."""
    says_nothing: ClassVar[Means | None] = Means.UNKNOWN
    """What an answer proves that is a yes by its status alone; None where the action type looks again."""
    is_broken: ClassVar[Means | None] = Means.UNKNOWN
    """What an answer proves that is no whole HTTP message; None likewise."""
    yes_has_no_body: ClassVar[bool] = False
    """Whether the provider says yes with a 204."""
    deadline_is_total: ClassVar[bool] = True
    """Whether an answer that drips is given up, or waited for as long as it comes."""
    repeats_in_its_yes: ClassVar[bool] = True
    """Whether what is behind the provider may see, and repeat, the headers that it was asked with."""
    refusal: ClassVar[Answer] = Answer(400, b'{"error": "no"}', {"content-type": "application/json"})
    """How the provider refuses; the status is put in its place."""

    def __init__(self) -> None:
        super().__init__()
        self.provider = HttpProvider(self.reply, is_read=self.is_read, key_of=self.key_of)

    def opened(self) -> AbstractContextManager[Any]:
        return self.provider

    # -- what the author tells --------------------------------------------------------------------------------------

    @abstractmethod
    def reply(self, request: Request) -> Answer:
        """The provider as it is documented: it acts, and answers."""

    @abstractmethod
    def key_of(self, request: Request) -> str | None:
        """The key in a request, by which the provider knows an effect again; None where it does not."""

    def is_read(self, request: Request) -> bool:
        """Whether the request is a question, which changes nothing."""
        return request.method in ("GET", "HEAD")

    def meaning(self, status: int) -> Means:
        """What the provider's documentation says of a status, with its own answer if that is a yes."""
        return http_meaning(status)

    def refusal_saying(self, text: str) -> Answer:
        """How the provider refuses with these words, at the place where it has words."""
        return replace(self.refusal, body=json.dumps({"error": text, "message": text}).encode())

    def documented(self) -> Mapping[str, tuple[Answer, Means]]:
        """Answers that its documentation tells of, beyond what their status says, and what each means."""
        return {}

    # -- what comes of it -------------------------------------------------------------------------------------------

    def sent(self) -> Sequence[Sent]:
        return self.provider.sent

    def asked(self) -> int:
        return len(self.provider.requests)

    def ends(self) -> Iterator[End]:
        yield self._end("the provider does as it is asked", Means.SUCCEEDED, acts=True, tells=tell)
        yield End("nobody listens", Means.RETRY, self.provider.refusing, reaches=False)
        yield End("nobody takes the call", Means.RETRY, self.provider.deaf, IMPATIENT, reaches=False)
        yield from self._silences()
        yield from map(self._answered_with, self.statuses)
        if not self.yes_has_no_body:
            yield from self._bodies()
        for name, (answer, means) in self.documented().items():
            yield self._end(
                name, means, acts=means not in _DID_NOT_ACT, tells=says(answer), refuses=answer.status == 401
            )
        yield from self._broken_answers()
        yield from self._repetitions()

    def reads(self) -> Iterator[End]:
        for status in self.statuses:
            tells = under(status) if self.meaning(status) is Means.UNKNOWN else says(self._refused(status))
            yield self._unanswered(f"a question is answered {status:03d}", tells)
        for name, body in NO_SENSE.items():
            yield self._unanswered(f"a question is answered with {name}", with_body(body))
        for name, tells in _LOST.items():
            yield self._unanswered(f"a question: {name}", tells)
        yield self._unanswered("a question gets no answer", hang, patience=IMPATIENT)

    def _silences(self) -> Iterator[End]:
        for when, acts in (("before it acts", False), ("after it has acted", True)):
            for name, tells in _LOST.items():
                yield self._end(f"{name} {when}", Means.UNKNOWN, acts=acts, tells=tells)
        yield self._end("no answer", Means.UNKNOWN, acts=True, tells=hang, patience=IMPATIENT)
        if self.deadline_is_total:
            yield self._end("an answer that drips", Means.UNKNOWN, acts=True, tells=drip, patience=IMPATIENT)

    def _answered_with(self, status: int) -> End:
        means: Means | None = self.meaning(status)
        if status == 204 and means is Means.SUCCEEDED and not self.yes_has_no_body:
            means = self.says_nothing
        acts = means not in _DID_NOT_ACT
        tells = under(status) if acts else says(self._refused(status))
        return self._end(f"status {status:03d}", means, acts=acts, tells=tells, refuses=status == 401)

    def _refused(self, status: int) -> Answer:
        elsewhere = {"location": f"{self.provider.url}/elsewhere"} if 300 <= status < 400 else {}
        return Answer(status, self.refusal.body, {**self.refusal.headers, **elsewhere})

    def _bodies(self) -> Iterator[End]:
        for name, body in NO_SENSE.items():
            yield self._end(f"a yes with {name}", self.says_nothing, acts=True, tells=with_body(body))
        yield self._end("a body without its end", self.is_broken, acts=True, tells=cut_off)
        packed = with_body(b"no gzip", **{"content-encoding": "gzip"})
        means = self.is_broken if self.says_nothing is Means.UNKNOWN else None
        yield self._end("a body that cannot be unpacked", means, acts=True, tells=packed)

    def _broken_answers(self) -> Iterator[End]:
        for name, data in _NO_HTTP.items():
            yield self._end(name, self.is_broken, acts=True, tells=raw(data))

    def _repetitions(self) -> Iterator[End]:
        """The provider repeats all that it was sent: what its caller keeps of that must hold no secret."""
        for status in (400, 401, 429, 500):
            means, tells = self.meaning(status), partial(self._repeat, status)
            refuses, acts = status == 401, means not in _DID_NOT_ACT
            yield self._end(f"a {status} that repeats the request", means, acts=acts, tells=tells, refuses=refuses)
        if self.repeats_in_its_yes:
            yield self._end("a yes that repeats the request", None, acts=True, tells=self._repeat_in_its_yes)

    def _repeat(self, status: int, connection: socket.socket, _: Answer) -> None:
        tell(connection, replace(self.refusal_saying(self._last_request()), status=status))

    def _repeat_in_its_yes(self, connection: socket.socket, answer: Answer) -> None:
        said = f', "said": {json.dumps(self._last_request())}}}'
        tell(connection, replace(answer, body=answer.body.replace(b"}", said.encode(), 1)))

    def _last_request(self) -> str:
        asked = self.provider.requests[-1]
        return " ".join((asked.target, *(f"{name}: {value}" for name, value in asked.headers.items())))

    def _end(
        self,
        name: str,
        means: Means | None,
        *,
        acts: bool,
        tells: Telling,
        refuses: bool = False,
        patience: float = 10.0,
    ) -> End:
        trouble = Trouble(acts, tells, refuses)
        return End(name, means, partial(self.provider.befallen_by, trouble), patience)

    def _unanswered(self, name: str, tells: Telling, patience: float = 10.0) -> End:
        trouble = Trouble(acts=True, tells=tells)
        return End(name, None, partial(self.provider.questions_befallen_by, trouble), patience)
