"""Commands about patient data: key, original, mend, misses, hold, access, breach."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any, TextIO

import click

from triage.cli.common import BadInput, Failure, actor, clear_errors, now, open_product, read_line, to_json


@click.group()
def key() -> None:
    """Make and change the keys that seal originals and backups."""


@key.command("new")
@clear_errors
def new_key() -> None:
    """Print a new secret key, and on stderr the public one that may only seal."""
    from triage import seal

    secret = seal.new_key()
    click.echo(secret)
    click.echo(f"Public key, for TRIAGE_BACKUP_RECIPIENTS: {seal.data_keys(secret).recipients[0]}", err=True)
    click.echo("Put the secret first in TRIAGE_DATA_KEYS and keep a copy where no backup lies.", err=True)


@key.command("rotate")
@clear_errors
def rotate() -> None:
    """Seal every kept original with the first key of TRIAGE_DATA_KEYS; the others may go afterwards."""
    from triage import service

    product = open_product()
    if not product.services.keys:
        raise BadInput("TRIAGE_DATA_KEYS: is needed, the new key first")
    changed, closed = service.rekey(product.services, actor(), now())
    click.echo(f"{changed} originals were sealed anew.")
    if closed:
        raise Failure(f"{closed} originals open with no key in TRIAGE_DATA_KEYS: add the key they were sealed with")
    click.echo("Older keys are needed only for older backups.")


@click.command()
@click.argument("ref")
@click.option("--reason", required=True, help="Why you must see it; kept in the audit.")
@clear_errors
def original(ref: str, reason: str) -> None:
    """Print what a ticket said before masking, where the site keeps it. Every look is audited."""
    from triage import service

    click.echo(service.reveal(open_product().services, ref, actor(), reason, now()))


@click.command()
@click.argument("ref")
@click.argument("words")
@click.option("--type", "kind", default="NAME", show_default=True, help="What they are: NAME, MRN, DOB ...")
@clear_errors
def mend(ref: str, words: str, kind: str) -> None:
    """Mask WORDS that the masker missed, in the ticket and everywhere they went. `-` reads them from stdin."""
    from triage import service

    product = open_product()
    missed = read_line() if words == "-" else words
    done = service.mend(product.services, ref, missed, kind.upper(), actor(), now())
    click.echo(f"{ref}: {done.placeholder} stands in {done.places} places of the text now.")
    if _live_model_knows(product, missed):
        click.echo("The live model knows one of these words. If it is no ordinary word: `triage train --promote`.")


def _live_model_knows(product: Any, words: str) -> bool:
    from triage.ticket import ModelUnavailableError

    try:
        return bool(product.classifier.live().knows(words))
    except ModelUnavailableError:
        return False


@click.command()
@click.option("--output", "target", metavar="F.txt", help="Write them as marked tickets.")
@clear_errors
def misses(target: str | None) -> None:
    """Say what of all that people found missed this masker finds, and write it down for the next one."""
    from models.masking import marked_in, measure
    from triage import service
    from triage.redact import find_spans
    from triage.service import Act

    services = open_product().services
    found = service.misses(services)
    if target:
        with _new_file(target) as out:
            service.note(services, Act(now(), actor(), "export_misses"), "misses", rows=len(found))
            out.write("".join(found))
    tests = list(marked_in("".join(found), "misses", "misses"))
    wanted = sum(len(test.identifiers) for test in tests)
    hit = round(measure(tests, find_spans).get("all", 0) * wanted)
    click.echo(
        f"People marked {wanted} missed words in {len(tests)} tickets; in made-up words this masker finds {hit}."
    )


@click.command()
@click.argument("ref")
@click.option("--reason", required=True, help="Why; kept in the audit.")
@click.option("--release", is_flag=True, help="Free the ticket again.")
@clear_errors
def hold(ref: str, reason: str, *, release: bool) -> None:
    """Put a ticket under legal hold: nothing of it is purged until it is released."""
    from triage import service

    service.hold(open_product().services, ref, actor(), reason, now(), held=not release)
    click.echo(f"{ref} is {'free' if release else 'under legal hold'}.")


@click.command()
@click.option("--ticket", "ref", metavar="REF", help="Who saw this ticket, and who did what with it?")
@click.option("--user", "person", metavar="WHO", help="What did this person (or token:NAME) see and do?")
@click.option("--output", "target", default="-", metavar="F.csv", help="CSV; - is stdout.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead.")
@clear_errors
def access(ref: str | None, person: str | None, target: str, *, as_json: bool) -> None:
    """Export who saw a ticket, or what a person saw, from the audit chain. The export is audited too."""
    from triage import service
    from triage.service import Act

    if bool(ref) == bool(person):
        raise BadInput("give either --ticket or --user")
    services = open_product().services
    rows = service.who_saw(services, ref) if ref else service.what_did(services, person or "")
    found = [
        {
            "row": row.id,
            "at": row.at.isoformat(timespec="seconds"),
            "actor": row.actor,
            "action": row.action,
            "subject": row.subject,
            "tickets": " ".join(row.data.get("refs", [])),
            "reason": row.data.get("reason", ""),
        }
        for row in rows
    ]
    with _new_file(target) as out:
        service.note(services, Act(now(), actor(), "export_access"), ref or person or "", rows=len(rows))
        if as_json:
            out.write(json.dumps({"rows": found}, ensure_ascii=False) + "\n")
        else:
            write_csv(out, ("row", "at", "actor", "action", "subject", "tickets", "reason"), found)


@click.group()
def breach() -> None:
    """Keep the breach register that HIPAA, PHIPA and Law 25 ask for."""


@breach.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@clear_errors
def list_breaches(*, as_json: bool) -> None:
    """List the register: each entry with who must be told by when, and what was done."""
    entries = _register("view_breaches")
    if as_json:
        to_json({"breaches": entries})
    elif not entries:
        click.echo("The register is empty.")
    for entry in [] if as_json else entries:
        persons = "?" if entry["persons"] is None else entry["persons"]
        click.echo(
            f"{entry['ref']}  {entry['state']}  aware {entry['aware_at'][:10]}  risk {entry['risk']}  persons {persons}"
        )
        for duty in entry["duties"]:
            when = f"done {duty['done']}" if duty["done"] else f"by {duty['by']}" if duty["by"] else "without delay"
            click.echo(f"  {duty['duty']:20} {when}")


@breach.command("add")
@click.argument("ref")
@clear_errors
def add_breach(ref: str) -> None:
    """Put a ticket into the register by hand."""
    from triage import service

    service.open_entry(open_product().services, ref, actor(), now())
    click.echo(f"{ref} is in the register, to be assessed.")


@breach.command("set")
@click.argument("ref")
@click.option("--state", help="assess, breach, not_breach or closed.")
@click.option("--risk", help="unknown, low or serious.")
@click.option("--persons", type=click.IntRange(0), help="How many people are affected.")
@click.option("--happened", help="When it happened.")
@click.option("--information", help="What kinds of information.")
@click.option("--circumstances", help="What happened, in short.")
@click.option("--risk-reasons", help="Why the risk is what it is.")
@click.option("--measures", help="What was done to contain it and to prevent the next one.")
@clear_errors
def set_breach(ref: str, **fields: Any) -> None:
    """Complete an entry. Identifiers in what you write are masked."""
    from triage import service

    given = {name: value for name, value in fields.items() if value is not None}
    if not given:
        raise BadInput("give at least one field, such as --state breach")
    service.change_entry(open_product().services, ref, actor(), now(), given)
    click.echo(f"{ref}: {', '.join(sorted(given))} written.")


@breach.command("told")
@click.argument("ref")
@click.argument("duty")
@click.option("--on", "day", metavar="YYYY-MM-DD", help="The day; today by default.")
@clear_errors
def told(ref: str, duty: str, day: str | None) -> None:
    """Note that somebody was told, such as `triage breach told IT-7 hipaa:persons`."""
    from triage import service

    try:
        when = now().date() if day is None else date.fromisoformat(day)
    except ValueError:
        raise BadInput("--on: must be a day such as 2026-11-24") from None
    service.note_duty(open_product().services, ref, actor(), now(), duty, when)
    click.echo(f"{ref}: {duty} done on {when}.")


@breach.command("export")
@click.argument("target", metavar="F.csv")
@clear_errors
def export_breaches(target: str) -> None:
    """Write the register to a CSV file, one row per entry."""
    with _new_file(target) as out:
        rows = [
            {**entry, "duties": "; ".join(f"{d['duty']} {d['done'] or 'open'}" for d in entry["duties"])}
            for entry in _register("export_breaches")
        ]
        names = ("ref", "aware_at", "state", "persons", "risk", "happened", "information")
        write_csv(out, (*names, "circumstances", "risk_reasons", "measures", "duties"), rows)


def _register(action: str) -> list[dict[str, Any]]:
    from triage import service
    from triage.service import Act

    services = open_product().services
    entries: list[dict[str, Any]] = service.register(services)
    service.note_look(services, Act(now(), actor(), action), [entry["ref"] for entry in entries])
    return entries


def write_csv(out: TextIO, names: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    """Write rows as CSV; no cell can be read as a formula by a spreadsheet."""
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([[_cell(row[name]) for name in names] for row in rows])


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else text


@contextmanager
def _new_file(target: str) -> Iterator[TextIO]:
    """Open a new file that only its owner can read; `-` is stdout."""
    if target == "-":
        yield sys.stdout
        return
    try:
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadInput(f"{target}: exists already") from None
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as out:
        yield out
