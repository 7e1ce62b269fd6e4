"""Owns working time: when a promise given in working minutes falls due; refuses to know teams or tickets."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from triage.policy import WEEKDAYS, Calendar

_YEARS_AHEAD = 3 * 366  # a calendar with no open day in three years has none at all


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
    for ahead in range(_YEARS_AHEAD):
        day = (local + timedelta(days=ahead)).date()
        if WEEKDAYS[day.weekday()] not in calendar.days or day in calendar.holidays:
            continue
        opens = datetime.combine(day, calendar.opens, zone)
        closes = datetime.combine(day, calendar.closes, zone)
        begin = max(opens, local)
        if begin >= closes:
            continue
        # Same-zone subtraction in Python ignores offsets, which is what opening hours mean:
        # a day with a clock change still opens and closes by the clock on the wall.
        if left <= closes - begin:
            return (begin + left).astimezone(start.tzinfo)
        left -= closes - begin
    raise ValueError("the calendar never opens")
