"""Owns the one statement that SQLite and PostgreSQL spell through different constructs; refuses all else."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from triage.store.tables import Base


def insert_new(conn: Connection, table: type[Base], unique: list[str]) -> Any:
    """Return an INSERT that leaves an existing row with the same `unique` columns alone."""
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    return dialect.insert(table).on_conflict_do_nothing(index_elements=unique)


def upsert(
    conn: Connection, table: type[Base], unique: list[str], row: dict[str, Any], keep: tuple[str, ...] = ()
) -> Any:
    """Return an INSERT of `row` that overwrites an existing row with the same `unique` columns, all but `keep`."""
    dialect = postgresql if conn.dialect.name == "postgresql" else sqlite
    rest = {name: value for name, value in row.items() if name not in unique and name not in keep}
    return dialect.insert(table).values(**row).on_conflict_do_update(index_elements=unique, set_=rest)
