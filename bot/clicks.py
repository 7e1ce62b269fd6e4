"""Owns what a button or a menu does; refuses what the clicking person may not do."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from bot import blocks, inbound
from bot.desk import Desk
from bot.directory import Person
from bot.words import say
from triage import service
from triage.ticket import ClinicalImpact

log = structlog.get_logger()

NEW = "ticket_new"  # the button on Home
OPEN = "ticket_open"  # a link: Slack tells of the click all the same
Act = Callable[[Desk, str, str, Person], None]  # desk, ref, what was chosen, who


def register(app: Any, desk: Desk) -> None:
    """Connect every button, menu and form of a ticket."""
    for action in REPORTERS:
        app.action(action)(partial(_reporter, desk, action))
    for action in STAFF:
        app.action(action)(partial(_staff, desk, action))
    for action in FORMS:
        app.action(action)(partial(_form, desk, action))
    app.action(NEW)(partial(_new, desk))
    app.action(OPEN)(_opened)
    app.view("resolve_form")(partial(_sent, desk, _resolve))
    app.view("reply_form")(partial(_sent, desk, _reply))


def _new(desk: Desk, ack: Any, body: dict[str, Any], client: Any) -> None:
    """Open the form from Home."""
    ack()
    desk.open_form(client, body, blocks.form(desk.language(body)))


def _opened(ack: Any) -> None:
    ack()


def _reporter(desk: Desk, action: str, ack: Any, body: dict[str, Any], client: Any) -> None:
    """Do what a reporter's click means, if it is theirs to say: what they see follows through the outbox."""
    _try(desk, ack, body, client, partial(_for_reporter, desk, action))


def _for_reporter(desk: Desk, action: str, ref: str, _: str, person: Person) -> str:
    row = desk.ticket(ref)
    if row is None or row.requester != person.email:
        return say("not_allowed", person.language, ref=ref)
    REPORTERS[action](desk, ref, "", person)
    return ""


def _staff(desk: Desk, action: str, ack: Any, body: dict[str, Any], client: Any) -> None:
    """Do what a colleague's click means, if their role may."""
    _try(desk, ack, body, client, partial(_for_staff, desk, action))


def _for_staff(desk: Desk, action: str, ref: str, chosen: str, person: Person) -> str:
    if not desk.may_work(person, desk.ticket(ref)):
        return say("no_account", person.language, ref=ref)
    STAFF[action](desk, ref, chosen, person)
    return ""


def _form(desk: Desk, action: str, ack: Any, body: dict[str, Any], client: Any) -> None:
    """Open the form in which a colleague writes, if their role may."""

    def open_it(ref: str, _: str, person: Person) -> str:
        if not desk.may_work(person, desk.ticket(ref)):
            return say("no_account", person.language, ref=ref)
        desk.open_form(client, body, FORMS[action](ref))
        return ""

    _try(desk, ack, body, client, open_it)


def _try(desk: Desk, ack: Any, body: dict[str, Any], client: Any, act: Callable[[str, str, Person], str]) -> None:
    """Run what a click means and acknowledge what is committed.

    Whatever stands against it becomes a sentence to that person alone.
    """
    clicked = body["actions"][0]
    value = clicked.get("value") or (clicked.get("selected_option") or {}).get("value") or ""
    ref, _, chosen = value.partition("|")
    try:
        person = desk.clicked(body)
        said = act(ref, chosen, person)
    except service.ConflictError as error:
        said = say("too_late", desk.language(body), why=str(error))
    except (service.BadMessageError, service.NotFoundError):
        said = say("not_allowed", desk.language(body), ref=ref)
    except Exception as error:  # noqa: BLE001 - nobody repeats a click by itself: say it in words
        log.error("click_failed", action=clicked.get("action_id"), error=type(error).__name__)
        said = say("not_done", desk.language(body))
    ack()
    if said:
        desk.whisper(client, body, said)


def _settle(desk: Desk, ref: str, _: str, person: Person, *, fixed: bool) -> None:
    service.settle(desk.services, ref, person.email, desk.clock(), fixed=fixed)


def _reopen(desk: Desk, ref: str, _: str, person: Person) -> None:
    service.reopen(desk.services, ref, person.email, desk.clock())


def _affect(desk: Desk, ref: str, _: str, person: Person, *, told: ClinicalImpact) -> None:
    service.affect(desk.services, ref, person.email, told, desk.clock())


def _rate(desk: Desk, ref: str, _: str, person: Person, *, rating: str) -> None:
    service.rate(desk.services, ref, person.email, rating, desk.clock())


def _claim(desk: Desk, ref: str, _: str, person: Person) -> None:
    service.claim(desk.services, ref, person.email, desk.clock())


def _correct(desk: Desk, ref: str, chosen: str, person: Person) -> None:
    service.correct(desk.services, ref, chosen, person.email, desk.clock())


def _hand_over(desk: Desk, ref: str, chosen: str, person: Person) -> None:
    service.hand_over(desk.services, ref, chosen, person.email, desk.clock())


REPORTERS: dict[str, Act] = {
    "ticket_fixed": partial(_settle, fixed=True),
    "ticket_not_fixed": partial(_settle, fixed=False),
    "ticket_reopen": _reopen,
    "ticket_affects_care": partial(_affect, told=ClinicalImpact(affects_care=True)),
    "ticket_no_other_device": partial(_affect, told=ClinicalImpact(other_device=False)),
    "ticket_whole_unit": partial(_affect, told=ClinicalImpact(whole_unit=True)),
    **{f"ticket_rate_{rating}": partial(_rate, rating=rating) for rating in service.RATINGS},
}
STAFF: dict[str, Act] = {
    "ticket_claim": _claim,
    "ticket_correct": _correct,
    "ticket_hand_over": _hand_over,
}
FORMS: dict[str, Callable[[str], dict[str, Any]]] = {
    "ticket_resolve": blocks.note_form,
    "ticket_reply": blocks.reply_form,
}
ACTIONS = {*REPORTERS, *STAFF, *FORMS, NEW, OPEN}


# --- forms of a ticket ----------------------------------------------------------------


def _sent(desk: Desk, act: Callable[..., None], ack: Any, view: dict[str, Any], body: dict[str, Any]) -> None:
    """Take a form about a ticket; when that fails it stays open and nothing typed is lost."""
    ref = view["private_metadata"]
    try:
        person = desk.clicked(body)
        if not desk.may_work(person, desk.ticket(ref)):
            said = say("no_account", person.language, ref=ref)
        else:
            act(desk, ref, view, person)
            said = ""
    except (service.ConflictError, service.BadMessageError) as error:
        said = str(error)
    except Exception as error:  # noqa: BLE001 - nobody sends a form again by itself: say it in words
        log.error("form_failed", callback=view.get("callback_id"), error=type(error).__name__)
        said = say("not_done", desk.language(body))
    if said:
        ack(response_action="errors", errors={"note": said})
    else:
        ack()


def _resolve(desk: Desk, ref: str, view: dict[str, Any], person: Person) -> None:
    note = inbound.typed(view["state"]["values"], "note")
    service.resolve(desk.services, ref, person.email, note, desk.clock())


def _reply(desk: Desk, ref: str, view: dict[str, Any], person: Person) -> None:
    values = view["state"]["values"]
    asks = inbound.is_ticked(values, "asks")
    service.reply(desk.services, ref, person.email, inbound.typed(values, "note"), desk.clock(), asks=asks)
