"""Owns the wiring: the only file that names concrete parts; refuses to do any work itself."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from models.classifier import LiveClassifier
from triage import knowledge, policy
from triage.commit import Transactions
from triage.console import ConsoleNotifier
from triage.service import Services
from triage.settings import Settings, SettingsError
from triage.store import classifiers, engine


@dataclass(frozen=True)
class Product:
    """The services and the parts that only an operator's command needs."""

    services: Services
    settings: Settings
    engine: Engine
    classifier: LiveClassifier


def build(settings: Settings) -> Product:
    """Connect everything. An empty database gets its tables; an older or newer one is refused.

    Raises SchemaError, PolicyError or ArticleError in words an operator can act on.
    """
    rules = policy.load(settings.policy)
    if rules.privacy.original_days and not settings.keys:
        raise SettingsError(
            "TRIAGE_DATA_KEYS: is needed, because the policy keeps originals (`triage key new` makes one)"
        )
    database = engine.open_engine(settings.url)
    _ready(database)
    transactions = Transactions(database)

    def fetch(version: str) -> tuple[bytes, str] | None:
        return transactions.read(lambda conn: classifiers.blob_of(conn, version))

    classifier = LiveClassifier(lambda: transactions.read(classifiers.live_version), fetch, settings.key)
    services = Services(
        transactions=transactions,
        policy=rules,
        knowledge=knowledge.load(),
        classifier=classifier,
        notifier=ConsoleNotifier(),
        key=settings.key,
        keys=settings.keys,
    )
    return Product(services, settings, database, classifier)


def _ready(database: Engine) -> None:
    with database.connect() as conn:
        version, current = engine.schema_version(conn), engine.is_current(conn)
    if version is None:
        engine.migrate(database)
    elif not current:
        raise engine.SchemaError("the database has another version's tables: run `triage init`")
