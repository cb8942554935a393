"""A kit that holds an action type to its declaration: for the types that are built in, and for yours.

    from agents.execution_agent.conformance import Answer, HttpCase, Request, examine

    class RecordInCrm(HttpCase):
        action = RecordInOurCrm

        def world(self): ...                # the connection, or the extras, that lead to self.provider.url
        def parameters(self): ...           # of a valid request
        def reply(self, request): ...       # the provider, as its documentation tells it
        def key_of(self, request): ...      # how it knows an effect again
        def effects(self): ...              # what has taken effect there

    def test_it_keeps_its_word():
        examine(RecordInCrm()).require()

A provider that does not speak HTTP is a `Case`, whose author writes its `ends`, too. The kit needs nothing that the
agent does not need, and no test framework.

It takes on trust that a provider remembers a key as long as `key_window` says, that `limits` make sense, and that who
answers with a redirect has not acted.
"""

from agents.execution_agent.conformance.case import Case, End, Means, Sent, StillClock
from agents.execution_agent.conformance.examination import examine
from agents.execution_agent.conformance.http_case import EVERY_STATUS, SOME_STATUSES, HttpCase, http_meaning
from agents.execution_agent.conformance.http_provider import Answer, HttpProvider, Request
from agents.execution_agent.conformance.report import Breach, Report, Rule

__all__ = [
    "EVERY_STATUS",
    "SOME_STATUSES",
    "Answer",
    "Breach",
    "Case",
    "End",
    "HttpCase",
    "HttpProvider",
    "Means",
    "Report",
    "Request",
    "Rule",
    "Sent",
    "StillClock",
    "examine",
    "http_meaning",
]
