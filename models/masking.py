"""Owns the texts that teach and test the masker: marked tickets, and what a masking of them is worth."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.dataset import DatasetError, shipped_folder
from triage.ticket import Span

_MARK = re.compile(r"⟦([A-Z_]+)\|([^⟦⟧]+)⟧")
_HEAD = re.compile(r"(?m)^=== (\w+)[ \t]*\n")
KEPT, STAFF = "KEEP", "STAFF"
STRUCTURED = ("MRN", "HEALTH_CARD", "DOB", "PHONE", "EMAIL", "ADDRESS", "SSN", "ROOM_BED", "ID")
TYPES = ("NAME", *STRUCTURED, STAFF, KEPT)


@dataclass(frozen=True)
class Marked:
    """A ticket whose author marked what identifies a patient, what names staff and what must stay.

    Spans are offsets of `text`, in order and without overlaps.
    """

    id: str
    author: str
    language: str
    text: str
    marks: tuple[Span, ...]

    @property
    def identifiers(self) -> list[Span]:
        """Return what must be masked."""
        return [mark for mark in self.marks if mark.type not in (KEPT, STAFF)]

    @property
    def kept(self) -> list[str]:
        """Return the strings that must survive."""
        return [self.text[mark.start : mark.end] for mark in self.marks if mark.type == KEPT]


def read_marked(path: Path) -> Iterator[Marked]:
    """Read one author's file: `=== en`, then a ticket with marks like ⟦NAME|Jane Doe⟧, and so on."""
    yield from marked_in(path.read_text(encoding="utf-8"), path.stem, str(path))


def marked_in(content: str, author: str, source: str) -> Iterator[Marked]:
    """Read the marked tickets of one author. Raises DatasetError naming the source and the ticket."""
    parts = _HEAD.split(content)
    if parts[0].strip():
        raise DatasetError(f"{source}: text before the first ===")
    for number, (language, body) in enumerate(zip(parts[1::2], parts[2::2], strict=True), 1):
        text, marks = _unmarked(body.strip(), f"{source}: ticket {number}")
        yield Marked(f"{author}-{number}", author, language, text, marks)


def _unmarked(body: str, where: str) -> tuple[str, tuple[Span, ...]]:
    text, last, marks = "", 0, []
    for match in _MARK.finditer(body):
        if match[1] not in TYPES:
            raise DatasetError(f"{where}: {match[1]} is not a kind of mark")
        text += body[last : match.start()]
        marks.append(Span(len(text), len(text) + len(match[2]), match[1]))
        text += match[2]
        last = match.end()
    text += body[last:]
    if "⟦" in text or "⟧" in text:
        raise DatasetError(f"{where}: a mark is broken")
    return text, tuple(marks)


def load_marked(folder: Path | None = None, *, holdout: bool = False) -> list[Marked]:
    """Read every shipped file of marked tickets; the frozen ones only with `holdout`."""
    home = (folder or shipped_folder()) / "masking"
    return [one for path in sorted((home / "holdout" if holdout else home).glob("*.txt")) for one in read_marked(path)]


def measure(tickets: Iterable[Marked], find: Callable[[str], Sequence[Span]]) -> dict[str, float]:
    """Return what a masker is worth on marked tickets, as shares of 1.

    An identifier counts as found only when every letter and digit of it is masked; a
    string counts as kept when all of it stays.
    """
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()

    def count(name: str, good: bool) -> None:
        total[name] += 1
        right[name] += good

    for ticket in tickets:
        hidden = covered(ticket.text, find(ticket.text))
        gone = [
            all(hidden[i] or not ticket.text[i].isalnum() for i in range(m.start, m.end)) for m in ticket.identifiers
        ]
        for mark, found in zip(ticket.identifiers, gone, strict=True):
            kind = "names" if mark.type == "NAME" else "structured"
            for name in ("all", kind, mark.type, *(["French"] if ticket.language == "fr" else [])):
                count(name, found)
        for mark in ticket.marks:
            if mark.type == KEPT:
                count("kept", not any(hidden[mark.start : mark.end]))
        if ticket.identifiers:
            count("no leak", all(gone))
        else:
            count("unchanged", not any(hidden))
    return {name: right[name] / total[name] for name in total}


def covered(text: str, spans: Iterable[Span]) -> bytearray:
    """Return one byte per character: 1 where a span lies."""
    hidden = bytearray(len(text))
    for span in spans:
        hidden[span.start : span.end] = b"\x01" * (span.end - span.start)
    return hidden
