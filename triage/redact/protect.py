"""Owns what IT needs to see whatever else a text holds: addresses of machines, codes, versions, places.

No guess of the masker may take these; what a word beside it or a checksum proves to be
an identifier still goes.
"""

from __future__ import annotations

import re

from triage.ticket import Span

_PLACE_WORD = (
    r"(?:pavill?on|pav\.|wing|aile|building|bldg|b[âa]timent|[ée]difice|tower|tour|hall|room|salle|local|auditorium"
    r"|h[ôo]pital|hospital|clinic|clinique|centre|center|campus|site|institut|institute|foundation|fondation|unit"
    r"|unit[ée]|ward|lobby|boardroom|lounge|theatre|annex|annexe|CLSC|CHSLD|CISSS|CIUSSS|CHU)"
)
_PROPER = r"(?:[A-ZÀ-Þ][\w'’.-]*|[A-ZÀ-Þ]+)"
_PROPERS = rf"{_PROPER}(?:[ -](?:de |du |des |la |le |and |et |& )?{_PROPER}){{0,3}}"
_PROTECTED = (
    re.compile(r"\b(?:https?|ftp|sftp|ipps?|smb)://[^\s<>\"')\]?]+", re.IGNORECASE),
    re.compile(r"\\\\[\w.$-]+(?:\\[\w.$-]+)?"),
    re.compile(r"(?<![\w.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:/\d{1,2})?(?![\w.]\d)"),
    re.compile(r"\b(?:[0-9A-F]{2}[:-]){5}[0-9A-F]{2}\b", re.IGNORECASE),
    re.compile(r"\b0x[0-9A-F]+\b", re.IGNORECASE),
    re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE),
    re.compile(r"\b(?:KB\d{6,7}|ORA-\d{5}|CVE-\d{4}-\d+|ISO[- ]\d{4,5}(?:-\d)?|UTF-\d+)\b"),
    re.compile(r"\b(?:INC|REQ|CHG|TKT|RITM|TASK|SCTASK|PRB|CRQ|WO)[-# ]?\d{4,10}\b"),
    re.compile(r"\b(?:v|version |ver\.? ?|firmware |fw )\d{1,5}(?:\.\d{1,6})+[a-z]?\b", re.IGNORECASE),
    re.compile(r"\b(?:ext|poste?|extension|pager|pagette|t[ée]l[ée]avertisseur)\.? ?#?:? ?\d{3,6}\b", re.IGNORECASE),
    re.compile(r"\b\d{1,2}[:h]\d{2}(?::\d{2})?\b"),
    re.compile(rf"\b(?i:{_PLACE_WORD}) {_PROPERS}"),
    re.compile(rf"\b{_PROPERS} (?i:{_PLACE_WORD})\b"),
    re.compile(r"\b(?:m\.r\.n|d\.o\.b)\b", re.IGNORECASE),
    re.compile(r"\bH[ôo]tel-Dieu\b", re.IGNORECASE),
)


def protected(text: str) -> list[Span]:
    """Return what no guess may take."""
    return [Span(match.start(), match.end(), "") for pattern in _PROTECTED for match in pattern.finditer(text)]
