"""SIGKILL at any moment: what was acknowledged exists once, what was promised arrives, the audit chain is whole."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from triage.store import audit, engine, outbox

ROUNDS = int(os.environ.get("TRIAGE_KILL_ROUNDS", "4"))  # the nightly run and the release notes use 20
HELPERS = Path(__file__).parent / "death"
KEY = b"a key for tests that is long enough"


@pytest.fixture
def home(tmp_path):
    """A data directory with a migrated database, shared with the processes under test."""
    url = f"sqlite:///{tmp_path / 'triage.db'}"
    found = engine.open_engine(url)
    engine.migrate(found)
    yield tmp_path, found
    found.dispose()


def start(script, home, *arguments):
    environment = os.environ | {"TRIAGE_HOME": str(home), "PYTHONPATH": str(HELPERS.parent.parent)}
    command = [sys.executable, str(HELPERS / script), str(home), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment)


def kill(process):
    process.send_signal(signal.SIGKILL)
    rest = process.stdout.read()
    process.wait()
    return rest


def test_every_notice_arrives_though_the_worker_dies_mid_delivery(home):
    folder, database = home
    start("file_tickets.py", folder, 60).wait()
    chance = random.Random(7)
    sent = Counter()
    for _ in range(ROUNDS):
        worker = start("deliver_slowly.py", folder)
        worker.stdout.readline()  # it is up
        time.sleep(0.05 + chance.random() * 0.3)
        sent.update(kill(worker).split())
    last = start("deliver_slowly.py", folder, "until-done")
    sent.update(last.communicate(timeout=120)[0].split()[1:])
    with database.connect() as conn:
        keys = {row.key for row in conn.execute(outbox.OutboxRow.__table__.select())}
        assert outbox.counts(conn) == {"pending": 0, "dead": 0}
        assert audit.faults(conn, KEY) == []
    assert keys <= set(sent), "every notice arrives at least once"
    assert sum(sent.values()) - len(sent) <= ROUNDS, "at most the one under way is told again"


def test_every_acknowledged_ticket_exists_once_though_the_web_dies_mid_intake(home):
    folder, database = home
    chance = random.Random(11)
    acknowledged, attempted = {}, 0
    for turn in range(ROUNDS):
        web = start("serve.py", folder)
        port = int(web.stdout.readline())
        deadline = time.monotonic() + 0.1 + chance.random() * 0.4
        try:
            while time.monotonic() < deadline:
                attempted += 1
                external = f"{turn}-{attempted}"
                acknowledged[external] = post(port, external)
        finally:
            kill(web)
    with database.connect() as conn:
        rows = conn.exec_driver_sql("SELECT id, external_id FROM tickets").all()
        assert conn.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
        assert audit.faults(conn, KEY) == []
    stored = {external: f"IT-{number}" for number, external in rows}
    assert len(stored) == len(rows), "no ticket exists twice"
    assert acknowledged.items() <= stored.items()
    assert len(acknowledged) >= ROUNDS


def post(port, external):
    body = json.dumps({"text": "printer jams", "requester": "rn@example.org", "external_id": external}).encode()
    headers = {"Authorization": "Bearer death-test", "Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/tickets", body, headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["ref"]
