"""Moments of a timetable: cron expressions of five fields, by the clocks of a time zone.

    minute hour day-of-month month day-of-week        30 9 * * MON-FRI        0 8 1 * *        */15 * * * *

As Debian's cron has it: with a day of the month and a day of the week, either is enough, unless one begins with `*`.
Where clocks are put forward, what is to be at a time that is left out is at the end of the gap. Where they are put
back, what is to be at a time that comes twice is at the first. Where minute or hour begin with `*`, clocks are taken as
they are: what is left out does not come, and what comes twice comes twice, so that every quarter of an hour is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from domain.errors import ConfigurationError
from domain.workflow_definition import Timetable

LONGEST_CRON = 100
"""Characters."""
_WINDOWS = tuple(timedelta(days=days) for days in (1 / 24, 1, 32, 366, 5 * 366))
"""How far to look back for the last moment before another one, in turn: nearly always the first is enough."""


def cron_flaw(expression: str) -> str | None:
    """What is wrong with it, None where nothing is. Raises ConfigurationError where cronsim is not installed."""
    if len(expression) > LONGEST_CRON or not expression.isascii():
        return f"a cron expression has at most {LONGEST_CRON} characters of ASCII"
    if len(expression.split()) != 5:
        return "a cron expression has five fields: minute, hour, day of month, month, day of week"
    try:
        _first(expression, datetime(2000, 1, 1, tzinfo=UTC))
    except (_error(), AssertionError, StopIteration) as error:
        return f"no cron expression that ever comes: {str(error)[:LONGEST_CRON].lower() or 'it never does'}"
    return None


def zone_flaw(name: str) -> str | None:
    """What is wrong with the name of a time zone, None where nothing is."""
    return None if _zone(name) is not None else "there is no such time zone; there are UTC, Europe/Berlin and the like"


def next_after(timetable: Timetable, moment: datetime) -> datetime | None:
    """The first moment after this one, in UTC; None where none ever comes. Raises ConfigurationError."""
    found = [one for cron in timetable.cron if (one := _next(cron, timetable.timezone, moment)) is not None]
    return min(found, default=None)


def last_until(timetable: Timetable, earliest: datetime, now: datetime) -> datetime:
    """The last moment up to `now`; `earliest`, which is one, where there is no other after it."""
    for window in _WINDOWS:
        since = max(earliest, now - window)
        last = max(
            (one for cron in timetable.cron for one in _last(cron, timetable.timezone, since, now)), default=None
        )
        if last is not None:
            return last
        if since == earliest:
            break
    return earliest


def _last(cron: str, zone: str, since: datetime, now: datetime) -> Iterator[datetime]:
    moment = _next(cron, zone, since)
    while moment is not None and moment <= now:
        yield moment
        moment = _next(cron, zone, moment)


@lru_cache(maxsize=4096)
def _next(cron: str, zone: str, after: datetime) -> datetime | None:
    local = _zone(zone)
    if local is None:
        raise ConfigurationError(f"the time zone {zone!r} is not known here; install tzdata")
    found = after
    while found <= after:
        # Where an hour comes twice, the library may come back to its first half.
        try:
            found = _first(cron, found.astimezone(local)).astimezone(UTC)
        except StopIteration:
            return None
    return found


def _first(cron: str, after: datetime) -> datetime:
    try:
        from cronsim import CronSim
    except ModuleNotFoundError:
        raise _not_installed() from None
    return next(CronSim(cron, after))


def _error() -> type[Exception]:
    try:
        from cronsim import CronSimError
    except ModuleNotFoundError:
        raise _not_installed() from None
    return CronSimError


def _not_installed() -> ConfigurationError:
    return ConfigurationError('schedules need cronsim; install "execution-agent[workflows]"')


@lru_cache(maxsize=256)
def _zone(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        return None
