"""What the masker hid in a ticket is nowhere else: not in a table, file, notice, log, answer, backup or model."""

import io
import json
from contextlib import redirect_stderr
from dataclasses import replace

import pytest
import structlog
from sqlalchemy import select

from builders import NOON, a_message, a_prediction
from models.dataset import load_shipped
from models.learning import reviewed
from models.registry import pack
from models.train import train
from parts import StandIn
from triage import service, settings
from triage.console import ConsoleNotifier
from triage.store import classifiers, people, tickets
from triage.store.copying import backup
from triage.store.tables import Base
from web.app import create_app

# Invented names and numbers that stand in no other text of the project.
MARKERS = [
    ("Zorbentia", "Quillfeather", "70418829"),
    ("Ambrosine", "Tuckfield-Vance", "81530927"),
    ("Ludomira", "Haverglen", "92641035"),
    ("Oswaldina", "Pemberlow", "60352148"),
    ("Ysaline", "Courtebroche", "53460271"),
]
TEXTS = (
    "wristband for {0} {1} MRN {2} prints blank on 4W",
    "label printer: patient {1}, {0}, chart {2}, wrong date on every label",
    "le dossier de Mme {0} {1} (dossier {2}) ouvre un autre patient",
    "wrong chart opened: {1}^{0} MRN: {2}, and phishing mail in the same minute",
)


def everything_stored(database):
    with database.connect() as conn:
        for table in Base.metadata.sorted_tables:
            for row in conn.execute(select(table)).mappings():
                for name, value in row.items():
                    text = value.decode("latin-1") if isinstance(value, bytes) else json.dumps(value, default=str)
                    yield f"{table.name}.{name}", text


@pytest.fixture
def printed():
    return io.StringIO()


def test_a_marker_that_was_hidden_is_nowhere(services, database, classifier, printed, tmp_path):
    classifier.on("phishing", a_prediction("printer", security=True, p_security=0.9))
    services = replace(services, notifier=ConsoleNotifier(printed))
    services.transactions.write(
        lambda conn: people.put_token(conn, "sweep", "secret", ["tickets:read", "tickets:write"], NOON)
    )
    client = create_app(StandIn(services, settings.load())).test_client()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(printed))
    filed = []
    answers = io.StringIO()
    with redirect_stderr(printed):
        for number in range(20):
            marker = MARKERS[number % len(MARKERS)]
            text = TEXTS[number % len(TEXTS)].format(*marker)
            if number % 2:
                one = a_message(text, external_id=f"m-{number}", unit=f"bed of {marker[1]}", device="LP-12")
                service.receive(services, one, NOON)
            else:
                body = {"text": text, "requester": "nurse.sample@example.org", "external_id": f"a-{number}"}
                answers.write(
                    client.post("/api/v1/tickets", json=body, headers={"Authorization": "Bearer secret"}).text
                )
            filed.append(marker)
        for page in ("/api/v1/tickets?limit=100", "/api/v1/tickets/IT-1", "/metrics"):
            answers.write(client.get(page, headers={"Authorization": "Bearer secret"}).text)
        while service.deliver(services, "w1", lambda: NOON):
            pass
        for number in range(1, 11):
            service.correct(services, f"IT-{number}", "printer", "agent@example.org", NOON)
        model = train(
            [*load_shipped(services.policy.categories)[::40], *reviewed(services)], None, lambda *_: None, ""
        ).model
        blob, digest = pack(model, services.key)
        services.transactions.write(lambda conn: classifiers.add(conn, "v1", blob, digest, {}, "cli:tester", NOON))
        service.who_saw(services, "IT-1")
        backup(database, tmp_path / "b.db")
    structlog.reset_defaults()
    masked = {
        row.id: row.text
        for row in services.transactions.read(lambda conn: conn.execute(select(tickets.TicketRow.__table__)).all())
    }
    assert len(masked) == 20
    hidden = {word for marker in filed for word in marker if not any(word in text for text in masked.values())}
    assert len(hidden) >= 12, "the masker must find most of these easy ones, or this test shows nothing"
    places = {
        **{f"{place} {n}": text for n, (place, text) in enumerate(everything_stored(database))},
        "notices and logs": printed.getvalue(),
        "answers": answers.getvalue(),
        "backup": (tmp_path / "b.db").read_bytes().decode("latin-1"),
        "the model's words": " ".join(model.words.index),
        "the model's letters": " ".join(model.chars.index),
        **{path.name: path.read_bytes().decode("latin-1") for path in tmp_path.glob("test.db*")},
    }
    assert {(word, place) for place, text in places.items() for word in hidden if word.lower() in text.lower()} == set()
    assert "IT-1" in printed.getvalue()
    assert "masked" in places["the model's words"]
