"""Owns backups: the whole database as one SQLite file, from and to either database; refuses partial and damaged ones.

One format for both databases, so that a backup of the small machine fills the
PostgreSQL that replaces it. The file ends in its own digest, so that a flipped bit
shows wherever it lies; with keys it is sealed as a whole.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import URL, Connection, Engine, Table, create_engine, func, insert, select, text
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError

from triage.seal import NO_KEYS, Keys, SealError, is_sealed, seal_file, unseal_file
from triage.store.engine import is_current, migrate, open_engine, schema_version
from triage.store.tables import Base

_CHUNK = 2000  # rows per statement
_OPEN = "open-backup-"  # folders of open copies, with the process they belong to
_MARK = b"\ntriage backup, sha256 "  # the end of a backup: this, and the digest of all before it
_END = len(_MARK) + 64


class BackupError(Exception):
    """A backup could not be made or used; the text says why."""


def backup(source: Engine, target: Path, keys: Keys = NO_KEYS, workplace: Path | None = None) -> int:
    """Write a consistent copy of a live database to a new file, sealed with `keys` if any; returns its number of rows.

    `workplace` is where the open copy lies until it is sealed, such as the data
    directory: the target may be a disk that must never see it.
    """
    partial = target.with_name(target.name + ".partial")
    try:
        if target.exists():
            raise BackupError(f"{target} exists already; a backup never overwrites")
        _new_file(partial)
        if keys:
            with _opened(workplace or target.parent) as open_copy:
                rows = _copy(source, open_copy, target)
                seal_file(open_copy, partial, keys)
        else:
            rows = _copy(source, partial, target)
        os.link(partial, target)  # unlike a rename, it never overwrites a file that came meanwhile
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"{target}: {error}") from None
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
    return rows


def _new_file(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


@contextmanager
def _opened(workplace: Path) -> Iterator[Path]:
    """Lend a place for an open copy that only its owner can read; what a killed process left there goes first."""
    workplace.mkdir(parents=True, exist_ok=True)
    for old in workplace.glob(f"{_OPEN}*"):
        pid = old.name.removeprefix(_OPEN).partition("-")[0]
        if not Path("/proc", pid).exists():
            shutil.rmtree(old, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=f"{_OPEN}{os.getpid()}-", dir=workplace) as folder:
        yield Path(folder) / "open.db"


def _copy(source: Engine, target: Path, called: Path) -> int:
    if source.dialect.name == "sqlite":
        _copy_sqlite(source, target)
    else:
        _copy_rows(source, target)
    rows = _check(target, called)
    stamp(target)
    return rows


def stamp(path: Path) -> None:
    """End a backup file in its digest, in place of the one it may have."""
    with path.open("rb+") as file:
        size = _content_size(file)
        file.truncate(size)
        digest = _digest(file, size)
        file.seek(size)
        file.write(_MARK + digest.encode())
        file.flush()
        os.fsync(file.fileno())


def _content_size(file: BinaryIO) -> int:
    """Return how many bytes come before the digest, or all when there is none."""
    whole = file.seek(0, os.SEEK_END)
    file.seek(max(0, whole - _END))
    return whole - _END if file.read(len(_MARK)) == _MARK else whole


def _digest(file: BinaryIO, size: int) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while size > 0 and (portion := file.read(min(size, 1 << 20))):
        digest.update(portion)
        size -= len(portion)
    return digest.hexdigest()


def _is_whole(path: Path) -> bool:
    with path.open("rb") as file:
        size = _content_size(file)
        digest = _digest(file, size)
        file.seek(size)
        return file.read() == _MARK + digest.encode()


def _copy_sqlite(source: Engine, target: Path) -> None:
    """Use SQLite's own online backup: writers go on meanwhile."""
    with source.connect() as conn, sqlite3.connect(target) as copy:
        driver: Any = conn.connection.driver_connection
        driver.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, with no log beside it
    copy.close()


def _copy_rows(source: Engine, target: Path) -> None:
    """Read every table in one snapshot."""
    copy = open_engine(_file_url(target))
    migrate(copy)
    with source.connect().execution_options(isolation_level="REPEATABLE READ") as conn, copy.begin() as out:
        for table in Base.metadata.sorted_tables:
            _pour(conn, out, table)
    copy.dispose()
    with closing(sqlite3.connect(target)) as conn:
        conn.execute("PRAGMA journal_mode=DELETE")


def restore(source: Path, target: Engine, keys: Keys = NO_KEYS, workplace: Path | None = None) -> int:
    """Fill an empty database from a backup, all or nothing; returns the number of rows.

    A sealed one is opened with `keys` in `workplace`, and what was opened is deleted again.
    """
    if not source.is_file():
        raise BackupError(f"{source}: there is no such file")
    try:
        if not is_sealed(source):
            return _restore(source, target, source)
        if not keys.identities:
            raise BackupError(f"{source} is encrypted: set TRIAGE_DATA_KEYS to a key that opens it")
        with _opened(workplace or source.parent) as open_copy:
            unseal_file(source, open_copy, keys)
            return _restore(open_copy, target, source)
    except SealError as error:
        raise BackupError(f"{source}: {error}") from None
    except OSError as error:
        raise BackupError(f"{source}: {error}") from None


def _restore(opened: Path, target: Engine, source: Path) -> int:
    """Fill the database from an open backup; `source` is what people call it."""
    rows = _check(opened, source)
    with target.connect() as conn:
        if schema_version(conn) is not None and not _is_empty(conn):
            raise BackupError("the database is not empty; restore into an empty home")
    copy = create_engine("sqlite://", creator=lambda: _read_only(opened))
    try:
        with copy.connect() as old:
            if not is_current(old):
                raise BackupError(f"{source} was made by another version: restore it with that one, then migrate")
        if not _is_whole(opened):
            raise BackupError(f"{source} is damaged: it is not what was written")
        migrate(target)
        with copy.connect() as old, target.begin() as out:
            for table in Base.metadata.sorted_tables:
                for chunk in _read_from(source, _chunks(old, table)):
                    out.execute(insert(table), chunk)
                _continue_ids(out, table)
    except (OperationalError, InterfaceError):  # the home cannot be written: no word about the backup
        raise
    except (SQLAlchemyError, ValueError) as error:  # rows that no home of this version would take
        raise BackupError(f"{source} is damaged: {type(error).__name__}") from None
    finally:
        copy.dispose()
    return rows


def _read_from(path: Path, chunks: Iterator[list[dict[str, Any]]]) -> Iterator[list[dict[str, Any]]]:
    """Yield chunks of a backup; a page that its own checks call whole may still hold nonsense."""
    try:
        yield from chunks
    except (SQLAlchemyError, ValueError) as error:
        raise BackupError(f"{path} is damaged: {type(error).__name__}") from None


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path.resolve().as_uri() + "?mode=ro", uri=True)


def _file_url(path: Path) -> str:
    """Return the address of a SQLite file, whatever characters its name has."""
    return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def _pour(source: Connection, target: Connection, table: Table) -> None:
    for chunk in _chunks(source, table):
        target.execute(insert(table), chunk)


def _chunks(conn: Connection, table: Table) -> Iterator[list[dict[str, Any]]]:
    rows = conn.execution_options(yield_per=_CHUNK).execute(select(table).order_by(*table.primary_key))
    for chunk in rows.mappings().partitions():
        yield [dict(row) for row in chunk]


def _continue_ids(conn: Connection, table: Table) -> None:
    """Let PostgreSQL's counters go on after the copied ids."""
    column = table.autoincrement_column
    if conn.dialect.name != "postgresql" or column is None or not column.autoincrement:
        return
    last = conn.execute(select(func.max(column))).scalar()
    sequence = conn.execute(select(func.pg_get_serial_sequence(table.name, column.name))).scalar()
    if last and sequence:
        conn.execute(text("SELECT setval(:name, :last)"), {"name": sequence, "last": last})


def _is_empty(conn: Connection) -> bool:
    return all(conn.execute(select(table).limit(1)).first() is None for table in Base.metadata.sorted_tables)


def _check(opened: Path, path: Path) -> int:
    """Return the rows of an open backup, or refuse it by what people call it when it is damaged or something else."""
    try:
        conn = _read_only(opened)
        found = conn.execute("PRAGMA integrity_check").fetchone()[0]
        if found != "ok":
            raise BackupError(f"{path} is damaged: {found.splitlines()[0]}")
        names = [table.name for table in Base.metadata.sorted_tables]
        # The names are our own tables', not input.
        return sum(conn.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names)  # noqa: S608 - see above
    except UnicodeDecodeError:  # SQLite names what is damaged in the damaged bytes themselves
        raise BackupError(f"{path} is damaged: its tables cannot be read") from None
    except sqlite3.Error as error:
        raise BackupError(f"{path} is no backup: {error}") from None


def faults(engine: Engine) -> list[str]:
    """Return what the database itself finds wrong with its files."""
    if engine.dialect.name != "sqlite":
        return []
    with engine.connect() as conn:
        found = conn.exec_driver_sql("PRAGMA integrity_check").scalars().all()
        broken = conn.exec_driver_sql("PRAGMA foreign_key_check").all()
    return [f"database: {line}" for line in found if line != "ok"] + [f"database: foreign key {row}" for row in broken]
