"""The conversation in Slack, with the real Bolt against a workspace on loopback, in both transports."""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr
from werkzeug.serving import make_server

from bot import app as slack_app
from bot.catchup import CatchUp
from bot.desk import Desk
from bot.directory import Directory
from builders import NOON, NOT_MINOR, POLICY, a_message, a_prediction, a_ticket
from parts import deliver_all, rows_of
from slack_server import SlackServer
from triage import service, settings
from triage.store import incidents, marks, outbox, people, tickets
from triage.store.tables import OutboxRow

MANIFEST = json.loads((Path(slack_app.__file__).parent / "manifest.json").read_text("utf-8"))
TEAMS = sorted({team.slack_channel for team in POLICY.teams.values()})
SERIOUS = "the chart shows the wrong weight"


@pytest.fixture
def slack():
    with SlackServer(MANIFEST) as server:
        yield server


@pytest.fixture
def nurse(slack):
    return slack.person("nina", email="nurse.sample@example.org")


@pytest.fixture
def agent(slack, sqlite_services):
    """Somebody of IT, with an account."""
    email = "agent.sample@example.org"
    sqlite_services.transactions.write(lambda conn: people.put_user(conn, email, "agent", "scrypt:made-up", NOON))
    return slack.person("alex", email=email)


@pytest.fixture
def channels(slack, agent, nurse):
    """Every team's channel, with the agent and a curious nurse in it."""
    return {name: slack.channel(name, private=True, people=(agent, nurse)) for name in TEAMS}


@pytest.fixture
def wired(slack, sqlite_services, classifier, monkeypatch):
    """Settings and services that talk to this workspace; sends without pausing between messages."""
    classifier.on("weight", a_prediction(NOT_MINOR))
    monkeypatch.setattr("bot.outbound.PACE", 0.0)
    found = settings.load().model_copy(
        update={
            "slack_bot_token": SecretStr(slack.bot_token),
            "slack_app_token": SecretStr(slack.app_token),
            "slack_signing_secret": SecretStr(slack.signing_secret),
            "slack_api_url": slack.api_url,
        }
    )
    told = slack_app.notifier(found, sqlite_services.transactions, sqlite_services.policy)
    return found, replace(sqlite_services, notifier=told)


@pytest.fixture(params=["socket", "http"])
def bot(request, slack, wired, clock):
    """The running bot; its services."""
    found, services = wired
    executor = ThreadPoolExecutor(slack_app.WORKERS)
    desk = Desk(services, Directory(slack_app.web_client(found)), clock)
    app = slack_app.build(found, desk, executor)
    if request.param == "socket":
        line = slack_app.Line(app, slack.app_token, desk)
        line.start()
        slack.sockets.wait_for(1)
        assert line.is_up
        yield services
        line.stop()
    else:
        server = make_server("127.0.0.1", 0, slack_app.wsgi(app), threaded=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        slack.deliver_to(f"http://127.0.0.1:{server.port}{slack_app.PATH}")
        yield services
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
    executor.shutdown(wait=True)


def row_of(services, number=1):
    return services.transactions.read(lambda conn: tickets.get(conn, number))


def decided(slack, services, number=1):
    """Wait until a ticket is decided."""
    slack.until(lambda: (row := row_of(services, number)) and row.status != "new" and row)
    return row_of(services, number)


def replies(slack, message):
    return slack.thread(message.channel, message)[1:]


def file_directly(slack, bot, clock, person, text):
    """Write to the bot and let it answer; returns the message."""
    message = person.direct(text)
    slack.settle()
    decided(slack, bot)
    deliver_all(bot, clock)
    return message


@pytest.mark.usefixtures("channels")
def test_a_direct_message_is_answered_in_its_thread_with_a_guided_fix(slack, bot, clock, nurse):
    message = file_directly(slack, bot, clock, nurse, "zebra printer on 4W prints blank labels")
    (answer,) = replies(slack, message)
    assert "IT-1" in answer.shown
    assert set(answer.buttons) >= {"That fixed it", "Still broken"}
    nurse.click("That fixed it", answer)
    slack.settle()
    slack.until(lambda: row_of(bot).status == "resolved")
    deliver_all(bot, clock)
    slack.until(lambda: "is closed" in replies(slack, message)[0].shown)
    assert slack.refused == []


def test_still_broken_hands_the_ticket_to_the_team(slack, bot, clock, nurse, channels):
    message = file_directly(slack, bot, clock, nurse, "zebra printer on 4W prints blank labels")
    nurse.click("Still broken", replies(slack, message)[0])
    slack.settle()
    slack.until(lambda: row_of(bot).status == "open")
    deliver_all(bot, clock)
    assert "did not help" in channels["it-workplace"].messages[-1].shown
    assert set(replies(slack, message)[0].buttons).isdisjoint({"That fixed it", "Still broken"})


def test_a_serious_ticket_is_claimed_corrected_and_resolved_from_the_teams_channel(
    slack, bot, clock, nurse, agent, channels
):
    message = file_directly(slack, bot, clock, nurse, SERIOUS)
    (card,) = channels["it-clinical-apps"].messages
    assert "IT-1" in card.shown
    agent.click("Claim", card)
    slack.until(lambda: row_of(bot).assignee == agent.email)
    deliver_all(bot, clock)
    agent.choose("Wrong category", "Printing and scanning", card)
    slack.settle()
    deliver_all(bot, clock)
    assert card.shown == "IT-1 was handed to Workplace and printing."
    (moved,) = channels["it-workplace"].messages
    assert "a person says that it is Printing" in moved.shown
    agent.click("Resolve", moved)
    slack.until(lambda: agent.view)
    agent.fill({"What was done? The reporter reads this.": "Reloaded the chart"})
    agent.submit()
    slack.until(lambda: row_of(bot).status == "resolved")
    deliver_all(bot, clock)
    told = next(reply for reply in replies(slack, message) if "Reloaded the chart" in reply.shown)
    nurse.click("Not solved", told)
    slack.until(lambda: row_of(bot).status == "open")
    assert slack.refused == []


def test_a_click_of_somebody_without_the_right_has_no_effect(slack, bot, clock, nurse, channels):
    file_directly(slack, bot, clock, nurse, SERIOUS)
    nurse.click("Claim", channels["it-clinical-apps"].messages[0])
    slack.settle()
    slack.until(lambda: any("may not" in m.shown for m in slack.seen_by(nurse).only_for_them))
    assert row_of(bot).assignee == ""


@pytest.mark.usefixtures("channels")
def test_a_mention_a_command_and_a_form_make_tickets_too(slack, bot, clock, nurse):
    ward = slack.channel("ward-4w", people=(nurse,))
    mention = nurse.mention(ward, SERIOUS)
    slack.settle()
    decided(slack, bot)
    nurse.command("/it", SERIOUS)
    slack.settle()
    decided(slack, bot, 2)
    nurse.command("/it")
    slack.until(lambda: nurse.view)
    nurse.fill({"What is wrong?": SERIOUS, "Where are you?": "4 West", "Is patient care affected?": "Yes"})
    nurse.submit()
    row = decided(slack, bot, 3)
    assert (row.unit, row.impact["affects_care"]) == ("4 West", True)
    deliver_all(bot, clock)
    assert "IT-1" in replies(slack, mention)[0].shown
    assert {"IT-2", "IT-3"} <= {m.shown.partition(" ")[0] for m in nurse.chat.messages} | {
        word.strip(".") for m in nurse.chat.messages for word in m.shown.split()
    }
    assert slack.refused == []


@pytest.mark.usefixtures("channels")
def test_a_message_shortcut_brings_the_words_into_the_form(slack, bot, nurse):
    ward = slack.channel("ward-4w", people=(nurse,))
    nurse.shortcut("file_ticket", nurse.write(ward, SERIOUS))
    slack.until(lambda: nurse.view)
    nurse.submit()
    assert decided(slack, bot).text == SERIOUS


@pytest.mark.usefixtures("channels")
def test_an_event_delivered_twice_is_one_ticket_and_one_answer(slack, bot, clock, nurse):
    slack.deliver_twice()
    message = file_directly(slack, bot, clock, nurse, SERIOUS)
    assert row_of(bot, 2) is None
    assert len(replies(slack, message)) == 1


@pytest.mark.usefixtures("channels")
def test_home_shows_somebodys_own_tickets_and_opens_the_form(slack, bot, clock, nurse):
    file_directly(slack, bot, clock, nurse, SERIOUS)
    other = slack.person("omar", email="other.sample@example.org")
    for person, mine in ((nurse, True), (other, False)):
        person.open_home()
        slack.until(lambda who=person: who.home)
        words = " ".join(slack.seen_by(person).texts)
        assert ("IT-1" in words and "wrong weight" in words) == mine
    nurse.click("Report a problem")
    slack.until(lambda: nurse.view)
    assert slack.refused == []


@pytest.mark.usefixtures("channels")
@pytest.mark.parametrize("bot", ["socket"], indirect=True)
def test_a_cut_line_comes_back_and_nothing_is_lost(slack, bot, clock, nurse):
    before = slack.sockets.opened
    slack.sockets.cut()
    slack.sockets.wait_for(1, opened=before + 1)
    message = file_directly(slack, bot, clock, nurse, SERIOUS)
    assert len(replies(slack, message)) == 1


@pytest.mark.usefixtures("channels")
@pytest.mark.parametrize("bot", ["http"], indirect=True)
@pytest.mark.parametrize("how", ["forged", "unsigned", "stale"])
def test_what_slack_did_not_sign_is_refused(slack, bot, how):
    assert slack.knock(how) == 401
    assert row_of(bot) is None


@pytest.mark.usefixtures("channels")
def test_patient_data_is_told_to_the_writer_alone_and_echoed_nowhere(slack, bot, clock, nurse):
    text = "wristband for patient Testina Fauxwicz MRN 0012345 prints blank, " + SERIOUS
    message = file_directly(slack, bot, clock, nurse, text)
    (told,) = [m for m in replies(slack, message) if "patient data" in m.shown]
    assert "a name" in told.shown
    assert "a record number" in told.shown
    assert slack.anywhere("Fauxwicz") == []
    assert slack.anywhere("0012345") == []


@pytest.mark.usefixtures("channels")
def test_still_broken_in_the_thread_opens_the_ticket_again(slack, bot, clock, nurse):
    message = file_directly(slack, bot, clock, nurse, SERIOUS)
    service.resolve(bot, "IT-1", "agent.sample@example.org", "done", NOON)
    nurse.direct("still broken!", thread=message)
    slack.until(lambda: row_of(bot).status == "open")


@pytest.mark.usefixtures("channels")
@pytest.mark.parametrize("fault", ["stored_then_500", "stored_then_dropped", "500", "429"])
def test_an_answer_arrives_once_whatever_slack_does(slack, bot, clock, nurse, fault):
    message = nurse.direct(SERIOUS)
    slack.settle()
    decided(slack, bot)
    slack.misbehave("chat.postMessage", fault)
    for _ in range(6):
        deliver_all(bot, clock)
        clock.passes(minutes=10)
    assert len(replies(slack, message)) == 1


def test_a_burst_for_one_channel_comes_in_order_and_at_slacks_pace(
    slack, bot, clock, nurse, channels, sqlite, monkeypatch
):
    monkeypatch.setattr("bot.outbound.PACE", 0.2)
    for _ in range(5):
        nurse.direct(SERIOUS)
    slack.settle()
    for number in range(1, 6):
        decided(slack, bot, number)
    channel = channels["it-clinical-apps"]

    def told():
        deliver_all(bot, clock)
        clock.passes(seconds=1)
        return len(channel.messages) == 5

    slack.until(told)
    queued = [
        row.key
        for row in sorted(rows_of(sqlite, OutboxRow), key=lambda row: row.id)
        if row.lane == "channel:it-clinical-apps"
    ]
    assert [f"{message.shown.split()[1]}:card" for message in channel.messages] == queued
    assert bot.transactions.read(outbox.counts)["dead"] == 0


@pytest.mark.usefixtures("channels")
def test_a_busy_slack_makes_no_stranger_of_anyone(slack, bot, nurse):
    slack.misbehave("users.info", 429)
    nurse.direct(SERIOUS)
    slack.settle()
    assert decided(slack, bot).requester == nurse.email


def test_nobody_is_paged_by_what_somebody_wrote(slack, bot, clock, nurse, channels):
    file_directly(slack, bot, clock, nurse, f"<!channel> @channel {SERIOUS}")
    pages = [page for page in slack.paged if page[1].user != nurse.id]
    assert pages == []


def test_the_bot_and_the_worker_as_an_operator_starts_them(slack, nurse, channels, tmp_path):
    """Two real processes: a message in, an answer out, and both end when they are asked to."""
    env = os.environ | {
        "TRIAGE_HOME": str(tmp_path / "home"),
        "SLACK_BOT_TOKEN": slack.bot_token,
        "SLACK_APP_TOKEN": slack.app_token,
        "SLACK_API_URL": slack.api_url,
    }
    run = partial(subprocess.Popen, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    subprocess.run([sys.executable, "-m", "triage", "init"], env=env, check=True, capture_output=True)
    parts = [run([sys.executable, "-m", "triage", name]) for name in ("bot", "worker")]
    try:
        slack.sockets.wait_for(1, timeout=30)
        message = nurse.direct("no dial tone at triage")
        slack.until(lambda: replies(slack, message), timeout=30)
        assert "IT-1" in replies(slack, message)[0].shown
        assert slack.refused == []
    finally:
        for part in parts:
            part.terminate()
        ended = [part.wait(timeout=15) for part in parts]
    assert ended == [0, 0]


def a_check(slack, tmp_path, name="slack"):
    env = os.environ | {"TRIAGE_HOME": str(tmp_path / "home"), "SLACK_BOT_TOKEN": slack.bot_token}
    command = [sys.executable, "-m", "triage", "doctor", "--json"]
    done = subprocess.run(
        command, env=env | {"SLACK_API_URL": slack.api_url}, capture_output=True, text=True, timeout=60, check=False
    )
    (row,) = [check for check in json.loads(done.stdout)["checks"] if check["name"] == name]
    return row


def test_the_doctor_names_channels_that_the_bot_does_not_see(slack, tmp_path):
    for name in TEAMS:
        slack.channel(name)
    row = a_check(slack, tmp_path)
    assert row["state"] == "failing"
    assert "it-leads" in row["detail"]
    assert "it-security," not in row["detail"]
    assert "invite the bot" in row["advice"]


def test_the_doctor_names_a_missing_scope(tmp_path):
    manifest = json.loads(json.dumps(MANIFEST))
    manifest["oauth_config"]["scopes"]["bot"].remove("users:read.email")
    with SlackServer(manifest) as slack:
        assert "users:read.email" in a_check(slack, tmp_path)["detail"]


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ({}, "SLACK_BOT_TOKEN is not set"),
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, "SLACK_APP_TOKEN is not set"),
        ({"SLACK_BOT_TOKEN": "xoxb-wrong", "SLACK_APP_TOKEN": "xapp-1"}, "Slack refuses SLACK_BOT_TOKEN"),
    ],
)
def test_a_bot_without_its_tokens_says_what_it_needs(slack, tmp_path, missing, said):
    env = os.environ | {"TRIAGE_HOME": str(tmp_path / "home"), "SLACK_API_URL": slack.api_url} | missing
    command = [sys.executable, "-m", "triage", "bot"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert said in done.stderr


# --- what people do beside the plain way ----------------------------------------------


def events_of(services, number=1):
    timeline = services.transactions.read(lambda conn: tickets.events(conn, number))
    return [(event.kind, event.data.get("text", "")) for event in timeline]


@pytest.mark.usefixtures("channels")
@pytest.mark.parametrize("text", [":thumbsup:", "\U0001f64f", "???"])
def test_a_message_without_words_is_asked_for_some_and_makes_no_ticket(slack, bot, nurse, text):
    nurse.direct(text)
    slack.until(lambda: any("in words" in m.shown for m in slack.seen_by(nurse).only_for_them))
    assert row_of(bot) is None


def test_help_is_told_to_who_asks_alone(slack, bot, nurse):
    assert "direct message" in str(nurse.command("/it", "help").answer)
    assert row_of(bot) is None


@pytest.mark.usefixtures("channels")
def test_thanks_beside_the_thread_make_no_ticket_and_still_broken_opens_the_last_one(slack, bot, clock, nurse):
    file_directly(slack, bot, clock, nurse, SERIOUS)
    service.resolve(bot, "IT-1", "agent.sample@example.org", "done", NOON)
    nurse.direct("thanks!")
    nurse.direct("still broken")
    slack.until(lambda: row_of(bot).status == "open")
    slack.settle()
    assert row_of(bot, 2) is None


def test_a_changed_message_is_told_to_the_team_and_one_that_only_hides_a_patient_is_not(
    slack, bot, clock, nurse, channels
):
    message = file_directly(slack, bot, clock, nurse, f"patient Testina Fauxwicz: {SERIOUS}")
    nurse.edit(message, SERIOUS)
    slack.settle()
    assert [kind for kind, _ in events_of(bot)] == ["filed", "decided"]
    nurse.edit(message, f"{SERIOUS}, it is bed 4 of the new ward")
    slack.until(lambda: ("said", f"[edited] {SERIOUS}, it is bed 4 of the new ward") in events_of(bot))
    deliver_all(bot, clock)
    assert "new ward" in channels["it-clinical-apps"].messages[-1].shown


@pytest.mark.usefixtures("channels")
def test_a_deleted_message_keeps_its_ticket_and_its_answer(slack, bot, clock, nurse):
    message = file_directly(slack, bot, clock, nurse, SERIOUS)
    nurse.delete(message)
    slack.until(lambda: [kind for kind, _ in events_of(bot)][-1] == "deleted")
    service.resolve(bot, "IT-1", "agent.sample@example.org", "done", NOON)
    deliver_all(bot, clock)
    assert row_of(bot).status == "resolved"
    assert slack.refused == []


def test_words_under_the_card_stay_with_it_and_words_under_the_message_are_an_answer(
    slack, bot, clock, nurse, agent, channels
):
    ward = slack.channel("ward-4w", people=(nurse, agent))
    message = nurse.mention(ward, SERIOUS)
    slack.settle()
    decided(slack, bot)
    deliver_all(bot, clock)
    (card,) = channels["it-clinical-apps"].messages
    agent.write(card.channel, "the vendor knows", thread=card)
    agent.write(ward, "we are looking at it", thread=message)
    nurse.write(card.channel, "what is this?", thread=card)
    slack.until(lambda: {"noted", "replied"} <= {kind for kind, _ in events_of(bot)})
    slack.settle()
    deliver_all(bot, clock)
    assert {(kind, text) for kind, text in events_of(bot) if kind in ("noted", "replied", "said")} == {
        ("noted", "the vendor knows"),
        ("replied", "we are looking at it"),
    }
    assert not any("vendor knows" in reply.shown for reply in replies(slack, message))
    assert row_of(bot).answered_at is not None


def test_a_reply_under_the_answer_to_a_command_is_heard_too(slack, bot, clock, nurse, channels):
    nurse.command("/it", SERIOUS)
    decided(slack, bot)
    deliver_all(bot, clock)
    answer = next(one for one in nurse.chat.messages if "IT-1" in one.shown)
    nurse.direct("it is the growth chart", thread=answer)
    slack.until(lambda: ("said", "it is the growth chart") in events_of(bot))
    assert row_of(bot, 2) is None


def test_one_tap_says_that_care_is_affected_and_a_person_takes_over(slack, bot, clock, nurse, channels):
    message = file_directly(slack, bot, clock, nurse, "zebra printer on 4W prints blank labels")
    (answer,) = replies(slack, message)
    before = row_of(bot).priority
    nurse.click("Patient care is affected", answer)
    slack.until(lambda: row_of(bot).status == "open")
    deliver_all(bot, clock)
    row = row_of(bot)
    assert row.impact["affects_care"] is True
    assert row.priority < before
    assert row.priority in channels["it-workplace"].messages[-1].shown
    assert set(answer.buttons) == {"No other device", "The whole unit"}


def test_a_ticket_is_handed_over_and_its_old_card_holds_no_word_of_it(slack, bot, clock, nurse, agent, channels):
    message = file_directly(slack, bot, clock, nurse, SERIOUS)
    (card,) = channels["it-clinical-apps"].messages
    agent.choose("Hand over to", "Network and telephony", card)
    slack.until(lambda: row_of(bot).team == "network")
    deliver_all(bot, clock)
    assert card.shown == "IT-1 was handed to Network and telephony."
    assert "wrong weight" in channels["it-network"].messages[-1].shown
    assert any("Network and telephony" in reply.shown for reply in replies(slack, message)[1:])


def test_a_ticket_that_is_security_after_all_leaves_its_old_channel(slack, bot, clock, nurse, agent, channels):
    file_directly(slack, bot, clock, nurse, SERIOUS)
    (card,) = channels["it-clinical-apps"].messages
    agent.choose("Wrong category", "Security and privacy", card)
    slack.until(lambda: row_of(bot).restricted)
    deliver_all(bot, clock)
    assert "weight" not in card.shown
    assert "Acknowledge" in channels["it-security"].messages[-1].buttons
    agent.click("Acknowledge", channels["it-security"].messages[-1])
    slack.until(lambda: any("may not" in m.shown for m in slack.seen_by(agent).only_for_them))
    assert row_of(bot).assignee == ""


def test_twenty_people_who_claim_at_once_get_one_ticket_and_nineteen_sentences(slack, bot, clock, nurse, channels):
    file_directly(slack, bot, clock, nurse, SERIOUS)
    (card,) = channels["it-clinical-apps"].messages
    crowd = []
    for number in range(20):
        email = f"agent{number}.sample@example.org"
        bot.transactions.write(lambda conn, e=email: people.put_user(conn, e, "agent", "scrypt:made-up", NOON))
        crowd.append(slack.person(f"agent{number}", email=email))
        card.channel.members.add(crowd[-1].id)
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda person: person.click("Claim", card), crowd))

    def told():
        return [one for one in crowd if any("already" in m.shown for m in slack.seen_by(one).only_for_them)]

    slack.until(lambda: len(told()) == 19)
    assert row_of(bot).assignee in {person.email for person in crowd}


@pytest.mark.usefixtures("channels")
def test_somebody_elses_click_on_an_answer_has_no_effect(slack, bot, clock, nurse):
    other = slack.person("omar", email="other.sample@example.org")
    ward = slack.channel("ward-4w", people=(nurse, other))
    message = nurse.mention(ward, "zebra printer on 4W prints blank labels")
    slack.settle()
    decided(slack, bot)
    deliver_all(bot, clock)
    other.click("That fixed it", replies(slack, message)[0])
    slack.until(lambda: any("may not" in m.shown for m in slack.seen_by(other).only_for_them))
    assert row_of(bot).status == "waiting"


@pytest.mark.usefixtures("channels")
def test_a_mention_in_somebody_elses_thread_is_answered_there(slack, bot, clock, nurse):
    other = slack.person("omar", email="other.sample@example.org")
    ward = slack.channel("ward-4w", people=(nurse, other))
    talk = other.write(ward, "is the chart odd for you too?")
    nurse.mention(ward, SERIOUS, thread=talk)
    slack.settle()
    decided(slack, bot)
    deliver_all(bot, clock)
    assert "IT-1" in slack.thread(ward, talk)[-1].shown
    assert row_of(bot, 2) is None


@pytest.mark.usefixtures("channels")
def test_a_form_that_slack_let_go_of_is_asked_for_again(slack, bot, nurse):
    slack.misbehave("views.open", "expired_trigger_id")
    nurse.command("/it")
    slack.until(lambda: any("once more" in m.shown for m in slack.seen_by(nurse).only_for_them))


@pytest.mark.usefixtures("channels")
def test_the_form_speaks_the_language_of_who_opens_it(slack, bot):
    marie = slack.person("marie", email="marie.sample@example.org", locale="fr-CA")
    marie.command("/it")
    slack.until(lambda: marie.view)
    marie.fill({"Qu'est-ce qui ne va pas?": "l'imprimante ne sort rien"})
    marie.submit()
    assert decided(slack, bot).requester == marie.email


def test_what_another_workspace_sends_is_left_alone(slack, bot, nurse, channels):
    slack.app.team_id, ours = "T0OTHER", slack.app.team_id
    nurse.direct(SERIOUS)
    slack.settle()
    slack.app.team_id = ours
    assert row_of(bot) is None
    assert slack.refused == []


@pytest.mark.usefixtures("channels")
@pytest.mark.parametrize("bot", ["socket"], indirect=True)
@pytest.mark.parametrize("how", ["warning", "refresh_requested", "too_many_websockets"])
def test_a_line_that_slack_renews_is_back_at_once(slack, bot, nurse, how):
    before = slack.sockets.opened
    slack.sockets.disconnect(how)
    slack.sockets.wait_for(1, opened=before + 1, timeout=5)
    nurse.direct(SERIOUS)
    slack.settle()
    decided(slack, bot)


@pytest.mark.usefixtures("channels")
@pytest.mark.parametrize("bot", ["socket"], indirect=True)
def test_a_silent_line_is_noticed(slack, bot, nurse):
    before = slack.sockets.opened
    slack.sockets.silence()
    slack.sockets.wait_for(1, opened=before + 2, timeout=20)
    nurse.direct(SERIOUS)
    slack.settle()
    decided(slack, bot)


@pytest.mark.usefixtures("channels")
def test_what_was_written_while_slack_could_not_reach_us_is_read_back_once(slack, wired, clock, nurse, agent):
    found, services = wired
    ward = slack.channel("ward-4w", people=(nurse,))
    desk = Desk(services, Directory(slack_app.web_client(found)), clock)
    catch_up = CatchUp(desk, slack_app.web_client(found), lambda: True)
    for text in (SERIOUS, f"{SERIOUS} again"):
        nurse.direct(text)
    nurse.mention(ward, SERIOUS)
    nurse.write(ward, "nobody asked IT anything here")
    first = nurse.chat.messages[0]
    nurse.direct("it is the growth chart", thread=first)
    for _ in range(2):
        slack.misbehave("conversations.history", 429, retry_after=0)
        catch_up.read_back(datetime.now(UTC) - timedelta(hours=1))
    assert services.transactions.read(tickets.count_untriaged) == 0
    assert [row_of(services, number) is not None for number in (1, 2, 3, 4)] == [True, True, True, False]
    assert [text for kind, text in events_of(services, 1) if kind == "said"] == ["it is the growth chart"]
    assert slack.refused == []


@pytest.mark.usefixtures("channels")
def test_a_break_longer_than_slacks_retries_is_noticed_by_the_running_bot(slack, wired, clock, nurse):
    found, services = wired
    services.transactions.write(lambda conn: marks.seen(conn, "slack", clock() - timedelta(hours=2)))
    nurse.direct(SERIOUS)
    slack.traffic.all.clear()
    executor = ThreadPoolExecutor(slack_app.WORKERS)
    desk = Desk(services, Directory(slack_app.web_client(found)), clock)
    line = slack_app.Line(slack_app.build(found, desk, executor), slack.app_token, desk)
    line.start()
    decided(slack, services)
    slack.until(lambda: services.transactions.read(lambda conn: marks.last_seen(conn, "slack")) == clock())
    line.stop()
    executor.shutdown(wait=True)


def test_a_channel_without_the_bot_becomes_a_dead_letter_that_can_be_sent_once_more(slack, bot, clock, nurse):
    file_directly(slack, bot, clock, nurse, SERIOUS)
    (letter,) = bot.transactions.read(outbox.dead)
    assert "it-clinical-apps" in letter.error
    channel = slack.channel("it-clinical-apps", private=True)
    assert service.revive(bot, "all", "cli:tester", NOON) == 1
    deliver_all(bot, clock)
    assert "IT-1" in channel.messages[-1].shown
    assert bot.transactions.read(outbox.dead) == []


def test_slack_down_for_an_hour_drops_nothing_and_keeps_the_order(slack, bot, clock, nurse, channels):
    slack.misbehave("chat.postMessage", "503", times=10_000)
    for number in range(5):
        nurse.direct(f"{SERIOUS} {number}")
    slack.settle()
    for number in range(1, 6):
        decided(slack, bot, number)
    for _ in range(60):
        deliver_all(bot, clock)
        clock.passes(minutes=1)
    slack.api.faults.clear()
    for _ in range(3):
        deliver_all(bot, clock)
        clock.passes(minutes=1)
    shown = [message.shown.partition(" Clinical")[0] for message in channels["it-clinical-apps"].messages]
    assert len(shown) == 5
    assert bot.transactions.read(outbox.counts) == {"pending": 0, "dead": 0}


@pytest.mark.usefixtures("channels")
def test_many_changes_replace_a_card_instead_of_piling_up(slack, bot, clock, nurse, agent, channels):
    file_directly(slack, bot, clock, nurse, SERIOUS)
    for _ in range(3):
        service.claim(bot, "IT-1", agent.email, NOON)
        service.resolve(bot, "IT-1", agent.email, "done", NOON)
        service.reopen(bot, "IT-1", agent.email, NOON)
    updates = len(slack.called("chat.update"))
    deliver_all(bot, clock)
    (card, *_) = channels["it-clinical-apps"].messages
    assert [one for one in channels["it-clinical-apps"].messages if "Claim" in one.buttons] == [card]
    assert len(slack.called("chat.update")) - updates <= 6


@pytest.mark.usefixtures("channels")
def test_a_home_that_was_opened_follows_every_change(slack, bot, clock, nurse, agent):
    nurse.open_home()
    slack.until(lambda: nurse.home)
    slack.until(lambda: bot.transactions.read(lambda conn: marks.last_seen(conn, f"home:{nurse.email}")))
    file_directly(slack, bot, clock, nurse, SERIOUS)
    service.claim(bot, "IT-1", agent.email, NOON)
    deliver_all(bot, clock)
    assert any("somebody of Clinical applications" in text for text in slack.seen_by(nurse).texts)
    service.resolve(bot, "IT-1", agent.email, "done", NOON)
    deliver_all(bot, clock)
    assert any("Solved lately" in text for text in slack.seen_by(nurse).texts)


def open_incident(conn, unit):
    return incidents.open_new(conn, a_ticket(unit=unit), "network_connectivity", NOON, NOON)


@pytest.mark.usefixtures("channels")
def test_home_tells_of_outages_near_and_everywhere_but_not_of_those_elsewhere(slack, bot, clock, nurse):
    service.receive(bot, a_message(SERIOUS, requester=nurse.email, unit="4 West"), NOON)
    bot.transactions.write(lambda conn: [open_incident(conn, unit) for unit in ("4 West", "", "Laboratory")])
    nurse.open_home()
    slack.until(lambda: nurse.home)
    words = " ".join(slack.seen_by(nurse).texts)
    assert "4 West, known since" in words
    assert "everywhere, known since" in words
    assert "Laboratory" not in words


def test_what_the_masker_missed_vanishes_from_the_screens_too(slack, bot, clock, nurse, channels):
    file_directly(slack, bot, clock, nurse, f"{SERIOUS}, quixley moved it")
    nurse.direct("quixley again", thread=nurse.chat.messages[0])
    slack.settle()
    deliver_all(bot, clock)
    assert any("quixley" in one.shown for one in channels["it-clinical-apps"].messages)
    service.mend(bot, "IT-1", "quixley", "NAME", "agent.sample@example.org", NOON)
    deliver_all(bot, clock)
    assert not any("quixley" in one.shown + one.text for one in channels["it-clinical-apps"].messages)
    assert slack.refused == []


@pytest.mark.usefixtures("channels")
def test_a_revoked_token_loses_nothing(slack, bot, clock, nurse):
    message = nurse.direct(SERIOUS)
    slack.settle()
    decided(slack, bot)
    slack.app.revoked = True
    for _ in range(20):
        deliver_all(bot, clock)
        clock.passes(minutes=10)
    assert bot.transactions.read(outbox.counts)["dead"] == 0
    slack.app.revoked = False
    deliver_all(bot, clock)
    assert len(replies(slack, message)) == 1


@pytest.mark.usefixtures("channels")
def test_an_answer_to_somebody_who_left_becomes_a_dead_letter_and_stops_nobody_else(slack, bot, clock, nurse):
    gone = slack.person("gone", email="gone.sample@example.org")
    gone.command("/it", SERIOUS)
    decided(slack, bot)
    slack.workspace.users[gone.id].deleted = True
    message = nurse.direct(f"{SERIOUS} too")
    slack.settle()
    decided(slack, bot, 2)
    deliver_all(bot, clock)
    assert [letter.lane for letter in bot.transactions.read(outbox.dead)] == [f"requester:{gone.email}"]
    assert len(replies(slack, message)) == 1


@pytest.mark.usefixtures("channels")
def test_a_message_shortcut_brings_the_thread_along(slack, bot, nurse):
    ward = slack.channel("ward-4w", people=(nurse,))
    first = nurse.write(ward, SERIOUS)
    nurse.write(ward, "since this morning, bed side too", thread=first)
    nurse.shortcut("file_ticket", first)
    slack.until(lambda: nurse.view)
    nurse.submit()
    assert "since this morning" in decided(slack, bot).text


@pytest.mark.usefixtures("channels")
def test_still_broken_heard_again_later_means_the_same_ticket(slack, bot, clock, nurse):
    file_directly(slack, bot, clock, nurse, SERIOUS)
    service.resolve(bot, "IT-1", "agent.sample@example.org", "done", NOON)
    nurse.direct("still broken")
    slack.until(lambda: row_of(bot).status == "open")
    clock.now = datetime.now(UTC) + timedelta(minutes=1)
    nurse.direct("zebra printer on 4W prints blank labels")
    slack.settle()
    decided(slack, bot, 2)
    slack.deliver_again(next(one for one in slack.deliveries if "still broken" in str(one.payload)))
    slack.settle()
    assert row_of(bot, 2).status == "waiting"


@pytest.mark.usefixtures("channels")
def test_home_follows_what_is_said_in_the_thread(slack, bot, clock, nurse):
    message = file_directly(slack, bot, clock, nurse, SERIOUS)
    service.resolve(bot, "IT-1", "agent.sample@example.org", "done", NOON)
    bot.transactions.write(lambda conn: marks.seen(conn, f"home:{nurse.email}", NOON))
    nurse.direct("still broken", thread=message)
    slack.until(lambda: row_of(bot).status == "open")
    deliver_all(bot, clock)
    assert any("IT-1" in text and "has it" in text for text in slack.seen_by(nurse).texts)
