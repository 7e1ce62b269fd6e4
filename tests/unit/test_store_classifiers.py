"""Promises of the stored models: kept byte for byte, one of them live, and each rollback goes further back."""

from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from builders import NOON
from triage.store import classifiers
from triage.store.tables import PromotionRow

VERSIONS = ("v1", "v2", "v3", "v4")


def add(database, version="v1", blob=b"bytes", now=NOON, **card):
    with database.begin() as conn:
        classifiers.add(conn, version, blob, f"digest of {version}", card, "cli:tester", now)


def promote(database, *versions):
    with database.begin() as conn:
        for version in versions:
            classifiers.promote(conn, version, "lead@example.org", "better on the holdout", NOON)


def ask(database, question, *arguments):
    with database.connect() as conn:
        return question(conn, *arguments)


def roll_back(database):
    """Do what the product does for a rollback; returns the version that is live afterwards."""
    promote(database, ask(database, classifiers.version_before))
    return ask(database, classifiers.live_version)


@pytest.fixture
def models(sqlite):
    """SQLite with four models, none of them live."""
    for version in VERSIONS:
        add(sqlite, version)
    return sqlite


# --- storing --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "blob", [b"", b"\x00", bytes(range(256)) * 2000, b"\xff\xfe'; --"], ids=["empty", "zero", "large", "odd"]
)
def test_a_model_comes_back_byte_for_byte_with_its_digest(database, blob):
    add(database, blob=blob)
    assert ask(database, classifiers.blob_of, "v1") == (blob, "digest of v1")


@pytest.mark.parametrize("version", ["v2", "", "V1", "v1 ", "%"])
def test_there_are_no_bytes_of_an_unknown_model(sqlite, version):
    add(sqlite)
    assert ask(sqlite, classifiers.blob_of, version) is None


def test_a_version_is_never_overwritten(database):
    add(database, blob=b"first")
    with pytest.raises(IntegrityError):
        add(database, blob=b"second")
    assert ask(database, classifiers.blob_of, "v1")[0] == b"first"


def test_models_are_listed_newest_first_with_their_cards_and_without_their_bytes(database):
    add(database, "old", now=NOON)
    add(database, "new", now=NOON + timedelta(hours=1), rows=12, nested={"accuracy": 0.91})
    add(database, "mid", now=NOON + timedelta(minutes=1))
    listed = ask(database, classifiers.all_models)
    assert [row.version for row in listed] == ["new", "mid", "old"]
    assert (listed[0].card, listed[0].created_by) == ({"rows": 12, "nested": {"accuracy": 0.91}}, "cli:tester")
    assert listed[0].created_at == NOON + timedelta(hours=1)
    assert "blob" not in listed[0]._fields


def test_models_of_the_same_moment_have_a_steady_order(sqlite):
    for version in ("v2", "v3", "v1"):
        add(sqlite, version)
    assert [row.version for row in ask(sqlite, classifiers.all_models)] == ["v3", "v2", "v1"]


# --- which one is live ----------------------------------------------------------------


def test_a_stored_model_is_not_live_by_itself(models):
    assert ask(models, classifiers.live_version) is None
    assert ask(models, classifiers.version_before) is None


def test_the_model_promoted_last_is_live(database):
    for version in VERSIONS:
        add(database, version)
    seen = []
    for version in ("v2", "v1", "v3", "v1"):
        promote(database, version)
        seen.append(ask(database, classifiers.live_version))
    assert seen == ["v2", "v1", "v3", "v1"]


def test_a_promotion_keeps_who_when_and_why(sqlite):
    add(sqlite)
    promote(sqlite, "v1")
    (row,) = ask(sqlite, lambda conn: conn.execute(select(PromotionRow.__table__)).all())
    assert (row.version, row.actor, row.reason, row.at) == ("v1", "lead@example.org", "better on the holdout", NOON)


def test_an_unknown_model_cannot_become_live(database):
    add(database)
    promote(database, "v1")
    with pytest.raises(IntegrityError):
        promote(database, "v9")
    assert ask(database, classifiers.live_version) == "v1"


def test_a_promotion_that_is_not_committed_is_not_live(database):
    add(database)
    with database.connect() as conn:
        classifiers.promote(conn, "v1", "lead@example.org", "thought better of it", NOON)
        conn.rollback()
    assert ask(database, classifiers.live_version) is None


# --- going back -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("promoted", "before"),
    [
        ([], None),
        (["v1"], None),
        (["v1", "v2"], "v1"),
        (["v1", "v2", "v3"], "v2"),
        (["v1", "v2", "v1"], None),
        (["v1", "v2", "v3", "v2"], "v1"),
        (["v1", "v2", "v3", "v2", "v1"], None),
        (["v1", "v2", "v3", "v1"], None),
        (["v1", "v2", "v1", "v3"], "v1"),
        (["v1", "v2", "v1", "v2"], "v1"),
        (["v1", "v2", "v3", "v2", "v4"], "v2"),
        (["v1", "v2", "v3", "v2", "v4", "v2"], "v1"),
        (["v1", "v1"], None),
        (["v1", "v2", "v2"], "v1"),
    ],
    ids=lambda value: "-".join(value) or "none" if isinstance(value, list) else f"before is {value}",
)
def test_the_model_before_the_live_one_skips_what_was_rolled_back(models, promoted, before):
    promote(models, *promoted)
    assert ask(models, classifiers.version_before) == before


def test_rollbacks_go_back_one_by_one_to_the_first_model(database):
    for version in VERSIONS:
        add(database, version)
    promote(database, *VERSIONS)
    assert [roll_back(database) for _ in range(3)] == ["v3", "v2", "v1"]
    assert ask(database, classifiers.version_before) is None


def test_a_rollback_after_a_rollback_and_a_new_promotion_goes_to_what_was_live_then(models):
    promote(models, "v1", "v2", "v3")
    assert roll_back(models) == "v2"
    promote(models, "v4")
    assert [roll_back(models), roll_back(models)] == ["v2", "v1"]


def test_a_model_that_was_rolled_back_can_be_promoted_and_rolled_back_again(models):
    promote(models, "v1", "v2")
    assert roll_back(models) == "v1"
    promote(models, "v2")
    assert roll_back(models) == "v1"
