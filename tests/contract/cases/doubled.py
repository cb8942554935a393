"""A case whose provider is one of the doubles, answering at the kit's own provider."""

from __future__ import annotations

from agents.execution_agent.conformance import Answer, HttpCase, Request
from tests.doubles.server import Asked, Double


class DoubledCase(HttpCase):
    """The double acts and answers; what befalls its requests is the kit's to say."""

    double: Double

    def reply(self, request: Request) -> Answer:
        asked = Asked(request.method, request.path, request.query, request.headers, request.body)
        reply = self.double.reply(asked)
        return Answer(reply.status, reply.body, reply.headers)
