"""The breach register: fed by security tickets, completed by people; refuses to close what the law still asks for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row

from triage.breach import RISKS, STATES, Duty, duties
from triage.service.shared import Act, BadMessageError, ConflictError, NotFoundError, Services, add_audit, existing
from triage.store import breaches, tickets

WORDS = ("happened", "information", "circumstances", "risk_reasons", "measures")
LONGEST = 4000  # characters of one field
FIELDS = ("state", "persons", "risk", *WORDS)


def open_entry(services: Services, ref: str, actor: str, now: datetime) -> None:
    """Put a ticket into the register by hand. Raises NotFoundError, or ConflictError when it is there."""

    def work(conn: Connection) -> None:
        row = existing(conn, ref)
        if not add_entry(conn, services, row.id, row.received_at, Act(now, actor, "open_breach")):
            raise ConflictError(f"{ref} is in the register already")

    services.transactions.write(work)


def add_entry(conn: Connection, services: Services, ticket_id: int, aware_at: datetime, act: Act) -> bool:
    """Put a ticket into the register within a transaction; False when it is there already.

    The hospital is aware from the moment somebody told IT, whenever it is read.
    """
    if not breaches.add(conn, ticket_id, aware_at):
        return False
    add_audit(conn, services, act, tickets.ref_of(ticket_id), {})
    return True


def change_entry(services: Services, ref: str, actor: str, now: datetime, changes: Mapping[str, Any]) -> None:
    """Complete an entry. `changes` maps a field of FIELDS to its value; words are masked like all words.

    Raises BadMessageError for a value that is none, ConflictError for a step that the register
    does not allow: an entry is no breach only with reasons, and a breach is closed only when
    every duty is done.
    """
    values = {name: _value(services, name, value) for name, value in changes.items()}
    _change(services, ref, Act(now, actor, "change_breach"), lambda _row: values)


def note_duty(services: Services, ref: str, actor: str, now: datetime, code: str, day: date) -> None:
    """Write down that somebody was told, such as "hipaa:persons". Raises BadMessageError for what is no duty here."""

    def values(row: Row[Any]) -> dict[str, Any]:
        known = [duty.code for duty in _duties(services, row)]
        if code not in known:
            raise BadMessageError("duty", f"must be one of {', '.join(known)}" if known else "there is none")
        if not _day(services, row.aware_at) <= day <= _day(services, now):
            raise BadMessageError("day", "must lie between the day of awareness and today")
        return {"notified": {**row.notified, code: day.isoformat()}}

    _change(services, ref, Act(now, actor, "note_duty"), values)


def _change(services: Services, ref: str, act: Act, values_for: Callable[[Row[Any]], dict[str, Any]]) -> None:
    def work(conn: Connection) -> None:
        row = _entry(conn, ref)
        values = values_for(row)
        _allow(services, row, values)
        if not breaches.change(conn, row, **values):
            raise ConflictError(f"the entry of {ref} was changed by somebody else meanwhile: look again")
        data = {"fields": sorted(values), "state": values.get("state", row.state)}
        add_audit(conn, services, act, tickets.ref_of(row.ticket_id), data)

    services.transactions.write(work)


def _allow(services: Services, row: Row[Any], values: Mapping[str, Any]) -> None:
    after = {**row._mapping, **values}  # noqa: SLF001 - SQLAlchemy's documented name
    if after["state"] == "not_breach" and not after["risk_reasons"]:
        raise ConflictError("to say that it was no breach, give the reasons (risk_reasons)")
    if after["state"] == "closed" and row.state != "not_breach":
        asked = _asked(services, after["aware_at"], after["persons"], after["risk"])
        if left := [duty.code for duty in asked if duty.code not in after["notified"]]:
            raise ConflictError(f"these duties are not noted as done: {', '.join(left)}")


def _day(services: Services, at: datetime) -> date:
    """Return the day of a moment where the hospital is: laws count its days, not those of UTC."""
    return at.astimezone(services.policy.zone).date()


def register(services: Services) -> list[dict[str, Any]]:
    """Return the whole register, oldest first, each entry with what the law asks for and what was done."""
    rows = services.transactions.read(breaches.everything)
    return [_shown(services, row) for row in rows]


def _shown(services: Services, row: Row[Any]) -> dict[str, Any]:
    listed = [
        {"duty": duty.code, "by": duty.by.isoformat() if duty.by else None, "done": row.notified.get(duty.code)}
        for duty in _duties(services, row)
    ]
    return {
        "ref": tickets.ref_of(row.ticket_id),
        "aware_at": row.aware_at.isoformat(timespec="seconds"),
        **{name: getattr(row, name) for name in FIELDS},
        "duties": listed,
    }


def _duties(services: Services, row: Row[Any]) -> tuple[Duty, ...]:
    if row.state == "not_breach":
        return ()
    return _asked(services, row.aware_at, row.persons, row.risk)


def _asked(services: Services, aware_at: datetime, persons: int | None, risk: str) -> tuple[Duty, ...]:
    return duties(_day(services, aware_at), persons, risk, services.policy.privacy.laws)


def _entry(conn: Connection, ref: str) -> Row[Any]:
    row = breaches.get(conn, existing(conn, ref).id)
    if row is None:
        raise NotFoundError(f"{ref} is not in the breach register")
    return row


def _value(services: Services, name: str, value: Any) -> Any:
    allowed = {"state": STATES, "risk": RISKS}.get(name)
    if allowed and value not in allowed:
        raise BadMessageError(name, f"must be one of {', '.join(allowed)}")
    if name == "persons" and (type(value) is not int or not 0 <= value < 10**9):
        raise BadMessageError(name, "must be a number, 0 or more")
    if name not in FIELDS:
        raise BadMessageError(name, "is no field of the register")
    if name not in WORDS:
        return value
    said = services.mask(str(value).strip()[:LONGEST])
    if said.failed:
        raise BadMessageError(name, "could not be masked: say it in other words")
    return said.text
