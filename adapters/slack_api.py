"""Slack's Web API: every answer that is no yes is classed.

    Slack says                                            the outcome
    ok: true                                              its answer
    ratelimited and the like, or that it is moving        Retry
    that the token is not valid (any more)                Retry       the secret is asked for anew
    another error of those that are documented            Permanent
    internal_error, fatal_error, service_unavailable      Unknown     some of it may have succeeded
    an error that is not documented, or no sense          Unknown
    what is no 2xx                                        as `adapters.refusal` tells it
    nothing                                               as `adapters.bearer_api` tells it

Spoken through the guarded client, and not through slack_sdk: JSON in and out need no library, and that one waits its
time-out anew for each read, follows redirects and the environment's proxies, and cannot tell whether a byte has left.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from adapters.bearer_api import Answer, BearerApi, SecretToken
from adapters.http import Client, Reach
from adapters.refusal import refusal_of
from adapters.secrets import Secrets
from domain.outcome import Failure, Permanent, Retry, Unknown

_JSON = {"content-type": "application/json; charset=utf-8"}
"""Slack warns of JSON without a charset."""


class SlackApi:
    """The methods at `base_url`, for whom the secret `token` is. For any number of threads."""

    def __init__(self, base_url: str, token: str, secrets: Secrets, client: Client, reach: Reach) -> None:
        self._token = token
        self._tokens = SecretToken(secrets, token)
        self._http = BearerApi("Slack", base_url, self._tokens, client=client, reach=reach)

    def call(self, method: str, document: Mapping[str, Any], *, timeout: float) -> Mapping[str, Any] | Failure:
        """The answer to a method that may change something; `timeout` is the total deadline in seconds."""
        return self._meaning(self._http.send("POST", f"/api/{method}", document, headers=_JSON, timeout=timeout))

    def read(self, method: str, query: Mapping[str, str], *, timeout: float) -> Mapping[str, Any] | Failure:
        """The answer to a method that only reads."""
        return self._meaning(self._http.send("GET", f"/api/{method}?{urlencode(query)}", timeout=timeout))

    def unreadable(self, why: str) -> Unknown:
        """An answer came, and does not say what it must."""
        return Unknown("slack_unreadable_reply", f"Slack answered, and {why}")

    def _meaning(self, answer: Answer | Failure) -> Mapping[str, Any] | Failure:
        if not isinstance(answer, Answer):
            return answer
        if not 200 <= answer.status < 300:
            return refusal_of("Slack", answer.status, answer.retry_after)
        document = answer.document
        if not isinstance(document, dict) or not isinstance(document.get("ok"), bool):
            return self.unreadable("the answer makes no sense")
        return document if document["ok"] else self._refusal(_word(document.get("error")), answer.retry_after)

    def _refusal(self, error: str, retry_after: float | None) -> Failure:
        if error in TOKEN_REFUSED:
            self._tokens.refused(self._token)
            return Retry(error, f"Slack does not take the token {self._token}: {error}")
        message = f"Slack answered {error}"
        if error in NOT_NOW:
            return Retry(error, message, retry_after)
        if error in NEVER:
            return Permanent(error, message)
        return Unknown(error, message)


_WORD = re.compile(r"[a-z][a-z0-9_]{0,63}")


def _word(error: object) -> str:
    return error if isinstance(error, str) and _WORD.fullmatch(error) else "slack_unknown_error"


# --- errors ---------------------------------------------------------------------------------------------------------

NOT_NOW = frozenset(
    {
        "message_limit_exceeded",
        "org_login_required",
        "rate_limited",
        "ratelimited",
        "request_timeout",  # which says that the request did not arrive whole
        "team_added_to_org",
    }
)
"""Nothing was done, and it may be done later."""

TOKEN_REFUSED = frozenset({"account_inactive", "invalid_auth", "not_authed", "token_expired", "token_revoked"})
"""Nothing was done; the secret may have changed since it was read."""

NEVER = frozenset(
    {
        "access_denied",
        "accesslimited",
        "as_user_not_supported",
        "attachment_payload_limit_exceeded",
        "cannot_reply_to_message",
        "cant_delete_message",
        "channel_not_found",
        "compliance_exports_prevent_deletion",
        "deprecated_endpoint",
        "duplicate_channel_not_found",
        "duplicate_message_not_found",
        "ekm_access_denied",
        "enterprise_is_restricted",
        "invalid_arg_name",
        "invalid_arguments",
        "invalid_array_arg",
        "invalid_blocks",
        "invalid_blocks_format",
        "invalid_charset",
        "invalid_form_data",
        "invalid_json",
        "invalid_metadata_format",
        "invalid_metadata_schema",
        "invalid_post_type",
        "is_archived",
        "json_not_object",
        "markdown_text_conflict",
        "message_not_found",
        "messages_tab_disabled",
        "metadata_must_be_sent_from_app",
        "metadata_too_large",
        "method_deprecated",
        "missing_file_data",
        "missing_post_type",
        "missing_scope",
        "msg_blocks_too_long",
        "msg_too_long",
        "no_permission",
        "no_text",
        "not_allowed_token_type",
        "not_in_channel",
        "restricted_action",
        "restricted_action_non_threadable_channel",
        "restricted_action_read_only_channel",
        "restricted_action_thread_locked",
        "restricted_action_thread_only_channel",
        "slack_connect_canvas_sharing_blocked",
        "slack_connect_file_link_sharing_blocked",
        "slack_connect_lists_sharing_blocked",
        "team_access_not_granted",
        "team_not_found",
        "too_many_attachments",
        "too_many_contact_cards",
        "two_factor_setup_required",
    }
)
"""Documented refusals of a request as it is: https://docs.slack.dev/reference/methods/chat.postMessage, chat.delete."""
