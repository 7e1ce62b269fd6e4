"""Promises of accounts, tokens and switches: one row per name, no secret stored, and nothing inactive is found."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from builders import NOON
from triage.store import people, sessions
from triage.store.tables import SwitchRow, TokenRow, UserRow

ALICE = "alice.sample@example.org"
HASH = "scrypt:made-up"
SECRET = "a made-up token"
LATER = NOON + timedelta(days=3)


def put_user(database, email=ALICE, role="agent", password_hash=HASH, now=NOON):
    with database.begin() as conn:
        people.put_user(conn, email, role, password_hash, now)


def put_token(database, name="monitoring", secret=SECRET, scopes=("tickets:read",), now=NOON):
    with database.begin() as conn:
        people.put_token(conn, name, secret, scopes, now)


def set_switch(database, on, name=people.AUTOMATION, actor=ALICE, now=NOON):
    with database.begin() as conn:
        people.set_switch(conn, name, actor, now, on=on)


def call(database, change, *arguments):
    with database.begin() as conn:
        return change(conn, *arguments)


def ask(database, question, *arguments, **more):
    with database.connect() as conn:
        return question(conn, *arguments, **more)


def rows(database, table):
    return ask(database, lambda conn: conn.execute(select(table.__table__)).all())


def deactivate(database, table):
    with database.begin() as conn:
        conn.execute(update(table).values(active=False))


# --- accounts -------------------------------------------------------------------------


def test_an_account_is_found_by_its_address(database):
    put_user(database)
    put_user(database, "bob.sample@example.org", role="lead")
    found = ask(database, people.user, ALICE)
    assert (found.email, found.role, found.password_hash) == (ALICE, "agent", HASH)
    assert (found.active, found.created_at) == (True, NOON)


@pytest.mark.parametrize(
    "email",
    [
        "",
        "bob.sample@example.org",
        "ALICE.sample@example.org",
        f"{ALICE} ",
        "%",
        "alice%",
        "' OR '1'='1",
        "nobody\x00@example.org",
    ],
    ids=["empty", "another", "capitals", "space", "wildcard", "start", "SQL", "a zero byte"],
)
def test_any_other_address_is_nobody(database, email):
    put_user(database)
    assert ask(database, people.user, email) is None


def test_an_account_added_again_has_the_new_role_and_password(database):
    put_user(database, role="admin", password_hash="scrypt:old")
    put_user(database, role="viewer", password_hash="scrypt:new")
    (row,) = rows(database, UserRow)
    assert (row.role, row.password_hash) == ("viewer", "scrypt:new")


def test_a_new_password_does_not_make_an_account_younger(sqlite):
    put_user(sqlite, now=NOON)
    put_user(sqlite, now=LATER)
    assert ask(sqlite, people.user, ALICE).created_at == NOON


def test_an_account_added_again_leaves_the_others_alone(sqlite):
    put_user(sqlite)
    put_user(sqlite, "bob.sample@example.org", role="lead")
    put_user(sqlite, role="admin")
    assert ask(sqlite, people.user, "bob.sample@example.org").role == "lead"


def test_an_inactive_account_is_nobody(database):
    put_user(database)
    deactivate(database, UserRow)
    assert ask(database, people.user, ALICE) is None


def test_an_inactive_account_added_again_is_active(sqlite):
    put_user(sqlite)
    deactivate(sqlite, UserRow)
    put_user(sqlite)
    assert ask(sqlite, people.user, ALICE) is not None


def test_somebody_can_sign_in_once_there_is_an_account(database):
    assert ask(database, people.has_users) is False
    put_user(database)
    assert ask(database, people.has_users) is True


# --- tokens ---------------------------------------------------------------------------


def test_a_token_is_found_by_its_secret(database):
    put_token(database, scopes=("tickets:read", "tickets:write"))
    put_token(database, "other", "another token")
    found = ask(database, people.token, SECRET)
    assert (found.name, found.scopes, found.created_at) == ("monitoring", ["tickets:read", "tickets:write"], NOON)


@pytest.mark.parametrize(
    "secret",
    ["", "monitoring", "A made-up token", "a made-up token ", "%", "a made-up token\x00", "l\u2019\u00e9cran"],
    ids=["empty", "its name", "capitals", "space", "wildcard", "a zero byte", "accents"],
)
def test_any_other_secret_opens_nothing(database, secret):
    put_token(database)
    assert ask(database, people.token, secret) is None


def test_the_stored_digest_opens_nothing(sqlite):
    put_token(sqlite)
    (row,) = rows(sqlite, TokenRow)
    assert ask(sqlite, people.token, row.digest) is None


def test_a_tokens_secret_is_stored_nowhere(database):
    put_token(database)
    (row,) = rows(database, TokenRow)
    assert SECRET not in str(tuple(row))


def test_a_token_of_the_same_name_replaces_secret_and_scopes(database):
    put_token(database, secret="the first", scopes=("tickets:read", "security:read"))
    put_token(database, secret="the second", scopes=("tickets:read",))
    assert ask(database, people.token, "the first") is None
    assert ask(database, people.token, "the second").scopes == ["tickets:read"]
    assert len(rows(database, TokenRow)) == 1


def test_one_secret_cannot_belong_to_two_names(database):
    put_token(database, "monitoring", SECRET)
    with pytest.raises(IntegrityError):
        put_token(database, "other", SECRET)
    assert ask(database, people.token, SECRET).name == "monitoring"


def test_an_inactive_token_opens_nothing(database):
    put_token(database)
    deactivate(database, TokenRow)
    assert ask(database, people.token, SECRET) is None


def test_a_token_without_scopes_has_none(sqlite):
    put_token(sqlite, scopes=())
    assert ask(sqlite, people.token, SECRET).scopes == []


# --- switches -------------------------------------------------------------------------


@pytest.mark.parametrize("default", [True, False])
def test_a_switch_nobody_turned_stands_at_its_default(database, default):
    assert ask(database, people.switch, people.AUTOMATION, default=default) is default


@pytest.mark.parametrize("default", [True, False], ids=["default on", "default off"])
@pytest.mark.parametrize("on", [True, False], ids=["turned on", "turned off"])
def test_a_turned_switch_stands_where_it_was_turned_whatever_its_default(database, on, default):
    set_switch(database, on)
    assert ask(database, people.switch, people.AUTOMATION, default=default) is on


def test_a_switch_remembers_who_turned_it_last_and_when(sqlite):
    set_switch(sqlite, on=False)
    set_switch(sqlite, on=True, actor="bob.sample@example.org", now=LATER)
    (row,) = rows(sqlite, SwitchRow)
    assert (row.on, row.actor, row.at) == (True, "bob.sample@example.org", LATER)


def test_switches_are_turned_one_at_a_time(sqlite):
    set_switch(sqlite, on=False)
    set_switch(sqlite, on=True, name="another")
    assert ask(sqlite, people.switch, people.AUTOMATION, default=True) is False


def test_a_switch_turned_in_a_transaction_that_fails_was_never_turned(database):
    with database.connect() as conn:
        people.set_switch(conn, people.AUTOMATION, ALICE, NOON, on=False)
        conn.rollback()
    assert ask(database, people.switch, people.AUTOMATION, default=True) is True


# --- sessions -------------------------------------------------------------------------


def test_a_session_opens_by_its_secret_until_it_ends(database):
    call(database, sessions.begin, "s3cret", "alice@example.org", NOON)
    assert call(database, sessions.owner, "s3cret", NOON) == "alice@example.org"
    assert call(database, sessions.owner, "guess", NOON) is None
    call(database, sessions.end, "s3cret")
    assert call(database, sessions.owner, "s3cret", NOON) is None


def test_a_session_opens_nothing_after_its_longest_time_and_is_forgotten(database):
    call(database, sessions.begin, "s3cret", "alice@example.org", NOON)
    late = NOON + sessions.LONGEST
    assert call(database, sessions.owner, "s3cret", late) is None
    call(database, sessions.forget_old, late)
    assert call(database, sessions.end_all, "alice@example.org") == 0


def test_every_session_of_one_person_ends_and_of_nobody_else(database):
    for secret, email in (("a", "alice@example.org"), ("b", "alice@example.org"), ("c", "bob@example.org")):
        call(database, sessions.begin, secret, email, NOON)
    assert call(database, sessions.end_all, "alice@example.org") == 2
    assert call(database, sessions.owner, "c", NOON) == "bob@example.org"


def test_a_new_password_ends_the_sessions_and_a_new_role_does_not(database):
    call(database, people.put_user, "alice@example.org", "agent", "hash 1", NOON)
    call(database, sessions.begin, "s3cret", "alice@example.org", NOON)
    call(database, people.put_user, "alice@example.org", "lead", "hash 1", NOON)
    assert call(database, sessions.owner, "s3cret", NOON)
    call(database, people.put_user, "alice@example.org", "lead", "hash 2", NOON)
    assert call(database, sessions.owner, "s3cret", NOON) is None
