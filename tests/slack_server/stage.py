"""Owns the wiring of a played conversation: the real bot and worker around the pretended Slack; refuses the lines."""

import html
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr
from werkzeug.serving import make_server

from bot import app as slack_app
from bot.desk import Desk
from bot.directory import Directory
from slack_server import SlackServer
from slack_server.story import tell
from triage import knowledge, policy, service, settings
from triage.commit import Transactions
from triage.store import engine, people
from triage.worker import Worker

KEY = b"a key for a played conversation only"
AGENT, OFFICER = "alex.sample@example.org", "sam.sample@example.org"


class Clock:
    """Real time, plus what the play lets pass."""

    def __init__(self):
        self._ahead = timedelta()

    def __call__(self):
        return datetime.now(UTC) + self._ahead

    def passes(self, **duration):
        """Let time pass at once."""
        self._ahead += timedelta(**duration)


class Stage:
    """The workspace, its people and channels, and what was said so far."""

    def __init__(self, slack, services, clock, say):
        self.slack, self.services, self.clock, self.say = slack, services, clock, say
        self.nina = slack.person("nina", email="nina.sample@example.org")
        self.marie = slack.person("marie", email="marie.sample@example.org", locale="fr-FR")
        self.alex = slack.person("alex", email=AGENT)
        self.sam = slack.person("sam", email=OFFICER)
        rules = services.policy
        names = {team.slack_channel for team in rules.teams.values()} | {rules.privacy.officer_channel}
        names |= {step.channel for team in rules.teams.values() for step in team.escalation}
        staff = (self.alex, self.sam)
        self.channels = {name: slack.channel(name, private=True, people=staff) for name in sorted(names)}
        self.ward = slack.channel("ward-4w", people=(self.nina, self.marie))

    def does(self, person, what):
        """Note what a person does."""
        self.say(f"{person.name:>8}  {what}")

    def waits_for(self, place, holds, found):
        """Wait for something that the bot shows, note it and return it."""
        message = self.slack.until(lambda: next((one for one in found() if holds in one.shown), None), timeout=20)
        parts = [part for block in message.blocks for part in (block, *block.get("elements", []))]
        words = [part["text"] for part in parts if part.get("type") == "mrkdwn"]
        words += [part["text"]["text"] for part in parts if part.get("type") == "section"]
        labels = "".join(f" [{label}]" for label in message.buttons)
        lines = " / ".join(line for text in words or [message.text] for line in text.splitlines() if line)
        self.say(f" IT help  ({place}) {html.unescape(lines)[:360]}{labels}")
        return message

    def answer(self, message, holds):
        """Wait for the bot's words under somebody's message."""
        return self.waits_for("in the thread", holds, lambda: self.slack.thread(message.channel, message)[1:])

    def direct(self, person, holds):
        """Wait for the bot's words in its messages with somebody."""
        return self.waits_for(f"to {person.name}", holds, lambda: person.chat.messages)

    def team(self, name, holds):
        """Wait for the bot's words in a team's channel."""
        return self.waits_for(f"#{name}", holds, lambda: self.channels[name].messages)

    def until(self, condition):
        """Wait until something holds."""
        return self.slack.until(condition, timeout=20)

    def form(self, person, answers):
        """Fill the form that has just opened for somebody, and send it."""
        self.until(lambda: person.view)
        person.fill(answers)
        self.does(person, f"sends the form: {answers}")
        person.submit()
        self.until(lambda: not person.view)


@contextmanager
def running(slack, services, clock, *, http):
    """The bot in either transport, and the worker."""
    found = settings.load().model_copy(
        update={
            "slack_bot_token": SecretStr(slack.bot_token),
            "slack_app_token": SecretStr("" if http else slack.app_token),
            "slack_signing_secret": SecretStr(slack.signing_secret),
            "slack_api_url": slack.api_url,
        }
    )
    services = replace(services, notifier=slack_app.notifier(found, services.transactions, services.policy))
    executor = ThreadPoolExecutor(slack_app.WORKERS)
    desk = Desk(services, Directory(slack_app.web_client(found)), clock)
    app = slack_app.build(found, desk, executor)
    worker = Worker(services, clock)
    thread = threading.Thread(target=worker.run, daemon=True)
    thread.start()
    with by_http(slack, app) if http else by_socket(slack, app, desk):
        yield
    worker.stop()
    thread.join(timeout=5)
    executor.shutdown(wait=True)


@contextmanager
def by_socket(slack, app, desk):
    """Socket Mode."""
    line = slack_app.Line(app, slack.app_token, desk)
    line.start()
    slack.sockets.wait_for(1)
    yield
    line.stop()


@contextmanager
def by_http(slack, app):
    """HTTP on a free port of this machine."""
    server = make_server("127.0.0.1", 0, slack_app.wsgi(app), threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    slack.deliver_to(f"http://127.0.0.1:{server.port}{slack_app.PATH}")
    yield
    server.shutdown()
    server.server_close()
    thread.join(timeout=5)


def play(home, classifier, say, *, http=False):
    """Play the whole conversation on a database of its own; returns the stage as it is at the end."""
    database = engine.open_engine(f"sqlite:///{home / 'triage.db'}")
    engine.migrate(database)
    transactions, clock = Transactions(database), Clock()
    for email, role in ((AGENT, "agent"), (OFFICER, "security")):
        transactions.write(lambda conn, e=email, r=role: people.put_user(conn, e, r, "scrypt:made-up", clock()))
    services = service.Services(transactions, policy.load(None), knowledge.load(), classifier, None, KEY)
    with SlackServer(slack_app.MANIFEST) as slack:
        stage = Stage(slack, services, clock, say)
        with running(slack, services, clock, http=http):
            tell(stage)
        say(f"          {len(slack.calls)} calls of Slack's Web API, {len(slack.refused)} refused.")
    database.dispose()
    return stage
