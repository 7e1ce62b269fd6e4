"""What the processes that get killed are made of: the real store and service, a model that always answers."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from builders import POLICY
from fakes import FakeClassifier
from triage import knowledge, settings
from triage.commit import Transactions
from triage.service import Services
from triage.store import engine

KEY = b"a key for tests that is long enough"


@dataclass
class Product:
    """Stands in for the wired product where a trained model would only cost time."""

    services: Services
    settings: Any
    engine: Any
    classifier: Any


class Classifier(FakeClassifier):
    """Also answers the readiness page."""

    def live(self):
        return self


def build(home, notifier) -> Product:
    database = engine.open_engine(f"sqlite:///{Path(home) / 'triage.db'}")
    classifier = Classifier()
    services = Services(Transactions(database), POLICY, knowledge.load(), classifier, notifier, KEY)
    return Product(services, settings.load(), database, classifier)


def now():
    return datetime.now(UTC)
