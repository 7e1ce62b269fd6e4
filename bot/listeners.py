"""Owns what happens when somebody writes to the bot; refuses to acknowledge what is not committed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import structlog
from slack_bolt import App, BoltResponse

from bot import clicks, forms, home, inbound
from bot.desk import UNREACHABLE, Desk
from bot.directory import Person
from bot.words import say
from triage import service
from triage.store import marks, outbox, tickets

log = structlog.get_logger()

__all__ = ["Desk", "register"]

RECENT = timedelta(days=3)  # "still broken" beside any thread means the person's newest ticket of these days
NEWEST = 20  # tickets of one person looked through for it
_FILED, _EMPTY = "filed", "empty"  # where the middleware leaves what the listener has to do


def register(app: App, desk: Desk) -> None:
    """Connect every listener; the last one acknowledges whatever else is subscribed to."""
    app.middleware(partial(_own_workspace, desk))
    app.middleware(partial(_store_first, desk))
    forms.register(app, desk)
    clicks.register(app, desk)
    app.event("app_home_opened")(partial(_home, desk))
    app.event(re.compile(".*"))(partial(_event, desk))


def _own_workspace(
    desk: Desk,
    body: dict[str, Any],
    context: Any,
    next: Callable[[], Any],  # noqa: A002 - Bolt gives it by this name
) -> BoltResponse | None:
    """Let through what comes from the workspace the app is installed in, and from this app, alone."""
    team = body.get("team_id") or (body.get("team") or {}).get("id")
    ours = getattr(context.authorize_result, "team_id", None)
    app_id = body.get("api_app_id")
    if (team and ours and team != ours) or (app_id and desk.app_id and app_id != desk.app_id):
        log.warning("not_our_workspace", team=team, app=app_id)
        return BoltResponse(status=200, body="")
    next()
    return None


def _store_first(
    desk: Desk,
    body: dict[str, Any],
    context: dict[str, Any],
    next: Callable[[], Any],  # noqa: A002 - as above
) -> None:
    """File a request before Bolt acknowledges its event: an exception here makes Slack deliver it again."""
    event = body.get("event") or {}
    if body.get("type") == "event_callback" and event.get("type") in ("message", "app_mention"):
        with desk.rush.storing():
            context[_FILED], context[_EMPTY] = take(desk, event)
    next()


def take(desk: Desk, event: dict[str, Any]) -> tuple[tickets.Filed | None, bool]:
    """Store what an event says; returns the ticket it became, and whether it had no word to go by.

    The same event again does nothing more. Raises whatever kept it from being stored.
    """
    if inbound.is_request(event):
        return _request(desk, event)
    if inbound.is_reply(event):
        _hear(desk, event, event["thread_ts"])
    elif inbound.is_change(event):
        _amended(desk, event)
    elif inbound.is_deletion(event):
        _withdrawn(desk, event)
    return None, False


def _request(desk: Desk, event: dict[str, Any]) -> tuple[tickets.Filed | None, bool]:
    thread = event.get("thread_ts") or event["ts"]
    if thread != event["ts"] and _shown_in(desk, inbound.place_of(event["channel"], thread)):
        return None, False  # the thread is a ticket's: the same words come as its reply
    person = desk.directory.person(event["user"])
    message = inbound.from_event(event, person.email)
    if inbound.says_nothing(message.raw_text):
        return None, True
    if service.is_follow_up(message.raw_text) and (ref := _newest(desk, person, event["ts"])):
        said_as = inbound.place_of(event["channel"], event["ts"])
        service.hear(desk.services, ref, person.email, message.raw_text, said_as, desk.clock())
        return None, False
    return service.file_ticket(desk.services, message, desk.clock()), False


def _newest(desk: Desk, person: Person, ts: str) -> str | None:
    """Return somebody's newest ticket before a message, which "still broken" without a thread is about.

    The message's own time decides, so that hearing it again later means the same ticket.
    """
    mine = partial(tickets.page, filters={"requester": person.email}, see_restricted=True, limit=NEWEST)
    before = (row for row in desk.services.transactions.read(mine).rows if row.received_at.timestamp() <= float(ts))
    newest = next(before, None)
    return tickets.ref_of(newest.id) if newest and desk.clock() - newest.received_at < RECENT else None


def _shown_in(desk: Desk, place: str) -> tuple[str, bool] | None:
    """Return the ticket whose thread this is, and whether it is its team's thread; None for other people's talk."""

    def look(conn: Any) -> tuple[str, bool] | None:
        if ref := tickets.ref_said_as(conn, inbound.CHANNEL, place):
            return ref, False
        notice = outbox.shown_as(conn, place)
        return (notice["ref"], notice["to"].startswith("channel:")) if notice else None

    return desk.services.transactions.read(look)


def _hear(desk: Desk, event: dict[str, Any], thread: str) -> None:
    """Keep a reply in a ticket's own thread, as whose it is; in any other thread nobody spoke to us."""
    found = _shown_in(desk, inbound.place_of(event["channel"], thread))
    text = inbound.from_event(event, "").raw_text
    if found is None or not text:
        return
    ref, of_team = found
    row, person = desk.ticket(ref), desk.directory.person(event["user"])
    said_as, now = inbound.place_of(event["channel"], event["ts"]), desk.clock()
    if row is not None and row.requester == person.email and not of_team:
        service.hear(desk.services, ref, person.email, text, said_as, now)
    elif desk.may_work(person, row):
        _heard_from_staff(desk, ref, person, text, said_as, of_team=of_team)


def _heard_from_staff(desk: Desk, ref: str, person: Person, text: str, said_as: str, *, of_team: bool) -> None:
    """Keep what a colleague writes: under the team's card for IT alone, under the reporter's message an answer."""
    kept = text[: service.LONGEST_NOTE]
    try:
        if of_team:
            service.add_note(desk.services, ref, person.email, kept, desk.clock(), said_as=said_as)
        else:
            service.reply(desk.services, ref, person.email, kept, desk.clock(), said_as=said_as)
    except service.ConflictError:  # the reporter has read it where it stands; a closed ticket needs no answer
        log.info("said_after_the_end", ref=ref)


def _amended(desk: Desk, event: dict[str, Any]) -> None:
    """Take it that a reporter changed what they wrote."""
    channel, inner = event["channel"], event["message"]
    old, new = (_words_of(channel, one) for one in (event.get("previous_message") or {}, inner))
    if old != new and (found := _own(desk, channel, inner)):
        said_as = f"{inbound.place_of(channel, inner['ts'])}:{inner['edited']['ts']}"
        ref, person = found
        service.amend(desk.services, ref, person.email, old, new, said_as, desk.clock())


def _words_of(channel: str, message: dict[str, Any]) -> str:
    return inbound.from_event({"ts": "0"} | message | {"channel": channel}, "").raw_text


def _withdrawn(desk: Desk, event: dict[str, Any]) -> None:
    inner = event["previous_message"]
    if found := _own(desk, event["channel"], inner):
        ref, person = found
        said_as = inbound.deleted(inbound.place_of(event["channel"], inner["ts"]))
        service.withdraw(desk.services, ref, person.email, said_as, desk.clock())


def _own(desk: Desk, channel: str, inner: dict[str, Any]) -> tuple[str, Person] | None:
    """Return the ticket that a reporter's own message belongs to, and who they are."""
    thread = inner.get("thread_ts") or inner["ts"]
    found = _shown_in(desk, inbound.place_of(channel, thread))
    if found is None or found[1]:
        return None
    person, row = desk.directory.person(inner["user"]), desk.ticket(found[0])
    return (found[0], person) if row is not None and row.requester == person.email else None


def _event(desk: Desk, context: dict[str, Any], event: dict[str, Any], client: Any) -> None:
    """Decide what happens to a ticket that was just filed; any other event asks for nothing.

    Should this never run, the sweep decides it later.
    """
    filed: tickets.Filed | None = context.get(_FILED)
    if filed is not None and not filed.triaged:
        desk.rush.later(service.triage_ticket, desk.services, filed, desk.clock())
    if context.get(_EMPTY):
        _ask_for_words(desk, event, client)


def _ask_for_words(desk: Desk, event: dict[str, Any], client: Any) -> None:
    body = {"channel": {"id": event["channel"]}, "user": {"id": event["user"]}}
    desk.whisper(client, body, say("say_more", desk.language(body)))


def _home(desk: Desk, event: dict[str, Any], client: Any) -> None:
    """Show somebody their own tickets whenever they open the app's Home, and after each change from then on."""
    if event.get("tab") != "home":
        return
    person, services = desk.directory.person(event["user"]), desk.services
    view = home.draw(services.transactions, services.policy, person.email, person.language)
    try:
        client.views_publish(user_id=person.id, view=view)
    except UNREACHABLE as error:
        log.warning("home_not_shown", error=type(error).__name__)
    services.transactions.write(lambda conn: marks.seen(conn, f"home:{person.email}", desk.clock()))
