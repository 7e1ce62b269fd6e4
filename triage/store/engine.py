"""Owns the connection to SQLite or PostgreSQL and the migrations; refuses transactions (see `triage.commit`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.pool import StaticPool

BUSY_TIMEOUT_MS = 5_000  # a writer waits so long for another process before it gives up
MIGRATIONS = Path(__file__).with_name("migrations")


class SchemaError(Exception):
    """The database's schema is not this version's: too old, too new, or not ours."""


def open_engine(url: str) -> Engine:
    """Return an engine; on SQLite with WAL, synchronous=FULL and foreign keys on.

    FULL, because an acknowledged ticket must survive a power cut and WAL with
    NORMAL may lose the last commits then.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() not in ("sqlite", "postgresql"):
        raise SchemaError(f"TRIAGE_DATABASE_URL: {parsed.get_backend_name()} is neither sqlite nor postgresql")
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True, pool_size=8, max_overflow=16)
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000}}
    if parsed.database in (None, "", ":memory:"):
        options["poolclass"] = StaticPool
    else:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        options |= {"pool_size": 8, "max_overflow": 32}
    engine = create_engine(parsed, **options)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin by itself: _begin_sqlite does
    # secure_delete: what is purged must not lie about in free pages of the file.
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    """Take the write lock at once where the caller means to write, so that it never fails half-way."""
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the schema to `revision`; refuses a database written by a newer version."""
    with engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
        if (found := schema_version(connection)) and found not in _known(connection):
            raise SchemaError(f"the database has schema {found}, which this version does not know: upgrade first")
        if found is None and (strange := set(inspect(connection).get_table_names()) - {"alembic_version"}):
            raise SchemaError(f"the database holds tables of something else, such as {min(strange)!r}")
        command.upgrade(_config(connection), revision)


# Whether a role could alter audit rows: by a right of its own or of a group, or as the tables' owner.
_MIGHTY = """
SELECT has_table_privilege(:role, 'audit', 'UPDATE') OR has_table_privilege(:role, 'audit', 'DELETE')
    OR has_table_privilege(:role, 'audit', 'TRUNCATE') OR pg_has_role(:role, tableowner, 'member')
FROM pg_tables WHERE tablename = 'audit' AND schemaname = current_schema()
"""


def grant(engine: Engine, role: str) -> None:
    """Give a PostgreSQL role what web and workers need, and not the audit's UPDATE and DELETE.

    To be run as the tables' owner. Raises SchemaError, with nothing granted, where that cannot hold.
    """
    if engine.dialect.name != "postgresql":
        raise SchemaError("SQLite knows no roles: there the file's own permissions and `triage verify` guard the audit")
    name = engine.dialect.identifier_preparer.quote_identifier(role)
    with engine.begin() as connection:
        if connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}).first() is None:
            raise SchemaError(f"there is no role {role!r}: CREATE ROLE {name} LOGIN PASSWORD '...' first")
        for statement in (
            f"GRANT USAGE ON SCHEMA public TO {name}",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {name}",
            f"GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {name}",
            f"REVOKE UPDATE, DELETE, TRUNCATE ON audit FROM {name}",
            f"REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON alembic_version FROM {name}",
        ):
            connection.exec_driver_sql(statement)
        if connection.execute(text(_MIGHTY), {"role": role}).scalar():
            raise SchemaError(f"{role!r} is the owner, a superuser or in a mighty group: it could alter the audit")


def may_change_audit(connection: Connection) -> bool:
    """Tell whether this PostgreSQL role could alter the audit behind the product's back."""
    if connection.dialect.name != "postgresql":
        return False
    role = connection.execute(text("SELECT current_user")).scalar()
    return bool(connection.execute(text(_MIGHTY), {"role": role}).scalar())


def downgrade(engine: Engine, revision: str) -> None:
    """Take the schema back to `revision`."""
    with engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
        command.downgrade(_config(connection), revision)


def schema_version(connection: Connection) -> str | None:
    """Return the schema the database has, or None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def is_current(connection: Connection) -> bool:
    """Tell whether the database has exactly this version's schema."""
    return schema_version(connection) == ScriptDirectory.from_config(_config(connection)).get_current_head()


def _known(connection: Connection) -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(_config(connection)).walk_revisions()}
