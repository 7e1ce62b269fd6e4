"""Owns working time: when a promise given in working minutes falls due; refuses to know teams or tickets."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from triage.policy import WEEKDAYS, Calendar

_NEVER = 3 * 366  # days without an open one, after which a calendar has none at all


def due(start: datetime, minutes: int, calendar: Calendar, zone: ZoneInfo) -> datetime:
    """Return the moment `minutes` of working time after `start` (aware), in `start`'s own zone.

    Around the clock this is plain addition; otherwise only opening hours of open,
    non-holiday weekdays count, by the hospital's local clock (daylight saving included).
    Raises ValueError for a calendar that never opens.
    """
    left = timedelta(minutes=minutes)
    if calendar.always:
        return start + left
    local = start.astimezone(zone)
    day, closed = local.date(), 0
    while closed < _NEVER:
        today, day = day, day + timedelta(days=1)
        if WEEKDAYS[today.weekday()] not in calendar.days or today in calendar.holidays:
            closed += 1
            continue
        # In UTC, because Python subtracts two times of one zone by the wall clock: on the day of a clock
        # change an hour would be lost or counted twice.
        opens = datetime.combine(today, calendar.opens, zone).astimezone(UTC)
        closes = datetime.combine(today, calendar.closes, zone).astimezone(UTC)
        begin = max(opens, local.astimezone(UTC))
        if begin >= closes:
            closed += 1
            continue
        closed = 0
        if left <= closes - begin:
            return (begin + left).astimezone(start.tzinfo)
        left -= closes - begin
    raise ValueError("the calendar never opens")
