"""What an operator does about notices that could not be sent, and the conversation that needs no workspace."""

import json

import pytest
from click.testing import CliRunner

from builders import NOON, a_notice
from triage import service, settings
from triage.bootstrap import build
from triage.cli import cli
from triage.store import outbox
from triage.ticket import DeliveryError


class Refuses:
    """A notifier of somebody who left."""

    def send(self, notice, *, again=False):
        raise DeliveryError("users_not_found", permanent=True)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command in a home of its own."""
    monkeypatch.setenv("TRIAGE_HOME", str(tmp_path / "home"))
    return lambda *words: CliRunner().invoke(cli, words)


@pytest.fixture
def letter(run):
    """A notice that nobody could take."""
    services = build(settings.load()).services
    work = service.shared.as_work(a_notice(key="IT-1:answer"))
    services.transactions.write(lambda conn: outbox.enqueue(conn, [work], NOON))
    dead = service.Services(
        services.transactions, services.policy, services.knowledge, services.classifier, Refuses(), b"k"
    )
    assert service.deliver(dead, "w1", lambda: NOON)


def test_nothing_waits_in_a_new_home(run):
    assert run("deliveries").stdout.startswith("0 wait")


@pytest.mark.usefixtures("letter")
def test_a_dead_letter_is_shown_with_its_reason_and_sent_once_more(run):
    shown = json.loads(run("deliveries", "--json").stdout)
    assert (shown["dead"], shown["letters"][0]["key"], shown["letters"][0]["why"]) == (
        1,
        "IT-1:answer",
        "users_not_found",
    )
    assert "triage deliveries --retry all" in run("deliveries").stdout
    assert json.loads(run("deliveries", "--retry", "all", "--json").stdout) == {"revived": 1}
    assert json.loads(run("deliveries", "--json").stdout)["pending"] == 1


@pytest.mark.parametrize("which", ["all", "IT-9:answer", "'; drop table outbox"])
def test_what_is_no_dead_letter_is_refused_with_a_sentence(run, which):
    done = run("deliveries", "--retry", which)
    assert done.exit_code == 1
    assert "there is no such dead letter" in done.stderr


def test_the_demo_says_what_it_needs(run):
    done = run("slack-demo")
    assert done.exit_code == 1
    assert "triage train --promote" in done.stderr
