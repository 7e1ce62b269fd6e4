"""Commands about models: train, evaluate, models, promote, rollback."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from triage.cli.common import BadInput, Failure, actor, clear_errors, now, open_product, to_json


@click.command()
@click.option("--data", "files", multiple=True, metavar="F.csv", help="Train on these rows (text,label) alone.")
@click.option("--name", help="The model's version; v1, v2 ... by default.")
@click.option("--promote", "live", is_flag=True, help="Make it live at once.")
@click.option("--json", "as_json", is_flag=True, help="Print the card as one JSON document.")
@clear_errors
def train(files: tuple[str, ...], name: str | None, live: bool, as_json: bool) -> None:
    """Train a model and store it; by default on the shipped tickets and those that people reviewed."""
    product = open_product()
    with _progress() as step:
        version, card = train_and_store(product, [Path(f) for f in files], name, live=live, step=step)
    if as_json:
        to_json({"version": version, **card})
    else:
        _print_card(version, card, live)


def train_and_store(
    product: Any, files: list[Path], name: str | None, *, live: bool, step: Any
) -> tuple[str, dict[str, Any]]:
    """Train, measure, sign and store a model; returns its version and card."""
    from sqlalchemy.exc import IntegrityError

    from models import learning
    from triage import service
    from triage.store import classifiers

    services = product.services
    stored = services.transactions.read(classifiers.all_models)
    version = name or f"v{len(stored) + 1}"
    if any(row.version == version for row in stored):
        raise BadInput(f"--name: there is a model {version!r} already")
    model, card = learning.learn(services, files, now(), step)
    blob, digest = learning.sign(model, services.key)

    def store(conn: Any) -> None:
        classifiers.add(conn, version, blob, digest, card, actor(), now())
        service.add_audit(conn, services, service.Act(now(), actor(), "store_model"), version, {"rows": card["rows"]})

    try:
        services.transactions.write(store)
    except IntegrityError:
        raise Failure(f"another training stored a model {version!r} meanwhile") from None
    if live:
        service.promote(services, version, actor(), "promoted right after training", now())
    return version, card


@contextmanager
def _progress() -> Iterator[Any]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=None)
        yield lambda name, done, of: bar.update(task, description=name, completed=done, total=of)


def _print_card(version: str, card: dict[str, Any], live: bool) -> None:
    click.echo(f"Model {version}: {card['rows']} rows, {len(card['labels'])} labels, {card['authors'] or '?'} authors")
    for name, title in (("out_of_fold", "by authors it had not seen"), ("holdout", "on the frozen set")):
        if figures := card.get(name):
            click.echo(
                f"  {title}: accuracy {figures['accuracy']:.3f}, macro-F1 {figures['macro_f1']:.3f}, "
                f"calibration error {figures['ece']:.3f} (n={figures['n']})"
            )
    click.echo(f"  trained in {card['cpu_seconds']} s CPU; sentence encoder: {'yes' if card['encoder'] else 'no'}")
    click.echo("It is live." if live else f"It is not live. `triage promote {version} --reason ...` makes it so.")


@click.command()
@click.option("--data", "files", multiple=True, required=True, metavar="F.csv", help="Labelled rows (text,label).")
@click.option("--model", "version", metavar="V", help="A stored model instead of the live one.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@clear_errors
def evaluate(files: tuple[str, ...], version: str | None, as_json: bool) -> None:
    """Measure a model on labelled rows it has not learned from."""
    from models.dataset import read_csv

    product = open_product()
    classifier = product.classifier
    served = classifier.load(version) if version else classifier.live()
    examples = [example for name in files for example in read_csv(Path(name))]
    unknown = sorted({example.label for example in examples} - set(served.labels))
    if unknown == sorted({example.label for example in examples}):
        raise BadInput(f"label: model {served.version} knows none of {', '.join(unknown)}")
    figures = served.evaluate(examples)
    if as_json:
        to_json(figures)
        return
    click.echo(f"Model {served.version} on {figures['n']} rows")
    click.echo(f"  accuracy {figures['accuracy']:.4f}  macro-F1 {figures['macro_f1']:.4f}  ECE {figures['ece']:.4f}")
    for target, share in figures["coverage_at_precision"].items():
        click.echo(f"  {share:6.1%} of the rows at precision {target}")
    for label, row in figures["per_class"].items():
        click.echo(f"  {label:24} F1 {row['f1']:.3f}  recall {row['recall']:.3f}  n={row['n']}")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@clear_errors
def models(as_json: bool) -> None:
    """List the stored models, newest first."""
    from triage.store import classifiers

    transactions = open_product().services.transactions
    live = transactions.read(classifiers.live_version)
    rows = [
        {"version": row.version, "live": row.version == live, "by": row.created_by, **row.card}
        for row in transactions.read(classifiers.all_models)
    ]
    if as_json:
        to_json({"live": live, "models": rows})
    elif not rows:
        click.echo("There is no model yet: `triage train --promote` makes one.")
    for row in [] if as_json else rows:
        figures = row.get("holdout") or row["out_of_fold"]
        mark = "live" if row["live"] else ""
        click.echo(
            f"{row['version']:12} {mark:5} {row['created']}  macro-F1 {figures['macro_f1']:.3f}  {row['rows']} rows"
        )


@click.command()
@click.argument("version")
@click.option("--reason", required=True, help="Why; kept in the audit.")
@clear_errors
def promote(version: str, reason: str) -> None:
    """Make a stored model live: every process serves it from its next ticket."""
    from triage import service

    product = open_product()
    product.classifier.load(version)  # a model that cannot be served must never become live
    service.promote(product.services, version, actor(), reason, now())
    click.echo(f"{version} is live.")


@click.command()
@click.option("--reason", required=True, help="Why; kept in the audit.")
@clear_errors
def rollback(reason: str) -> None:
    """Go back to the model that was live before."""
    from triage import service

    version = service.rollback(open_product().services, actor(), reason, now())
    click.echo(f"{version} is live again.")
