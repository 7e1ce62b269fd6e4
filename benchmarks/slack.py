"""Measures the Slack bot, run as an operator runs it, against a pretended Slack on this machine.

    python benchmarks/slack.py [--quick] [--only N[,N]] [--model HOME]

1 acknowledgements of a steady stream  2 of a burst  3 the first visible answer  4 CPU of an event beside an empty Bolt
5 every fault at once  6 an hour without Slack  8 a cut connection; 7, calls that Slack refused, is counted over all.
The pretended Slack runs in this process: its work on the same cores is in every time. Part 6 alone has the product here
too, as the clock of another process cannot be moved, and does not pause between two messages to one channel.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import closing
from functools import partial
from pathlib import Path

import structlog
from intake import Texts
from report import PROJECT, load_average, table

sys.path.insert(0, str(PROJECT / "tests"))

from bot import app as slack_app
from bot import inbound, outbound
from builders import POLICY, a_prediction
from fakes import FakeClassifier, FakeClock
from slack_server import SlackServer
from triage import knowledge, service, settings
from triage.commit import Transactions
from triage.store import engine
from triage.ticket import Message

EMPTY = """
from os import environ
import slack_bolt, slack_bolt.adapter.wsgi, slack_sdk, waitress
client = slack_sdk.WebClient(environ["SLACK_BOT_TOKEN"], base_url=environ["SLACK_API_URL"])
app = slack_bolt.App(client=client, signing_secret=environ["SLACK_SIGNING_SECRET"])
app.event("message")(lambda: None)
handler = slack_bolt.adapter.wsgi.SlackRequestHandler(app, path="/slack/events")
waitress.serve(handler, host="127.0.0.1", port=int(environ["TRIAGE_PORT"]), threads=16)
"""
TRIAGE = [sys.executable, "-m", "triage"]
LADDERS = {step.channel for team in POLICY.teams.values() for step in team.escalation}
CHANNELS = {team.slack_channel for team in POLICY.teams.values()} | LADDERS | {POLICY.privacy.officer_channel}
PATIENCE, HOUR, STEP = 3.0, 3600, 30  # seconds until Slack takes an event for lost; without Slack; between two looks
REST = "SELECT coalesce(sum(pending), 0), count(dead_at) FROM outbox"
SENT = "SELECT lane, receipt FROM outbox WHERE receipt > '' AND replaces IS NULL ORDER BY id"


class Bench:
    """What all parts share: a home with a model, texts, what Slack refused, and which processes did not end."""

    def __init__(self, folder, model, part):
        self.folder, self.part, self.template = folder, part, folder / "template"
        self.refused, self.stuck = [], []
        self.texts = [text for text in Texts.shipped().raw if len(text) > 20 and not service.is_follow_up(text)]
        self.template.mkdir()
        run = partial(subprocess.run, env=os.environ | {"TRIAGE_HOME": str(self.template)}, check=True)
        if (model / "triage.db").exists():
            shutil.copy(model / "secret.key", self.template)  # it signed the models
        run([*TRIAGE, "init"])
        with closing(sqlite3.connect(self.template / "triage.db", isolation_level=None)) as conn:
            if (model / "triage.db").exists():
                conn.execute("ATTACH ? AS old", (str(model / "triage.db"),))
                conn.execute("INSERT INTO models SELECT * FROM old.models")
                conn.execute("INSERT INTO promotions SELECT * FROM old.promotions")
            live = conn.execute("SELECT count(*) FROM promotions").fetchone()[0]
        if not live:
            run([*TRIAGE, "train", "--promote"])


class Stage(SlackServer):
    """A pretended Slack, a database of its own with the model, and the processes that run against them."""

    def __init__(self, bench, name, people=200):
        super().__init__(PROJECT / "bot" / "manifest.json")
        self.bench, self.home, self.running = bench, bench.folder / name, {}
        shutil.copytree(bench.template, self.home)
        self.people = [self.person(f"person{n}", f"person{n}@example.org") for n in range(people)]
        for channel in sorted(CHANNELS):
            self.channel(channel, private=True, people=self.people[:3])
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]

    def __exit__(self, *_):
        for name, process in self.running.items():
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                self.bench.stuck.append(f"{self.home.name}: {name}")
                process.kill()
        self.bench.refused += self.refused
        super().__exit__()

    def start(self, name, command=None):
        """Start a part of the product, or another command; what it says is kept in the home."""
        env = {name: value for name, value in os.environ.items() if not name.startswith(("TRIAGE_", "SLACK_"))}
        env |= {"TRIAGE_HOME": str(self.home), "TRIAGE_PORT": str(self.port), "SLACK_API_URL": self.api_url}
        env |= {"SLACK_BOT_TOKEN": self.bot_token, "SLACK_SIGNING_SECRET": self.signing_secret}
        env |= {"SLACK_APP_TOKEN": self.app_token} if name == "bot" else {}
        with (self.home / f"{name}.log").open("ab") as out:
            self.running[name] = subprocess.Popen(command or [*TRIAGE, name], env=env, stdout=out, stderr=out)

    def listen(self, mode, command=None):
        """Start what listens in HTTP or Socket Mode, and wait until it does."""
        self.start("bot" if mode == "Socket" else "web", command)
        if mode == "Socket":
            self.sockets.wait_for(slack_app.LINES, timeout=60)
            return
        self.until(lambda: socket.socket().connect_ex(("127.0.0.1", self.port)) == 0, timeout=60)
        self.deliver_to(f"http://127.0.0.1:{self.port}{slack_app.PATH}", verify=True)

    def listen_and_answer(self, mode):
        """Start the product, and let it load what it loads at its first ticket."""
        self.listen(mode)
        self.start("worker")
        message = self.people[-1].direct("no dial tone at triage")
        self.until(lambda: self.answers(message), timeout=60)

    def write(self, count, rate=10_000):
        """Let people write to the bot in turn, `rate` messages a second or as fast as it goes; returns the messages."""
        written, began, people, texts = [], time.monotonic(), self.people, self.bench.texts
        for number in range(count):
            time.sleep(max(0.0, began + number / rate - time.monotonic()))
            written.append(people[number % len(people)].direct(texts[number % len(texts)]))
        return written

    def answers(self, message):
        return [reply for reply in self.thread(message.channel, message)[1:] if reply.bot_id]

    def acknowledged(self, since=0):
        """Wait until Slack is done with what people wrote; returns seconds of each try, None for a failed one."""
        mine = [each for each in self.deliveries[since:] if not each.is_echo]
        self.until(lambda: all(each.done.is_set() for each in mine), timeout=60)
        return [None if one.failed else one.seconds for each in mine for one in each.attempts]

    def ask(self, query):
        with closing(sqlite3.connect(self.home / "triage.db", timeout=30)) as conn:
            return conn.execute(query).fetchall()


def row(what, ours, most=None):
    """Return a row of the table; met is what is not above `most`."""
    target = "" if most is None else f"<= {most}" if most else "0"
    verdict = "" if most is None else "met" if ours <= most else "MISSED"
    return what, f"{ours:.2f}" if isinstance(ours, float) else str(ours), target, verdict


def shares(what, values, share, most):
    ordered = sorted(values) or [float("inf")]
    yield row(f"{what}, p50", ordered[len(ordered) // 2])
    yield row(f"{what}, p{100 * share:.0f}", ordered[min(len(ordered) - 1, int(len(ordered) * share))], most)
    yield row(f"{what}, worst", ordered[-1])


def acknowledgements(bench, full, rate, p99):
    """Yield how fast events are acknowledged in both modes, beside a worker that answers them."""
    for mode in ("HTTP", "Socket"):
        with Stage(bench, f"{mode}-{full}") as stage:
            stage.listen_and_answer(mode)
            before, began = len(stage.deliveries), time.monotonic()
            count = len(stage.write(full // bench.part, rate))
            what = f"{mode}, {count} events in {time.monotonic() - began:.2f} s: acknowledgement"
            seconds = stage.acknowledged(before)
        yield from shares(f"{what} ms", [1000 * each for each in seconds if each is not None], 0.99, p99)
        yield row(f"{what} after 3 s or failed", sum(s is None or s > PATIENCE for s in seconds), 0)


def first_answer(bench):
    with Stage(bench, "answer") as stage:
        stage.listen_and_answer("Socket")
        messages = stage.write(60 // bench.part, rate=2)
        stage.until(lambda: all(map(stage.answers, messages)), timeout=60)
        waits = [float(stage.answers(each)[0].ts) - float(each.ts) for each in messages]
    yield from shares(f"{len(waits)} messages, 2/s: first answer seen after s", waits, 0.95, 2)


def cpu_ms(pid):
    """Wait until a process does nothing more; returns its CPU time so far."""
    spent, now = -1.0, 0.0
    while now > spent:
        time.sleep(1)
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        spent, now = now, 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return now


def event_cost(bench):
    """Yield the CPU of a signed event, with what follows it in that process, beside that of an empty Bolt."""
    tens, costs = 30 // bench.part, []
    for name, command in (("empty", [sys.executable, "-c", EMPTY]), ("ours", None)):
        with Stage(bench, f"cpu-{name}") as stage:
            stage.listen("HTTP", command)
            for batches in (2, tens):
                began = cpu_ms(stage.running["web"].pid)
                for _ in range(batches):
                    stage.write(10)
                    stage.acknowledged()
            costs.append((cpu_ms(stage.running["web"].pid) - began) / (tens * 10))
        yield row(f"CPU ms of an HTTP event: {name}", costs[-1])
    yield row("ours, times the empty one", costs[1] / costs[0], 4)


def trouble(stage, stop, done):
    """Kill the bot every 5 s and start it again, cut its lines every 10 s, until told to stop."""
    while not stop.wait(1):
        done["seconds"] += 1
        if done["seconds"] % 5 == 0:
            stage.running["bot"].kill()
            stage.running["bot"].wait()
            stage.start("bot")
        if done["seconds"] % 10 == 9:
            stage.sockets.cut()


def shuffled_batch(stage, chance):
    """Let people write, and deliver what they wrote in any order, one to four times each; returns the messages."""
    stage.hold()
    messages = stage.write(25)
    held = chance.sample(stage.held, 25)
    repeats = [each for each in chance.sample(held, 25) for _ in range(chance.randrange(4))]
    for each in repeats[::2]:
        stage.deliver_again(each)
    stage.release(*held)
    for each in repeats[1::2]:
        stage.deliver_again(each)
    return messages


def faults(bench):
    """Yield what becomes of messages under repeats, disorder, cuts and kills at once, then late retries and calm."""
    chance, stop, done, messages = random.Random(5), threading.Event(), Counter(), []
    with Stage(bench, "faults", people=100) as stage:
        stage.listen_and_answer("Socket")
        before = len(stage.deliveries)
        troubled = threading.Thread(target=trouble, args=(stage, stop, done), daemon=True)
        troubled.start()
        while len(messages) < 500 // bench.part:
            began = time.monotonic()
            messages += shuffled_batch(stage, chance)
            time.sleep(max(0.0, began + 4 - time.monotonic()))
        stop.set()
        troubled.join()
        stage.sockets.wait_for(slack_app.LINES, timeout=60)
        mine = [each for each in stage.deliveries[before:] if not each.is_echo]
        while not all(each.done.is_set() for each in mine):
            stage.clock.passes(seconds=4)  # in small steps, so that retries come as far apart as the first tries did
            time.sleep(1)
        end = time.monotonic() + 400
        while stage.ask(REST)[0][0] and time.monotonic() < end:
            time.sleep(1)
        yield row(f"faults: messages ({len(mine)} deliveries in {done['seconds']} s)", len(messages))
        yield row("faults: deliveries that Slack gave up", sum(not each.acknowledged for each in mine))
        places = Counter(place for (place,) in stage.ask("SELECT external_id FROM tickets WHERE id > 1"))
        wanted = {inbound.place_of(each.channel.id, each.ts) for each in messages}
        said = [each for channel in stage.workspace.channels.values() for each in channel.messages]
        keys = Counter(each.metadata["event_payload"]["key"] for each in said if each.metadata)
        yield row("faults: messages without a ticket", len(wanted - set(places)), 0)
        yield row("faults: tickets too many", places.total() - len(wanted & set(places)), 0)
        yield row("faults: messages without an answer", sum(not stage.answers(each) for each in messages), 0)
        yield row("faults: answers and cards sent again, %", 100 * (keys.total() - len(keys)) / len(messages), 1)
        yield row("faults: notices that wait or are dead in the end", sum(stage.ask(REST)[0]), 0)


def hour_away(bench):
    """Yield what becomes of notices while Slack answers nothing but 503 for an hour."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    outbound.PACE = 0.0
    clock, classifier, slugs, messages = FakeClock(), FakeClassifier(), list(POLICY.categories), []
    for slug in slugs:
        classifier.on(slug, a_prediction(slug))
    with Stage(bench, "hour", people=20) as stage:
        store = Transactions(engine.open_engine(f"sqlite:///{stage.home / 'triage.db'}"))
        known = settings.Settings(SLACK_BOT_TOKEN=stage.bot_token, SLACK_API_URL=stage.api_url)
        told = slack_app.notifier(known, store, POLICY)
        services = service.Services(store, POLICY, knowledge.load(), classifier, told, b"benchmark" * 4)
        stage.misbehave("*", "503", times=10**9)
        for number in range(50 // bench.part):
            writer = stage.people[number % 20]
            messages.append(writer.direct(f"trouble with {slugs[number % len(slugs)]}, place {number}"))
            place = inbound.place_of(messages[-1].channel.id, messages[-1].ts)
            service.receive(services, Message(messages[-1].text, inbound.CHANNEL, place, writer.email), clock())
        for seconds in range(0, 2 * HOUR, STEP):
            if seconds == HOUR:
                stage.api.faults.clear()
            while service.deliver(services, "worker", clock):
                pass
            if not stage.ask(REST)[0][0]:
                break
            clock.passes(seconds=STEP)
        (waiting, dead), sent = stage.ask(REST)[0], stage.ask(SENT)
        lanes = {lane: [receipt.split(":")[1] for one, receipt in sent if one == lane] for lane, _ in sent}
        yield row(f"hour: {len(messages)} tickets, {len(sent)} messages sent; s after it until all is", seconds - HOUR)
        yield row("hour: messages without an answer", sum(not stage.answers(each) for each in messages), 0)
        yield row("hour: notices that wait in the end", waiting, 0)
        yield row("hour: dead letters", dead, 0)
        yield row("hour: addressees told in another order", sum(s != sorted(s) for s in lanes.values()), 0)


def reconnect(bench):
    waits = []
    with Stage(bench, "reconnect", people=3) as stage:
        stage.listen("Socket")
        for _ in range(5):
            time.sleep(3)
            began, opened = time.monotonic(), stage.sockets.opened
            stage.sockets.cut()
            stage.sockets.wait_for(1, timeout=60, opened=opened + 1)
            waits.append(time.monotonic() - began)
            stage.sockets.wait_for(slack_app.LINES, timeout=60)
    yield row(f"reconnect: worst s ({' '.join(f'{wait:.2f}' for wait in waits)})", max(waits), 2)


STEADY = partial(acknowledgements, full=400, rate=20, p99=200)
BURST = partial(acknowledgements, full=200, rate=10_000, p99=1000)
PARTS = {1: STEADY, 2: BURST, 3: first_answer, 4: event_cost, 5: faults, 6: hour_away, 8: reconnect}
HEADER = ("what", "ours", "target", "")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes")
    parser.add_argument("--only", default=",".join(map(str, PARTS)), help="numbers of parts")
    parser.add_argument("--model", type=Path, default=PROJECT / "var", help="its models are used; else one is trained")
    arguments = parser.parse_args()
    load_average("at start")
    with tempfile.TemporaryDirectory(prefix="slack") as folder:
        bench = Bench(Path(folder), arguments.model, 10 if arguments.quick else 1)
        for number in map(int, arguments.only.split(",")):
            table(HEADER, list(PARTS[number](bench)))
    refused = row("calls that Slack refused, over all", len(bench.refused), 0)
    table(HEADER, [refused, row("processes that did not end when asked to", len(bench.stuck), 0)])
    print(*bench.refused[:20], *bench.stuck, sep="\n")
    load_average("at end")


if __name__ == "__main__":
    main()
