"""What the status of an answer means where it is no yes, and the provider says no more.

425, 429                      Retry        the provider says that it did not act
3xx, other 4xx                Permanent    a redirect is never followed
408, 5xx, every other         Unknown      a gateway may say so after it passed the request on
"""

from __future__ import annotations

from domain.outcome import Failure, Permanent, Retry, Unknown

_DID_NOT_ACT = (425, 429)


def refusal_of(title: str, status: int, retry_after: float | None = None) -> Failure:
    """`title` names the provider to people; `retry_after` is in seconds, as it asked."""
    code, message = f"http_{status}", f"{title} answered {status}"
    if status in _DID_NOT_ACT:
        return Retry(code, message, retry_after)
    if 300 <= status < 400:
        return Permanent("redirect_refused", f"{message}: redirects are not followed")
    if 400 <= status < 500 and status != 408:
        return Permanent(code, message)
    return Unknown(code, message, retry_after)
