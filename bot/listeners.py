"""Owns what happens when somebody writes, fills a form or clicks; refuses to acknowledge what is not committed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from slack_bolt import App

from bot import blocks, inbound
from bot.directory import Directory, Person
from bot.text import escape, plain
from bot.words import say
from triage import service
from triage.notices import subject
from triage.roles import may
from triage.store import people, tickets
from triage.ticket import Message

log = structlog.get_logger()

HOME_TICKETS = 40
NEW = "ticket_new"  # the button on Home
_FILED = "filed"  # where the middleware leaves a new ticket for the listener


@dataclass(frozen=True)
class Desk:
    """What the listeners work with."""

    services: service.Services
    directory: Directory
    clock: Callable[[], datetime]


def register(app: App, desk: Desk) -> None:
    """Connect every listener; the last one acknowledges whatever else is subscribed to."""
    app.middleware(partial(_store_first, desk))
    app.command("/it")(ack=partial(_command, desk), lazy=[_open_form])
    for callback in ("new_ticket", "file_ticket"):
        app.shortcut(callback)(_shortcut)
    app.view("ticket_form")(partial(_form, desk))
    app.view("resolve_form")(partial(_resolve_form, desk))
    for action, handle in _ACTIONS.items():
        app.action(action)(partial(handle, desk))
    app.action(NEW)(_new)
    app.event("app_home_opened")(partial(_home, desk))
    app.event(re.compile(".*"))(partial(_event, desk))


def _home(desk: Desk, event: dict[str, Any], client: Any) -> None:
    """Show somebody their own tickets whenever they open the app's Home."""
    if event.get("tab") != "home":
        return
    person = desk.directory.person(event["user"])
    mine = partial(tickets.page, filters={"requester": person.email}, see_restricted=True, limit=HOME_TICKETS)
    rows = desk.services.transactions.read(mine).rows
    opened = [_shown(desk, row, person.language) for row in rows if row.is_open]
    solved = [_shown(desk, row, person.language) for row in rows if not row.is_open][:5]
    client.views_publish(user_id=person.id, view=blocks.home(opened, solved, person.language))


def _shown(desk: Desk, row: Any, language: str) -> dict[str, str]:
    by = row.respond_by.astimezone(desk.services.policy.zone).strftime("%Y-%m-%d %H:%M") if row.respond_by else "?"
    state = say(f"state_{row.status}", language, by=by) if row.is_open else ""
    return {"ref": tickets.ref_of(row.id), "subject": subject(row.text), "state": state}


def _new(ack: Any, body: dict[str, Any], client: Any) -> None:
    """Open the form from Home."""
    ack()
    client.views_open(trigger_id=body["trigger_id"], view=blocks.form("en"))


def _event(desk: Desk, context: dict[str, Any], event: dict[str, Any], client: Any) -> None:
    """Decide what happens to a ticket that was just filed; any other event asks for nothing.

    Should this never run, the sweep decides it later.
    """
    filed: tickets.Filed | None = context.get(_FILED)
    if filed is None or filed.triaged:
        return
    service.triage_ticket(desk.services, filed, desk.clock())
    row = desk.services.transactions.read(lambda conn: tickets.get(conn, filed.id))
    if row is not None and row.spans and filed.created:
        language = desk.directory.person(event["user"]).language
        kinds = ", ".join(sorted({kind for _, _, kind in row.spans}))
        text = say("masked", language, kinds=kinds)
        client.chat_postEphemeral(channel=event["channel"], user=event["user"], text=text)


def _store_first(
    desk: Desk,
    body: dict[str, Any],
    context: dict[str, Any],
    next: Callable[[], Any],  # noqa: A002 - Bolt gives it by this name
) -> None:
    """File a request before Bolt acknowledges its event: an exception here makes Slack deliver it again."""
    event = body.get("event") or {}
    if body.get("type") == "event_callback" and inbound.is_request(event):
        person = desk.directory.person(event["user"])
        message = inbound.from_event(event, person.email)
        if message.raw_text:
            context[_FILED] = service.file_ticket(desk.services, message, desk.clock())
    elif body.get("type") == "event_callback" and inbound.is_reply(event):
        _hear(desk, event)
    next()


def _hear(desk: Desk, event: dict[str, Any]) -> None:
    """Keep a reply in a ticket's own thread; in any other thread nobody spoke to us."""
    thread = inbound.place_of(event["channel"], event["thread_ts"])
    find = partial(tickets.ref_said_as, channel=inbound.CHANNEL, external_id=thread)
    ref, text = desk.services.transactions.read(find), inbound.from_event(event, "").raw_text
    if ref is None or not text:
        return
    person = desk.directory.person(event["user"])
    if _ticket(desk, ref).requester == person.email:  # in a shared channel others talk under it too
        said_as = inbound.place_of(event["channel"], event["ts"])
        service.hear(desk.services, ref, person.email, text, said_as, desk.clock())


def file(desk: Desk, message: Message) -> str:
    """File a message and return the ticket's reference."""
    return service.receive(desk.services, message, desk.clock()).ticket.ref


def _command(desk: Desk, ack: Any, body: dict[str, Any]) -> None:
    """Acknowledge `/it TEXT` only once the ticket is committed; `/it` alone opens the form."""
    if not (body.get("text") or "").strip():
        ack()
        return
    language = "en"
    try:
        person = desk.directory.person(body["user_id"])
        language = person.language
        ref = file(desk, inbound.from_command(body, person.email))
    except Exception as error:  # noqa: BLE001 - nobody retries a command: say it in words
        log.error("intake_failed", error=type(error).__name__)
        ack(say("not_saved", language))
        return
    ack(say("filed", language, ref=ref))


def _open_form(body: dict[str, Any], client: Any) -> None:
    if not (body.get("text") or "").strip():
        client.views_open(trigger_id=body["trigger_id"], view=blocks.form("en"))


def _shortcut(ack: Any, shortcut: dict[str, Any], client: Any) -> None:
    """Open the form; over a message, with its words in it."""
    ack()
    text = plain((shortcut.get("message") or {}).get("text") or "")
    client.views_open(trigger_id=shortcut["trigger_id"], view=blocks.form("en", text))


def _form(desk: Desk, ack: Any, view: dict[str, Any], body: dict[str, Any]) -> None:
    """File a submitted form; when that fails it stays open and nothing typed is lost."""
    language = "en"
    try:
        person = desk.directory.person(body["user"]["id"])
        language = person.language
        message = inbound.from_form(view, person.email)
        if not message.raw_text:
            ack(response_action="errors", errors={"what": say("empty", language)})
            return
        file(desk, message)
    except service.BadMessageError as error:
        ack(response_action="errors", errors={_block_of(error.field): error.reason})
        return
    except Exception as error:  # noqa: BLE001 - as above
        log.error("intake_failed", error=type(error).__name__)
        ack(response_action="errors", errors={"what": say("not_saved", language)})
        return
    ack()


def _block_of(field: str) -> str:
    return {"unit": "where", "device": "device"}.get(field, "what")


# --- buttons --------------------------------------------------------------------------


def _person(desk: Desk, body: dict[str, Any]) -> Person:
    return desk.directory.person(body["user"]["id"])


def _tell(body: dict[str, Any], client: Any, text: str) -> None:
    """Say something to the one who clicked, where they clicked."""
    channel = (body.get("channel") or {}).get("id")
    if channel:
        client.chat_postEphemeral(channel=channel, user=body["user"]["id"], text=escape(text))


def _ticket(desk: Desk, ref: str) -> Any:
    ticket_id = tickets.id_of(ref)
    return desk.services.transactions.read(lambda conn: tickets.get(conn, ticket_id)) if ticket_id else None


def _may_work(desk: Desk, person: Person, ref: str) -> bool:
    """Tell whether somebody may work on a ticket: the same permissions as everywhere."""
    account = desk.services.transactions.read(lambda conn: people.user(conn, person.email))
    row = _ticket(desk, ref)
    if account is None or row is None or not may(account.role, "tickets:work"):
        return False
    return not row.restricted or may(account.role, "security:read")


def _reporter_says(
    desk: Desk, body: dict[str, Any], client: Any, name: str, act: Callable[[str, Person], None]
) -> None:
    """Do what a reporter's click means, if it is theirs to say, and put the outcome in the buttons' place."""
    ref, person = body["actions"][0]["value"], _person(desk, body)
    row = _ticket(desk, ref)
    if row is None or row.requester != person.email:
        _tell(body, client, say("not_allowed", person.language, ref=ref))
        return
    try:
        act(ref, person)
    except service.ConflictError as error:
        _tell(body, client, say("too_late", person.language, why=str(error)))
        return
    _replace(body, client, say(name, person.language, ref=ref))


def _staff_says(desk: Desk, body: dict[str, Any], client: Any, ref: str, act: Callable[[Person], str]) -> None:
    """Do what a colleague's click means, if their role may, and write the outcome on the card."""
    person = _person(desk, body)
    if not _may_work(desk, person, ref):
        _tell(body, client, say("not_allowed", person.language, ref=ref))
        return
    try:
        outcome = act(person)
    except (service.ConflictError, service.BadMessageError) as error:
        _tell(body, client, say("too_late", person.language, why=str(error)))
        return
    _replace(body, client, outcome, keep_buttons=True)


def _replace(body: dict[str, Any], client: Any, text: str, *, keep_buttons: bool = False) -> None:
    """Write the outcome under a message: always with blocks, or the old buttons would stay on the screen."""
    message, channel = body.get("message"), (body.get("channel") or {}).get("id")
    if not message or not channel:
        return
    old = [block for block in message.get("blocks", []) if keep_buttons or block["type"] != "actions"]
    said = {"type": "context", "elements": [{"type": "mrkdwn", "text": escape(text)}]}
    client.chat_update(channel=channel, ts=message["ts"], text=escape(text), blocks=[*old, said][-50:])


def _fixed(desk: Desk, ack: Any, body: dict[str, Any], client: Any) -> None:
    ack()
    settle = partial(_settle, desk, fixed=True)
    _reporter_says(desk, body, client, "fixed", settle)


def _not_fixed(desk: Desk, ack: Any, body: dict[str, Any], client: Any) -> None:
    ack()
    settle = partial(_settle, desk, fixed=False)
    _reporter_says(desk, body, client, "not_fixed", settle)


def _settle(desk: Desk, ref: str, person: Person, *, fixed: bool) -> None:
    service.settle(desk.services, ref, person.email, desk.clock(), fixed=fixed)


def _reopen(desk: Desk, ack: Any, body: dict[str, Any], client: Any) -> None:
    ack()

    def act(ref: str, person: Person) -> None:
        service.reopen(desk.services, ref, person.email, desk.clock())

    _reporter_says(desk, body, client, "reopened", act)


def _claim(desk: Desk, ack: Any, body: dict[str, Any], client: Any) -> None:
    ack()
    ref = body["actions"][0]["value"]

    def act(person: Person) -> str:
        service.claim(desk.services, ref, person.email, desk.clock())
        return say("claimed", who=person.email, ref=ref)

    _staff_says(desk, body, client, ref, act)


def _correct(desk: Desk, ack: Any, body: dict[str, Any], client: Any) -> None:
    ack()
    ref, _, slug = body["actions"][0]["selected_option"]["value"].partition("|")

    def act(person: Person) -> str:
        service.correct(desk.services, ref, slug, person.email, desk.clock())
        return say("corrected", ref=ref, category=desk.services.policy.categories[slug].label.en)

    _staff_says(desk, body, client, ref, act)


def _resolve(desk: Desk, ack: Any, body: dict[str, Any], client: Any) -> None:
    """Ask what was done."""
    ack()
    ref, person = body["actions"][0]["value"], _person(desk, body)
    if not _may_work(desk, person, ref):
        _tell(body, client, say("not_allowed", person.language, ref=ref))
        return
    client.views_open(trigger_id=body["trigger_id"], view=blocks.note_form(ref))


def _resolve_form(desk: Desk, ack: Any, view: dict[str, Any], body: dict[str, Any]) -> None:
    ref, person = view["private_metadata"], _person(desk, body)
    note = inbound.typed(view["state"]["values"], "note")
    if not _may_work(desk, person, ref):
        ack(response_action="errors", errors={"note": say("not_allowed", person.language, ref=ref)})
        return
    try:
        service.resolve(desk.services, ref, person.email, note, desk.clock())
    except (service.ConflictError, service.BadMessageError) as error:
        ack(response_action="errors", errors={"note": str(error)})
        return
    ack()


_ACTIONS: dict[str, Callable[..., None]] = {
    "ticket_fixed": _fixed,
    "ticket_not_fixed": _not_fixed,
    "ticket_reopen": _reopen,
    "ticket_claim": _claim,
    "ticket_correct": _correct,
    "ticket_resolve": _resolve,
}
