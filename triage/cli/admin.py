"""Commands for operators: init, user, token, backup, restore, verify, check-policy, seed, doctor."""

from __future__ import annotations

import re
import secrets
import signal
import sys
from pathlib import Path
from typing import Any

import click

from triage.cli.common import BadInput, Failure, actor, clear_errors, now, open_product, read_line, to_json

LEAST_PASSWORD = 12


@click.command()
@click.option(
    "--app-role",
    metavar="ROLE",
    help="PostgreSQL: give the role of web and workers the least rights.",
)
@clear_errors
def init(app_role: str | None) -> None:
    """Create or migrate the database."""
    from triage import settings
    from triage.store import engine

    database = engine.open_engine(settings.load().url)
    engine.migrate(database)
    if app_role:
        engine.grant(database, app_role)
        click.echo(f"{app_role} can work with the tables, and cannot change or delete audit rows.")
    with database.connect() as conn:
        click.echo(f"The database is ready (schema {engine.schema_version(conn)}).")


@click.group()
def user() -> None:
    """Add local accounts."""


@user.command("add")
@click.argument("email")
@click.option("--role", required=True, type=click.Choice(["requester", "viewer", "agent", "lead", "security", "admin"]))
@click.option("--password-stdin", is_flag=True, help="Read the password from stdin instead of asking.")
@clear_errors
def add_user(email: str, role: str, password_stdin: bool) -> None:
    """Add a local account, or change its role and password."""
    from werkzeug.security import generate_password_hash

    from triage.store import people

    email = email.strip().lower()
    if not re.fullmatch(r"[^\s@]+@[^\s@]+", email) or len(email) > 320:
        raise BadInput("EMAIL: must be an e-mail address")
    password = read_line() if password_stdin else click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if len(password) < LEAST_PASSWORD:
        raise BadInput(f"password: must have at least {LEAST_PASSWORD} characters")
    hashed = generate_password_hash(password)
    _audited(lambda conn: people.put_user(conn, email, role, hashed, now()), "set_user", email, role=role)
    click.echo(f"{email} can sign in as {role}.")


@click.group()
def token() -> None:
    """Add API tokens."""


@token.command("add")
@click.argument("name")
@click.option("--scope", default="tickets:read,tickets:write", help="Comma-separated scopes.")
@clear_errors
def add_token(name: str, scope: str) -> None:
    """Make an API token and print it once; the same name again replaces it."""
    from triage.store import people
    from web.auth import SCOPES

    scopes = [part.strip() for part in scope.split(",") if part.strip()]
    if unknown := [part for part in scopes if part not in SCOPES]:
        raise BadInput(f"--scope: unknown {', '.join(unknown)} (known: {', '.join(SCOPES)})")
    if not name.strip() or len(name) > 36:
        raise BadInput("NAME: must have 1 to 36 characters")
    secret = secrets.token_urlsafe(32)
    _audited(lambda conn: people.put_token(conn, name, secret, scopes, now()), "set_token", name, scopes=scopes)
    click.echo(secret)


def _audited(work: Any, action: str, subject: str, **data: Any) -> None:
    """Do a piece of work and write it into the audit, both or neither."""
    from triage.service import Act, add_audit

    services = open_product().services

    def both(conn: Any) -> None:
        work(conn)
        add_audit(conn, services, Act(now(), actor(), action), subject, data)

    services.transactions.write(both)


@click.command("check-policy")
@click.argument("path", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print the policy as one JSON document.")
@clear_errors
def check_policy(path: str | None, as_json: bool) -> None:
    """Check a policy file: the one given, TRIAGE_POLICY, or the built-in one."""
    from triage import policy, settings

    found = policy.load(Path(path) if path else settings.load().policy)
    if not as_json:
        click.echo(f"The policy is sound: {len(found.categories)} categories, {len(found.teams)} teams.")
        return
    document = found.model_dump(mode="json")
    document["categories"] = [{"slug": slug, **row} for slug, row in document["categories"].items()]
    document["teams"] = [{"slug": slug, **row} for slug, row in document["teams"].items()]
    document["thresholds"] = {slug: row.threshold for slug, row in found.categories.items()}
    to_json(document)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@clear_errors
def backup(path: Path) -> None:
    """Copy the whole database to a new file while it runs; encrypted where there is a key."""
    from triage import service
    from triage.commit import StoreUnavailableError
    from triage.service import Act
    from triage.store.copying import BackupError
    from triage.store.copying import backup as copy

    product = open_product()
    keys = product.settings.backup_keys
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leave no open copy behind
    try:
        rows = copy(product.engine, path, keys, product.settings.home)
    except BackupError as error:
        raise Failure(str(error)) from None
    try:
        service.note(product.services, Act(now(), actor(), "backup"), "database", encrypted=bool(keys))
    except StoreUnavailableError:
        click.echo("The backup is made, but the audit cannot be written.", err=True)
    click.echo(f"{path}: {rows} rows{', encrypted' if keys else ''}.")
    if not keys:
        click.secho("WARNING: it is NOT ENCRYPTED and holds masked ticket text.", fg="red", bold=True, err=True)
        click.echo("Keep it on an encrypted disk, or set TRIAGE_DATA_KEYS (`triage key new`) first.", err=True)
    click.echo("Keep TRIAGE_SECRET_KEY and the data keys elsewhere: nothing verifies or opens without them.", err=True)


@click.command()
@click.argument("path", type=click.Path(path_type=Path))
@clear_errors
def restore(path: Path) -> None:
    """Fill an empty database from a backup of either kind of database."""
    from triage import settings
    from triage.store import engine
    from triage.store.copying import BackupError
    from triage.store.copying import restore as fill

    found = settings.load()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # leave no open copy behind
    try:
        rows = fill(path, engine.open_engine(found.url), found.keys, found.home)
    except BackupError as error:
        raise Failure(str(error)) from None
    click.echo(f"Restored {rows} rows. `triage verify` checks them.")


@click.command()
@clear_errors
def verify() -> None:
    """Check the audit chain, the database and every model's digest."""
    faults = find_faults(open_product())
    for fault in faults:
        click.echo(fault, err=True)
    if faults:
        raise Failure(f"{len(faults)} faults found")
    click.echo("The audit chain, the database and the models are whole.")


def find_faults(product: Any) -> list[str]:
    """Return everything that is not as it was stored."""
    from triage import service
    from triage.store import audit, classifiers, copying
    from triage.ticket import ModelUnavailableError

    services = product.services
    faults = services.transactions.read(lambda conn: audit.faults(conn, services.key))
    faults += copying.faults(product.engine)
    faults += service.overdue(services, now())
    for row in services.transactions.read(classifiers.all_models):
        try:
            product.classifier.load(row.version)
        except ModelUnavailableError as error:
            faults.append(f"model {row.version}: {error}")
    return faults


@click.command()
@click.argument("count", type=click.IntRange(1, 5_000_000))
@click.option("--seed", "number", default=1, help="The same seed gives the same tickets.")
@clear_errors
def seed(count: int, number: int) -> None:
    """Fill the database with COUNT synthetic tickets, for demos and load tests."""
    from models.dataset import load_holdout
    from triage import seeding

    product = open_product()
    if product.settings.env == "production":
        raise Failure("synthetic tickets are refused in production")
    texts = [example.text for example in load_holdout()]
    seeding.seed(product.services, texts, count, number, now())
    click.echo(f"Added {count} synthetic tickets.")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@clear_errors
def doctor(as_json: bool) -> None:
    """Check settings, policy, database and model, and say what to do."""
    from triage.cli.checkup import check_all

    checks = check_all()
    if as_json:
        to_json({"checks": checks})
    for check in [] if as_json else checks:
        click.echo(f"{check['state']:15} {check['name']:10} {check['detail']}")
        if check["advice"]:
            click.echo(f"{'':15} {'':10} {check['advice']}")
    if any(check["state"] == "failing" for check in checks):
        raise click.exceptions.Exit(1)
