"""What several stories need: the web's stand-in for a wired product, and looks at everything that is stored."""

from dataclasses import dataclass
from typing import Any

from triage import service
from triage.store import audit
from triage.store.tables import Base


@dataclass(frozen=True)
class StandIn:
    """What the web needs of the product, wired from the tests' services."""

    services: Any
    settings: Any
    classifier: Any = None
    engine: Any = None


def everything_in(database):
    """Every column of every table as text."""
    with database.connect() as conn:
        return " ".join(str(tuple(row)) for t in Base.metadata.sorted_tables for row in conn.execute(t.select()))


def rows_of(database, table):
    """Every row of one table."""
    with database.connect() as conn:
        return conn.execute(table.__table__.select()).all()


def audited(services, ref):
    """Actor, action and data of every audit row about something."""
    rows = services.transactions.read(lambda conn: audit.about(conn, ref))
    return [(row.actor, row.action, row.data) for row in rows]


def deliver_all(services, clock):
    """Tell everyone what waits to be told."""
    while service.deliver(services, "w1", clock):
        pass
