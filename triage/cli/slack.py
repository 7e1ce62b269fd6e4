"""Commands around what is sent to people: the deliveries that failed, and Slack shown without a workspace."""

from __future__ import annotations

import importlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from triage.cli.common import Failure, actor, clear_errors, now, open_product, to_json

PRETENDED = Path(__file__).resolve().parents[2] / "tests"  # the pretended Slack comes with the source alone


@click.command()
@click.option("--retry", "which", metavar="KEY|all", help="Send a dead letter, or all of them, once more.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@clear_errors
def deliveries(which: str | None, as_json: bool) -> None:
    """Show what waits to be sent and what could not be; send dead letters once more."""
    from triage import service
    from triage.store import outbox

    services, at = open_product().services, now()
    if which:
        revived = service.revive(services, which, actor(), at)
        if not revived:
            raise Failure(f"{which}: there is no such dead letter")
        if as_json:
            to_json({"revived": revived})
        else:
            click.echo(f"{revived} will be sent once more.")
        return
    counts, oldest, dead = services.transactions.read(
        lambda conn: (outbox.counts(conn), outbox.oldest_waiting(conn), outbox.dead(conn))
    )
    waits = int((at - oldest).total_seconds()) if oldest else 0
    letters = [{"key": row.key, "to": row.lane, "since": row.dead_at.isoformat(), "why": row.error} for row in dead]
    if as_json:
        to_json(counts | {"oldest_waiting_seconds": waits, "letters": letters})
        return
    click.echo(f"{counts['pending']} wait (the oldest for {waits} s), {counts['dead']} could not be delivered.")
    for letter in letters:
        click.echo(f"  {letter['key']} to {letter['to']}: {letter['why']}")
    if letters:
        click.echo("Mend the cause, then: triage deliveries --retry all")


@click.command("slack-demo")
@click.option("--http", is_flag=True, help="Let Slack call by HTTP instead of Socket Mode.")
@clear_errors
def slack_demo(http: bool) -> None:
    """Play a day of a nurse, an IT agent and security in a pretended Slack on this machine, and print it.

    The bot, the worker and the model are the real ones; tickets go to a database that is thrown away.
    """
    if not (PRETENDED / "slack_server").is_dir():
        raise Failure("the pretended Slack comes with the source: run this in a checkout (git clone)")
    from triage.ticket import ModelUnavailableError

    classifier: Any = open_product().classifier
    try:
        classifier.live()
    except ModelUnavailableError as error:
        raise Failure(f"{error}: run `triage train --promote` first, which takes about a minute") from None
    sys.path.insert(0, str(PRETENDED))
    stage = importlib.import_module("slack_server.stage")
    with tempfile.TemporaryDirectory() as home:
        try:
            stage.play(Path(home), classifier, click.echo, http=http)
        except AssertionError:
            raise Failure("the live model sorts these tickets otherwise than the story expects") from None
