"""Commands that run servers: up, web, worker, bot."""

from __future__ import annotations

import secrets
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from triage.cli.common import Failure, actor, clear_errors, now, open_product

WEB_THREADS = 16
ADMIN = "admin@example.org"


@click.command()
@clear_errors
def up() -> None:
    """Start everything in one process: database, first model, demo, web, worker, and the Slack bot with its tokens."""
    product = _with_slack(open_product())
    _first_model(product)
    if product.settings.env == "development":
        _demo(product)
    worker = _worker(product)
    thread = threading.Thread(target=worker.run, name="worker", daemon=True)
    thread.start()
    line = _slack_line(product) if product.settings.slack_app_token.get_secret_value() else None
    try:
        _serve(product)
    finally:
        if line:
            line.stop()
        worker.stop()
        thread.join(timeout=10)


@click.command()
@clear_errors
def web() -> None:
    """Start the web server alone; it serves /slack/events too, where Slack has no app token."""
    _serve(_with_slack(open_product()))


@click.command()
@clear_errors
def bot() -> None:
    """Start the Slack bot alone, in Socket Mode."""
    product = _with_slack(open_product())
    if not product.settings.slack_bot_token.get_secret_value():
        raise Failure("SLACK_BOT_TOKEN is not set: install the app in Slack and copy its bot token (xoxb-...)")
    if not product.settings.slack_app_token.get_secret_value():
        raise Failure("SLACK_APP_TOKEN is not set: without it Slack calls /slack/events of `triage web`")
    line = _slack_line(product)
    click.echo("The bot listens in Socket Mode.  (Ctrl+C stops)")
    _until_told_to_stop()
    line.stop()


@click.command()
@clear_errors
def worker() -> None:
    """Start the worker alone: deliveries and schedules."""
    running = _worker(_with_slack(open_product()))
    thread = threading.Thread(target=running.run, name="worker")
    thread.start()
    _until_told_to_stop()
    running.stop()
    thread.join()


def _until_told_to_stop() -> None:
    """Wait for SIGTERM or Ctrl+C.

    The handler only notes it: it may interrupt this thread inside a lock, and a signal that
    another thread received wakes nobody who sleeps without end.
    """
    told = []
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda number, _: told.append(number))
    while not told:
        time.sleep(0.2)


def _with_slack(product: Any) -> Any:
    """Return the product that tells people through Slack, where there is a bot token."""
    if not product.settings.slack_bot_token.get_secret_value():
        return product
    from bot.app import notifier

    services = product.services
    told = replace(services, notifier=notifier(product.settings, services.transactions, services.policy))
    return replace(product, services=told)


def _slack_app(product: Any) -> tuple[Any, Any]:
    """Return Bolt's application and the desk that its listeners work at."""
    from concurrent.futures import ThreadPoolExecutor

    from bot import app
    from bot.desk import Desk
    from bot.directory import Directory

    settings = product.settings
    desk = Desk(product.services, Directory(app.web_client(settings)), now, app.app_id(settings))
    try:
        return app.build(settings, desk, ThreadPoolExecutor(app.WORKERS, "slack")), desk
    except app.SlackRefusedError as error:
        raise Failure(f"Slack refuses SLACK_BOT_TOKEN: {error}") from None


def _slack_line(product: Any) -> Any:
    from bot.app import Line

    app, desk = _slack_app(product)
    line = Line(app, product.settings.slack_app_token.get_secret_value(), desk)
    line.start()
    return line


def _with_slack_events(product: Any, web: Any) -> Any:
    """Return the WSGI application that also takes what Slack sends by HTTP."""
    settings = product.settings
    if not settings.slack_bot_token.get_secret_value() or settings.slack_app_token.get_secret_value():
        return web
    if not settings.slack_signing_secret.get_secret_value():
        raise Failure("SLACK_SIGNING_SECRET is needed in HTTP mode (or set SLACK_APP_TOKEN for Socket Mode)")
    from bot.app import PATH, wsgi
    from bot.catchup import CatchUp

    app, desk = _slack_app(product)
    slack = wsgi(app)
    CatchUp(desk, app.client, lambda: True).start()

    def both(environ: Any, start_response: Any) -> Any:
        return (slack if environ.get("PATH_INFO") == PATH else web)(environ, start_response)

    return both


def _worker(product: Any) -> Any:
    from triage.worker import Worker

    return Worker(product.services, now)


def _serve(product: Any) -> None:
    from waitress.server import create_server

    from web.app import create_app

    settings = product.settings
    try:
        application = _with_slack_events(product, create_app(product))
        server = create_server(application, host=settings.host, port=settings.port, threads=WEB_THREADS)
    except OSError as error:
        raise Failure(f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}") from None
    signal.signal(signal.SIGTERM, lambda *_: _interrupt())
    click.echo(f"Listening on http://{settings.host}:{settings.port}/  (Ctrl+C stops)")
    try:
        server.run()
    except KeyboardInterrupt:
        click.echo("Stopping.")
    finally:
        server.close()


def _interrupt() -> None:
    raise KeyboardInterrupt


def _first_model(product: Any) -> None:
    from triage.cli.learning import train_and_store
    from triage.store import classifiers

    if product.services.transactions.read(classifiers.live_version) is not None:
        return
    click.echo("There is no model yet. Training the first one takes about a minute ...")
    version, card = train_and_store(
        product, [], None, live=True, step=lambda name, done, of: click.echo(f"  {name} ({done}/{of})")
    )
    click.echo(
        f"Model {version} is live: macro-F1 {card['holdout']['macro_f1']:.2f} on texts by authors it has not seen."
    )


def _demo(product: Any) -> None:
    """Fill an empty database with a few tickets, and make someone who can sign in."""
    from werkzeug.security import generate_password_hash

    from triage import demo, service
    from triage.store import people, tickets

    services = product.services
    page = services.transactions.read(lambda conn: tickets.page(conn, filters={}, see_restricted=True, limit=1))
    if not page.rows:
        for message in demo.MESSAGES:
            service.receive(services, message, now())
        click.echo(f"Filed {len(demo.MESSAGES)} demo tickets.")
    if not services.transactions.read(people.has_users):
        password = secrets.token_urlsafe(9)
        hashed = generate_password_hash(password)
        services.transactions.write(lambda conn: people.put_user(conn, ADMIN, "admin", hashed, now()))
        _remember(product.settings.home / "first-sign-in.txt", f"{ADMIN} {password}\n")
        click.echo(
            f"Sign in as {ADMIN} with the password {password}  (also in {product.settings.home}/first-sign-in.txt)"
        )
    else:
        click.echo(f"Sign in with your account, or add one: triage user add EMAIL --role admin  (by {actor()})")


def _remember(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
