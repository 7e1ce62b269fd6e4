"""Measures the Slack bot, run as an operator runs it, against a pretended Slack on this machine.

    python benchmarks/slack.py [--quick] [--only N[,N]] [--model HOME] [--dir DIR]

1 acknowledgements of a steady stream  2 of a burst  3 the first visible answer  4 CPU of an event beside an empty Bolt
5 every fault at once  6 an hour without Slack  8 a cut connection; 7, calls that Slack refused, is counted over all.
Each part has a database of its own with the same trained model: that of HOME, else one is trained first. The pretended
Slack shares the machine and this process, so that its own work is in every time. Part 6 alone runs in this process:
the clock of another cannot be moved; it does not pause between two messages.
"""

from __future__ import annotations

import argparse
import csv
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
from report import PROJECT, load_average, table

sys.path.insert(0, str(PROJECT / "tests"))

from bot import app as slack_app
from bot import inbound, outbound
from builders import POLICY, a_prediction
from fakes import FakeClassifier, FakeClock
from models.dataset import shipped_folder
from slack_server import SlackServer
from triage import knowledge, service, settings
from triage.commit import Transactions
from triage.store import engine, outbox
from triage.ticket import Message

TRIAGE = [sys.executable, "-m", "triage"]
EMPTY = """
import os
from slack_bolt import App
from slack_bolt.adapter.wsgi import SlackRequestHandler
from slack_sdk import WebClient
from waitress import serve
client = WebClient(os.environ["SLACK_BOT_TOKEN"], base_url=os.environ["SLACK_API_URL"])
app = App(client=client, signing_secret=os.environ["SLACK_SIGNING_SECRET"])
@app.event("message")
def nothing():
    pass
serve(SlackRequestHandler(app, path="/slack/events"), host="127.0.0.1", port=int(os.environ["TRIAGE_PORT"]), threads=16)
"""
PATIENCE = 3.0  # seconds until Slack takes an event for lost
HOUR = 3600


class Stage:
    """A pretended Slack, a home with a model, and the processes that run against them."""

    def __init__(self, bench, name, people=200):
        self.home, self.refused = bench.folder / name, bench.refused
        shutil.copytree(bench.template, self.home)
        self.texts, self.running = bench.texts, {}
        self.slack = SlackServer(PROJECT / "bot" / "manifest.json")
        self.people = [self.slack.person(f"person{n}", f"person{n}@example.org") for n in range(people)]
        for channel in sorted({team.slack_channel for team in POLICY.teams.values()}):
            self.slack.channel(channel, private=True, people=self.people[:3])

    def __enter__(self):
        self.slack.__enter__()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        keep = {name: value for name, value in os.environ.items() if not name.startswith(("TRIAGE_", "SLACK_"))}
        self.env = keep | {
            "TRIAGE_HOME": str(self.home), "TRIAGE_PORT": str(self.port), "SLACK_API_URL": self.slack.api_url,
            "SLACK_BOT_TOKEN": self.slack.bot_token, "SLACK_SIGNING_SECRET": self.slack.signing_secret,
        }  # fmt: skip
        return self

    def __exit__(self, *_):
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            process.wait(timeout=30)
        self.refused += self.slack.refused
        self.slack.__exit__()

    def start(self, name, command=None):
        """Start a part of the product (or another command); what it says is kept in the home."""
        env = self.env | ({"SLACK_APP_TOKEN": self.slack.app_token} if name == "bot" else {})
        with (self.home / f"{name}.log").open("ab") as out:
            self.running[name] = subprocess.Popen(command or [*TRIAGE, name], env=env, stdout=out, stderr=out)

    def start_in(self, mode, command=None):
        """Start what listens in HTTP or Socket Mode, and wait until it does."""
        if mode == "Socket":
            self.start("bot")
            self.slack.sockets.wait_for(slack_app.LINES, timeout=60)
            return
        self.start("web", command)
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        self.slack.deliver_to(f"http://127.0.0.1:{self.port}{slack_app.PATH}", verify=True)

    def write(self, count, rate=None):
        """Let people write to the bot in turn, `rate` messages a second or all at once; returns the messages."""
        written, began = [], time.monotonic()
        for number in range(count):
            if rate:
                time.sleep(max(0.0, began + number / rate - time.monotonic()))
            written.append(self.people[number % len(self.people)].direct(self.texts[number % len(self.texts)]))
        return written

    def answers(self, message):
        """Return what the bot said under a message."""
        return [reply for reply in self.slack.thread(message.channel, message)[1:] if reply.bot_id]

    def warm_up(self):
        """Let the processes load what they load at their first ticket."""
        message = self.people[-1].direct("no dial tone at triage")
        self.slack.until(lambda: self.answers(message), timeout=60)

    def acknowledged(self, since=0):
        """Wait until Slack is done with what people wrote; returns seconds of each try, None for a failed one."""
        mine = [each for each in self.slack.deliveries[since:] if not each.is_echo]
        self.slack.until(lambda: all(each.done.is_set() for each in mine), timeout=60)
        return [None if one.failed else one.seconds for each in mine for one in each.attempts]

    def ask(self, query):
        with closing(sqlite3.connect(self.home / "triage.db", timeout=30)) as conn:
            return conn.execute(query).fetchall()


class Bench:
    """What all parts share: where they work, their sizes, texts and model, and the calls that Slack refused."""

    def __init__(self, folder, model, *, quick):
        self.folder, self.quick, self.refused = folder, quick, []
        self.template = folder / "template"
        rows = [row for path in sorted(shipped_folder().glob("*.csv")) for row in csv.DictReader(path.open())]
        fair = [text for row in rows if 20 < len(text := row["text"].strip()) < 500 and not service.is_follow_up(text)]
        self.texts = random.Random(0).sample(fair, 500)
        if (model / "triage.db").exists() and (model / "secret.key").exists():
            self._copy(model)
        else:
            print("Training a model takes about a minute ...", flush=True)
            self._run("train", "--promote")

    def size(self, full):
        return max(1, full // 10) if self.quick else full

    def _copy(self, model):
        """Make a database with another's models alone, and the key that signed them."""
        self.template.mkdir()
        shutil.copy(model / "secret.key", self.template)
        self._run("init")
        with closing(sqlite3.connect(self.template / "triage.db")) as conn:
            conn.execute("ATTACH ? AS old", (str(model / "triage.db"),))
            for name in ("models", "promotions"):
                conn.execute(f"INSERT INTO {name} SELECT * FROM old.{name}")  # noqa: S608 - names from here
            conn.commit()

    def _run(self, *arguments):
        env = os.environ | {"TRIAGE_HOME": str(self.template)}
        subprocess.run([*TRIAGE, *arguments], env=env, check=True, stdout=subprocess.DEVNULL)


def row(what, ours, target="", most=None):
    """Return a row of the table; met is what is not above `most`."""
    verdict = "" if most is None else "met" if ours <= most else "MISSED"
    return what, f"{ours:.2f}" if isinstance(ours, float) else str(ours), target, verdict


def part_of(values, share):
    """Return a percentile; endless when there is nothing."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))] if values else float("inf")


def promptness(what, seconds, p99):
    """Yield the rows about acknowledgements."""
    ms = [1000 * each for each in seconds if each is not None]
    yield row(f"{what}: p50 ms ({len(seconds)} tries)", part_of(ms, 0.5))
    yield row(f"{what}: p99 ms", part_of(ms, 0.99), f"<= {p99}", p99)
    yield row(f"{what}: slowest ms", max(ms, default=float("inf")))
    yield row(f"{what}: none within 3 s", sum(s is None or s > PATIENCE for s in seconds), "0", 0)


def steady(bench):
    """20 direct messages a second, in both modes, beside a worker that answers them."""
    for mode in ("HTTP", "Socket"):
        with Stage(bench, f"steady-{mode}") as stage:
            stage.start_in(mode)
            stage.start("worker")
            stage.warm_up()
            before = len(stage.slack.deliveries)
            stage.write(bench.size(400), rate=20)
            yield from promptness(f"{mode}, 20 events/s", stage.acknowledged(before), 200)


def burst(bench):
    """200 direct messages at once, in both modes."""
    for mode in ("HTTP", "Socket"):
        with Stage(bench, f"burst-{mode}") as stage:
            stage.start_in(mode)
            stage.start("worker")
            stage.warm_up()
            before, began = len(stage.slack.deliveries), time.monotonic()
            stage.write(bench.size(200))
            within = 1000 * (time.monotonic() - began)
            what = f"{mode}, {bench.size(200)} events in {within:.0f} ms"
            yield from promptness(what, stage.acknowledged(before), 1000)


def first_answer(bench):
    """How long people wait until the bot says something in their thread."""
    with Stage(bench, "answer") as stage:
        stage.start_in("Socket")
        stage.start("worker")
        stage.warm_up()
        messages = stage.write(bench.size(60), rate=2)
        stage.slack.until(lambda: all(map(stage.answers, messages)), timeout=60)
        waits = [float(stage.answers(each)[0].ts) - float(each.ts) for each in messages]
    yield row(f"first visible answer: p50 s ({len(waits)} messages, 2/s)", part_of(waits, 0.5))
    yield row("first visible answer: p95 s", part_of(waits, 0.95), "<= 2", 2)
    yield row("first visible answer: slowest s", max(waits))


def cpu_ms(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return 1000 * (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rested(pid):
    """Wait until a process does nothing more; returns its CPU ms so far."""
    spent = -1.0
    while (now := cpu_ms(pid)) > spent:
        spent = now
        time.sleep(1)
    return spent


def cost_of_event(bench, name, command=None):
    """Return the CPU ms of one signed event, with what follows it in that process."""
    count = bench.size(300)
    with Stage(bench, name) as stage:
        stage.start_in("HTTP", command)
        pid = stage.running["web"].pid
        spent = []
        for events in (20, count):
            for _ in range(events // 10):
                stage.write(10)
                stage.acknowledged()
            spent.append(rested(pid))
    return (spent[1] - spent[0]) / (count // 10 * 10)


def event_cost(bench):
    """CPU of `triage web` beside that of an empty Bolt application."""
    empty = cost_of_event(bench, "cpu-empty", [sys.executable, "-c", EMPTY])
    ours = cost_of_event(bench, "cpu-ours")
    yield row("CPU ms of an HTTP event: empty Bolt application", empty)
    yield row("CPU ms of an HTTP event: ours", ours)
    yield row("ours, times the empty one", ours / empty, "<= 4", 4)


def trouble(stage, stop, done):
    """Kill the bot every 5 s and start it again, cut its lines every 10 s, until told to stop."""
    second = 0
    while not stop.wait(1):
        second += 1
        if second % 5 == 0:
            stage.running["bot"].kill()
            stage.running["bot"].wait()
            stage.start("bot")
            done["kills"] += 1
        if second % 10 == 9:
            stage.slack.sockets.cut()
            done["cuts"] += 1


def shuffled_batch(stage, size, chance):
    """Let people write, and deliver what they wrote in any order, one to four times each; returns the messages."""
    stage.slack.hold()
    messages = stage.write(size)
    held = stage.slack.held
    repeats = [each for each in held for _ in range(chance.randrange(4))]
    chance.shuffle(held)
    chance.shuffle(repeats)
    middle = len(repeats) // 2
    for each in repeats[:middle]:
        stage.slack.deliver_again(each)
    stage.slack.release(*held)
    for each in repeats[middle:]:
        stage.slack.deliver_again(each)
    return messages


def faults(bench):
    """Repeats, disorder, cut lines and killed processes, all at once."""
    chance, stop, done = random.Random(5), threading.Event(), Counter()
    with Stage(bench, "faults", people=100) as stage:
        stage.start_in("Socket")
        stage.start("worker")
        troubled = threading.Thread(target=trouble, args=(stage, stop, done))
        troubled.start()
        messages = []
        while len(messages) < bench.size(500):
            began = time.monotonic()
            messages += shuffled_batch(stage, 25, chance)
            time.sleep(max(0.0, began + 4 - time.monotonic()))
        stop.set()
        troubled.join()
        stage.slack.sockets.wait_for(slack_app.LINES, timeout=60)
        mine = [each for each in stage.slack.deliveries if not each.is_echo]
        while not all(each.done.is_set() for each in mine):
            stage.slack.clock.passes(seconds=61)
            time.sleep(PATIENCE + 1)
        waited = time.monotonic()
        while stage.ask("SELECT count(*) FROM outbox WHERE pending")[0][0] and time.monotonic() < waited + 400:
            time.sleep(1)
        given_up = sum(not each.acknowledged for each in mine)
        more = f"{len(mine)} deliveries, {given_up} given up, {done['kills']} kills, {done['cuts']} cuts"
        yield from tally(stage, messages, more)


def tally(stage, messages, more):
    """Yield the rows about what became of messages."""
    places = Counter(place for (place,) in stage.ask("SELECT external_id FROM tickets"))
    wanted = {inbound.place_of(each.channel.id, each.ts) for each in messages}
    with stage.slack.workspace.lock:
        said = [each for channel in stage.slack.workspace.channels.values() for each in channel.messages]
    keys = Counter(each.metadata["event_payload"]["key"] for each in said if each.metadata)
    again = sum(count - 1 for count in keys.values())
    pending, dead = stage.ask("SELECT coalesce(sum(pending), 0), count(dead_at) FROM outbox")[0]
    yield row(f"faults: messages ({more})", len(messages))
    yield row("faults: tickets", places.total())
    yield row("faults: messages without a ticket", len(wanted - set(places)), "0", 0)
    yield row("faults: tickets too many", places.total() - len(wanted & set(places)), "0", 0)
    yield row("faults: messages without an answer", sum(not stage.answers(each) for each in messages), "0", 0)
    yield row("faults: answers and cards sent again, %", 100 * again / len(messages), "<= 1", 1)
    yield row("faults: most times that one of them was sent again", max(keys.values(), default=1) - 1, "0", 0)
    yield row("faults: notices that wait or are dead in the end", pending + dead, "0", 0)


def hour_away(bench):
    """Slack answers nothing but 503 for an hour."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    outbound.PACE = 0.0
    clock, classifier = FakeClock(), FakeClassifier()
    for slug in POLICY.categories:
        classifier.on(slug, a_prediction(slug))
    with Stage(bench, "hour") as stage:
        found = settings.Settings(SLACK_BOT_TOKEN=stage.slack.bot_token, SLACK_API_URL=stage.slack.api_url)
        transactions = Transactions(engine.open_engine(f"sqlite:///{stage.home / 'triage.db'}"))
        told = slack_app.notifier(found, transactions, POLICY)
        services = service.Services(transactions, POLICY, knowledge.load(), classifier, told, b"benchmark" * 4)
        deliver = partial(service.deliver, services, "worker", clock)
        stage.slack.misbehave("*", "503", times=10**9)
        slugs, messages = list(POLICY.categories), []
        for number in range(bench.size(50)):
            person = stage.people[number % 20]
            messages.append(person.direct(f"trouble with {slugs[number % len(slugs)]}, place {number}"))
            place = inbound.place_of(messages[-1].channel.id, messages[-1].ts)
            service.receive(services, Message(messages[-1].text, inbound.CHANNEL, place, person.email), clock())
        step, back = 30, None
        for seconds in range(0, 2 * HOUR, step):
            if seconds == HOUR:
                stage.slack.api.faults.clear()
            while deliver():
                pass
            if seconds >= HOUR and not transactions.read(outbox.counts)["pending"]:
                back = seconds - HOUR
                break
            clock.passes(seconds=step)
        yield from after_hour(stage, messages, transactions.read(outbox.counts), back)


def after_hour(stage, messages, counts, back):
    """Yield the rows about an hour without Slack."""
    sent = stage.ask("SELECT lane, receipt FROM outbox WHERE receipt IS NOT NULL AND replaces IS NULL ORDER BY id")
    lanes = {lane: [receipt.split(":")[1] for one, receipt in sent if one == lane] for lane, _ in sent}
    unanswered = sum(not stage.answers(each) for each in messages)
    yield row(f"an hour away: notices sent ({len(messages)} tickets, {len(lanes)} addressees)", len(sent))
    yield row("an hour away: messages without an answer", unanswered, "0", 0)
    yield row("an hour away: notices that wait in the end", counts["pending"], "0", 0)
    yield row("an hour away: dead letters", counts["dead"], "0", 0)
    yield row("an hour away: addressees told in another order", sum(s != sorted(s) for s in lanes.values()), "0", 0)
    yield row("an hour away: s of the moved clock until all is told", -1 if back is None else back)


def reconnect(bench):
    """Every line is cut at once."""
    waits = []
    with Stage(bench, "reconnect", people=3) as stage:
        stage.start_in("Socket")
        sockets = stage.slack.sockets
        for _ in range(max(2, bench.size(5))):
            time.sleep(3)
            began, opened = time.monotonic(), sockets.opened
            sockets.cut()
            sockets.wait_for(1, timeout=60, opened=opened + 1)
            waits.append(time.monotonic() - began)
            sockets.wait_for(slack_app.LINES, timeout=60)
    each = " ".join(f"{wait:.2f}" for wait in waits)
    yield row(f"reconnect: worst s ({each})", max(waits), "<= 2", 2)


PARTS = {1: steady, 2: burst, 3: first_answer, 4: event_cost, 5: faults, 6: hour_away, 8: reconnect}
HEADER = ("what", "ours", "target", "")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the sizes")
    parser.add_argument("--only", default=",".join(map(str, PARTS)), help="numbers of parts")
    parser.add_argument("--model", type=Path, default=PROJECT / "var", help="a home whose live model is used")
    parser.add_argument("--dir", type=Path, help="an empty directory to work in, which is kept")
    arguments = parser.parse_args()
    load_average("at start")
    with tempfile.TemporaryDirectory(prefix="slack") as folder:
        bench = Bench(arguments.dir or Path(folder), arguments.model, quick=arguments.quick)
        for number in map(int, arguments.only.split(",")):
            table(HEADER, list(PARTS[number](bench)))
    table(HEADER, [row("calls that Slack refused, over all", len(bench.refused), "0", 0)])
    for call in bench.refused[:20]:
        print(call)
    load_average("at end")


if __name__ == "__main__":
    main()
