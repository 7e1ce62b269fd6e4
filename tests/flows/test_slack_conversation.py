"""The conversation in Slack, with the real Bolt against a workspace on loopback, in both transports."""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr
from werkzeug.serving import make_server

from bot import app as slack_app
from bot.directory import Directory
from bot.listeners import Desk
from builders import NOON, NOT_MINOR, POLICY, a_prediction
from parts import deliver_all, rows_of
from slack_server import SlackServer
from triage import service, settings
from triage.store import outbox, people, tickets
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
        line = slack_app.Line(app, slack.app_token)
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
    slack.until(lambda: "is closed" in replies(slack, message)[0].shown)
    assert slack.refused == []


def test_still_broken_hands_the_ticket_to_the_team(slack, bot, clock, nurse, channels):
    message = file_directly(slack, bot, clock, nurse, "zebra printer on 4W prints blank labels")
    nurse.click("Still broken", replies(slack, message)[0])
    slack.settle()
    slack.until(lambda: row_of(bot).status == "open")
    deliver_all(bot, clock)
    assert "did not help" in channels["it-workplace"].messages[-1].shown


def test_a_serious_ticket_is_claimed_corrected_and_resolved_from_the_teams_channel(
    slack, bot, clock, nurse, agent, channels
):
    message = file_directly(slack, bot, clock, nurse, SERIOUS)
    (card,) = channels["it-clinical-apps"].messages
    assert "IT-1" in card.shown
    agent.click("Claim", card)
    slack.until(lambda: row_of(bot).assignee == agent.email)
    agent.choose("Wrong category", "Printing and scanning", channels["it-clinical-apps"].messages[0])
    slack.settle()
    agent.click("Resolve", channels["it-clinical-apps"].messages[0])
    slack.until(lambda: agent.view)
    agent.fill({"What was done? The reporter reads this.": "Reloaded the chart"})
    agent.submit()
    slack.until(lambda: row_of(bot).status == "resolved")
    deliver_all(bot, clock)
    told = replies(slack, message)[-1]
    assert "Reloaded the chart" in told.shown
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
    file_directly(slack, bot, clock, nurse, text)
    slack.until(lambda: any("patient data" in m.shown for m in slack.seen_by(nurse).only_for_them))
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
