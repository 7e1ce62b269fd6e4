"""What the commands share: opening the product, errors in one sentence, JSON and tables; refuses business."""

from __future__ import annotations

import functools
import getpass
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn, TypeVar

import click
import structlog

F = TypeVar("F", bound=Callable[..., Any])


class Failure(click.ClickException):
    """The thing asked for failed: exit code 1."""

    exit_code = 1


class BadInput(click.ClickException):
    """Wrong usage or bad input: exit code 2, one sentence naming file, line and field."""

    exit_code = 2


def now() -> datetime:
    """Return the time; the commands are where the clock enters."""
    return datetime.now(UTC)


def actor() -> str:
    """Return who runs the command, for the audit."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):
        return "cli"


def to_json(document: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(document, ensure_ascii=False))


def read_line() -> str:
    """Return the next line of stdin. Raises BadInput for what is no UTF-8."""
    try:
        return sys.stdin.buffer.readline().decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        raise BadInput("stdin: is not UTF-8") from None


def set_up_logs() -> None:
    """Send logs to stderr as one line each, with control characters escaped."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(20),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def clear_errors(command: F) -> F:
    """Turn every foreseen error into one sentence and the contract's exit code."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        set_up_logs()
        try:
            return command(*args, **kwargs)
        except click.exceptions.Exit:
            raise
        except Exception as error:  # noqa: BLE001 - the last edge: unforeseen errors are raised again by _explain
            _explain(error)

    return run  # type: ignore[return-value]  # wraps keeps the signature


def _explain(error: Exception) -> NoReturn:
    from alembic.util.exc import CommandError
    from sqlalchemy.exc import SQLAlchemyError

    from models.dataset import DatasetError
    from triage.commit import StoreUnavailableError
    from triage.knowledge import ArticleError
    from triage.policy import PolicyError
    from triage.seal import SealError
    from triage.service import BadMessageError, ConflictError, NotFoundError
    from triage.settings import SettingsError
    from triage.store.engine import SchemaError
    from triage.ticket import ModelUnavailableError

    if isinstance(error, PolicyError | SettingsError | ArticleError | DatasetError | BadMessageError):
        raise BadInput(str(error)) from None
    if isinstance(error, StoreUnavailableError):
        raise Failure(f"the database cannot be used: {error}") from None
    if isinstance(error, SchemaError | SealError | ModelUnavailableError | CommandError):
        raise Failure(str(error)) from None
    if isinstance(error, ConflictError | NotFoundError):
        raise Failure(str(error)) from None
    if isinstance(error, UnicodeEncodeError):
        raise BadInput("an argument is not valid UTF-8") from None
    if isinstance(error, OSError) and error.filename:
        raise Failure(f"{error.filename}: {error.strerror or error}") from None
    if isinstance(error, SQLAlchemyError):
        raise Failure(f"the database refused: {type(error).__name__}") from None
    raise error


def open_product() -> Any:
    """Return the wired product; imported late, because it costs most of a second."""
    from triage import bootstrap, settings

    return bootstrap.build(settings.load())
