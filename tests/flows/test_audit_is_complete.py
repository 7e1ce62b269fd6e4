"""Who did what and who saw what: one audit row each, which the web's own database role cannot take back."""

import getpass
import json
import uuid
from datetime import timedelta

import numpy as np
import pytest
import structlog
from click.testing import CliRunner
from sqlalchemy import select, text
from sqlalchemy.exc import ProgrammingError
from structlog.testing import capture_logs
from werkzeug.security import generate_password_hash

from builders import NOON, NOT_MINOR, a_message, a_prediction
from models.compiled import Compiled, View
from models.registry import pack
from parts import StandIn
from triage import service, settings
from triage.cli import cli
from triage.store import audit, classifiers, engine, people
from triage.store.engine import SchemaError
from triage.store.tables import AuditRow, Base
from web.app import create_app

SECRET = "a key for tests that is long enough"  # the one that the fixtures' services sign with
PASSWORD = "correct horse battery"
HASH = generate_password_hash(PASSWORD, "pbkdf2:sha256:1")  # a quick one: these tests are not about its strength
VIEWER = "viewer@example.org"
HERE = {"address": "127.0.0.1"}
ME = f"cli:{getpass.getuser()}"
PLAIN, DANGER = "the chart shows the wrong weight", "every copier prints the same black page"
POSTGRES = pytest.mark.parametrize(
    "database_url", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


class Browser:
    """One person's browser on a server of its own over the tests' services."""

    def __init__(self, services):
        services.transactions.write(lambda conn: people.put_user(conn, VIEWER, "viewer", HASH, NOON))
        self.client = create_app(StandIn(services, settings.load())).test_client()

    def _post(self, path, page, **form):
        """Post a form of a page, with the token that it holds."""
        token = self.client.get(page).get_data(as_text=True).partition('name="csrf_token" value="')[2].partition('"')[0]
        return self.client.post(path, data=form | {"csrf_token": token}).status_code

    def sign_in(self, email=VIEWER, password=PASSWORD):
        return self._post("/sign-in", "/sign-in", email=email, password=password)

    def sign_out(self):
        return self._post("/sign-out", "/", email="")

    def queue(self):
        return self.client.get("/").status_code


@pytest.fixture(autouse=True)
def _own_logs():
    """Each command sends its logs to the stderr of its run, which is closed when the run ends."""
    yield
    structlog.reset_defaults()


@pytest.fixture(autouse=True)
def _a_calm_model(classifier):
    """Everything but DANGER goes to a team, where no incident gathers the tickets."""
    classifier.says(a_prediction(NOT_MINOR))
    classifier.on("black page", a_prediction("printer", security=True, p_security=0.8))


def everything(services):
    return services.transactions.read(lambda conn: conn.execute(select(AuditRow.__table__).order_by(AuditRow.id)).all())


def left_by(services, act):
    """Do something and return the (actor, action, subject, data) of every audit row that it left."""
    before = len(everything(services))
    act()
    return [(row.actor, row.action, row.subject, row.data) for row in everything(services)[before:]]


def file(services, *texts):
    for number, words in enumerate(texts):
        service.receive(services, a_message(words, external_id=f"m-{number}"), NOON + timedelta(seconds=number))


# --- people at the web ----------------------------------------------------------------


def test_signing_in_and_out_are_one_row_each(services):
    browser = Browser(services)
    assert left_by(services, browser.sign_in) == [(VIEWER, "sign_in", VIEWER, HERE)]
    assert left_by(services, browser.sign_out) == [(VIEWER, "sign_out", VIEWER, HERE)]


def test_an_address_in_any_case_is_one_person_in_the_audit(services):
    found = left_by(services, lambda: Browser(services).sign_in(f"  {VIEWER.upper()} "))
    assert found == [(VIEWER, "sign_in", VIEWER, HERE)]


def test_signing_out_without_being_in_leaves_nothing(services):
    browser = Browser(services)
    assert left_by(services, lambda: browser._post("/sign-out", "/sign-in")) == []


def test_a_wrong_password_names_the_account_that_it_was_tried_on(services):
    found = left_by(services, lambda: Browser(services).sign_in(password="wrong horse battery"))
    assert found == [(VIEWER, "sign_in_failed", VIEWER, HERE)]


@pytest.mark.parametrize("typed", ["My-Secret-Passw0rd", "someone.else@example.org"])
def test_what_was_typed_as_an_address_that_nobody_has_is_written_nowhere(services, database, typed):
    """It may be the password, typed into the wrong field."""
    with capture_logs() as logged:
        found = left_by(services, lambda: Browser(services).sign_in(typed, "wrong horse battery"))
    assert found == [("unknown", "sign_in_failed", "unknown", HERE)]
    with database.connect() as conn:
        stored = [str(row) for table in Base.metadata.sorted_tables for row in conn.execute(select(table))]
    for word in (typed, "wrong horse battery"):
        assert word.lower() not in " ".join([*stored, str(logged)]).lower()


def test_a_look_at_the_queue_names_every_ticket_that_was_shown(services):
    file(services, PLAIN, f"{PLAIN} again", DANGER)
    browser = Browser(services)
    browser.sign_in()
    ((actor, action, subject, data),) = left_by(services, browser.queue)
    assert (actor, action, subject) == (VIEWER, "list_tickets", "tickets")
    assert sorted(data["refs"]) == ["IT-1", "IT-2"]  # the third is for the security team alone


def test_a_queue_of_one_ticket_has_it_as_its_subject(services):
    file(services, PLAIN)
    browser = Browser(services)
    browser.sign_in()
    assert left_by(services, browser.queue) == [(VIEWER, "list_tickets", "IT-1", {"refs": ["IT-1"]})]


def test_a_queue_that_shows_nothing_or_nobody_is_no_look(services):
    browser = Browser(services)
    file(services, DANGER)
    assert left_by(services, browser.queue) == []  # sent to the sign-in
    browser.sign_in()
    assert left_by(services, browser.queue) == []  # nothing that a viewer may see


# --- the API --------------------------------------------------------------------------


class Api:
    """A client with a token of its own."""

    def __init__(self, services, *scopes):
        self._client = create_app(StandIn(services, settings.load())).test_client()
        services.transactions.write(lambda conn: people.put_token(conn, "scanner", "a made-up token", scopes, NOON))

    def get(self, path, token=None):
        headers = {"Authorization": f"Bearer {token or 'a made-up token'}"}
        return self._client.get(f"/api/v1{path}", headers=headers).status_code


def test_a_list_by_token_names_every_ticket_and_the_filters_but_not_their_values(services):
    file(services, PLAIN, f"{PLAIN} again", DANGER)
    api = Api(services, "tickets:read")
    ((actor, action, subject, data),) = left_by(
        services, lambda: api.get("/tickets?unit=&requester=nurse.sample@example.org")
    )
    assert (actor, action, subject) == ("token:scanner", "list_tickets", "tickets")
    assert data == {"refs": ["IT-2", "IT-1"], "filters": ["requester", "unit"]}


def test_a_single_ticket_by_token_is_one_row_about_that_ticket(services):
    file(services, PLAIN)
    api = Api(services, "tickets:read")
    wanted = [("token:scanner", "view_ticket", "IT-1", {"refs": ["IT-1"]})]
    assert left_by(services, lambda: api.get("/tickets/IT-1")) == wanted
    assert left_by(services, lambda: api.get("/tickets/it-1")) == wanted


@pytest.mark.parametrize(
    ("path", "token", "code"),
    [
        ("/tickets/IT-2", None, 404),
        ("/tickets/IT-99", None, 404),
        ("/tickets/IT-1", "another token", 401),
        ("/tickets?colour=blue", None, 400),
        ("/tickets?status=closed", None, 200),
    ],
    ids=["a security ticket", "no ticket", "no token", "no filter", "an empty list"],
)
def test_a_request_that_shows_no_ticket_is_no_look(services, path, token, code):
    file(services, PLAIN, DANGER)
    api = Api(services, "tickets:read")
    answered = []
    assert left_by(services, lambda: answered.append(api.get(path, token))) == []
    assert answered == [code]


# --- people at work -------------------------------------------------------------------


def test_a_correction_is_one_row_that_says_what_it_was_and_is(services):
    file(services, PLAIN)
    found = left_by(services, lambda: service.correct(services, "IT-1", "printer", "agent@example.org", NOON))
    assert found == [("agent@example.org", "correct", "IT-1", {"was": NOT_MINOR, "label": "printer"})]


def test_a_mend_is_one_row_without_the_words(services):
    file(services, PLAIN)
    found = left_by(services, lambda: service.mend(services, "IT-1", "Weight", "NAME", "agent@example.org", NOON))
    assert found == [("agent@example.org", "mend", "IT-1", {"type": "NAME", "places": 1})]


def test_what_was_refused_leaves_no_row(services):
    file(services, PLAIN)

    def try_all():
        with pytest.raises(service.BadMessageError):
            service.correct(services, "IT-1", "no category", "agent@example.org", NOON)
        with pytest.raises(service.BadMessageError):
            service.mend(services, "IT-1", "not in it", "NAME", "agent@example.org", NOON)
        with pytest.raises(service.NotFoundError):
            service.promote(services, "v99", "lead@example.org", "better", NOON)

    assert left_by(services, try_all) == []


# --- the commands ---------------------------------------------------------------------


def run(*args, stdin=None, env=None):
    """Run a command in this process; whatever happens, it never ends in a traceback."""
    result = CliRunner().invoke(cli, [str(arg) for arg in args], input=stdin, env=env)
    assert isinstance(result.exception, SystemExit | None), repr(result.exception)
    assert "Traceback" not in result.stdout + result.stderr
    return result


def ok(*args, **more):
    result = run(*args, **more)
    assert result.exit_code == 0, result.stderr
    return result


def url_of(database):
    return database.url.render_as_string(hide_password=False)


def store_models(services):
    """Store two models that have learned nothing, and make the first one live."""
    view = View({}, np.zeros(0, np.float32), np.zeros((0, 2), np.float32))
    thresholds = {"with": {"route": 0.6}, "without": {"route": 0.6}}
    model = Compiled(("printer", "out_of_scope"), (), view, view, np.zeros(2), None, thresholds)
    blob, digest = pack(model, SECRET.encode())
    for version in ("v1", "v2"):
        services.transactions.write(
            lambda conn, v=version: classifiers.add(conn, v, blob, digest, {}, "cli:tester", NOON)
        )
    service.promote(services, "v1", "cli:tester", "the first", NOON)


@pytest.fixture
def commands(database, services, monkeypatch):
    """Services over the same database of each kind that commands work on: one ticket, two models."""
    monkeypatch.setenv("TRIAGE_DATABASE_URL", url_of(database))
    monkeypatch.setenv("TRIAGE_SECRET_KEY", SECRET)
    file(services, PLAIN)
    store_models(services)
    return services


NURSE = "nurse.sample@example.org"
READ = "tickets:read"
COMMANDS = {
    "user add": (["user", "add", NURSE, "--role", "agent"], "set_user", NURSE, {"role": "agent"}),
    "token add": (["token", "add", "scanner", "--scope", READ], "set_token", "scanner", {"scopes": [READ]}),
    "promote": (["promote", "v2", "--reason", "better"], "promote_model", "v2", {"was": "v1", "reason": "better"}),
    "mend": (["mend", "IT-1", "weight"], "mend", "IT-1", {"type": "NAME", "places": 1}),
    "backup": (["backup", "{folder}/b.db"], "backup", "database", {"encrypted": False}),
    "hold": (["hold", "IT-1", "--reason", "a claim came in"], "hold", "IT-1", {"reason": "a claim came in"}),
    "breach add": (["breach", "add", "IT-1"], "open_breach", "IT-1", {}),
    "access": (["access", "--ticket", "IT-1"], "export_access", "IT-1", {"rows": 1}),
}


@pytest.mark.parametrize(("args", "action", "subject", "data"), COMMANDS.values(), ids=COMMANDS.keys())
def test_a_command_is_one_row_by_the_person_who_ran_it(commands, tmp_path, args, action, subject, data):
    args = [arg.format(folder=tmp_path) for arg in args] + (["--password-stdin"] if args[0] == "user" else [])
    assert left_by(commands, lambda: ok(*args, stdin=PASSWORD)) == [(ME, action, subject, data)]


def test_a_rollback_is_one_row_that_says_from_what_to_what(commands):
    ok("promote", "v2", "--reason", "better")
    found = left_by(commands, lambda: ok("rollback", "--reason", "worse on printers"))
    assert found == [(ME, "rollback_model", "v1", {"was": "v2", "reason": "worse on printers"})]


def test_neither_a_password_nor_a_token_is_in_the_audit(commands):
    ok("user", "add", NURSE, "--role", "agent", "--password-stdin", stdin=PASSWORD)
    token = ok("token", "add", "scanner").stdout.strip()
    stored = json.dumps([list(row._mapping.values()) for row in everything(commands)], default=str)
    assert PASSWORD not in stored
    assert token not in stored


# --- the database role of web and workers ---------------------------------------------


@pytest.fixture
def new_role(database):
    """Make roles that can sign in to this PostgreSQL; they are gone after the test."""
    made = []

    def make(name=None):
        name = name or f"triage_{uuid.uuid4().hex}"
        with database.begin() as conn:
            conn.execute(text(f"CREATE ROLE {quoted(name)} LOGIN PASSWORD 'made-up'"))
        made.append(name)
        return name

    def quoted(name):
        return '"' + name.replace('"', '""') + '"'

    yield make
    for name in reversed(made):
        with database.begin() as conn:
            conn.execute(text(f"REASSIGN OWNED BY {quoted(name)} TO CURRENT_USER"))
            conn.execute(text(f"DROP OWNED BY {quoted(name)} CASCADE"))
            conn.execute(text(f"DROP ROLE {quoted(name)}"))


@pytest.fixture
def as_role(database):
    """Open this database as another role."""
    opened = []

    def connect(role):
        url = database.url.set(username=role, password="made-up")
        opened.append(engine.open_engine(url.render_as_string(hide_password=False)))
        return opened[-1]

    yield connect
    for one in opened:
        one.dispose()


@pytest.fixture
def app(database, new_role, as_role):
    """The database as the web's own role sees it, after `triage init --app-role`."""
    role = new_role()
    engine.grant(database, role)
    return as_role(role)


@POSTGRES
def test_the_role_of_the_web_can_do_all_of_the_web_and_the_workers(app, database, make_services, notifier):
    services = make_services(app)
    file(services, PLAIN, DANGER)
    service.correct(services, "IT-1", "printer", "agent@example.org", NOON)
    service.mend(services, "IT-1", "weight", "NAME", "agent@example.org", NOON)
    service.hold(services, "IT-1", "agent@example.org", "a claim came in", NOON, held=True)
    service.open_entry(services, "IT-1", "privacy@example.org", NOON)
    service.sweep(services, NOON + timedelta(days=800))
    while service.deliver(services, "worker-1", lambda: NOON + timedelta(days=801)):
        pass
    assert notifier.sent
    browser = Browser(services)
    assert (browser.sign_in(), browser.queue(), browser.sign_out()) == (302, 200, 302)
    with database.connect() as conn:
        assert audit.faults(conn, SECRET.encode()) == []


@POSTGRES
def test_the_server_itself_refuses_the_role_every_change_of_the_audit(app, make_services):
    services = make_services(app)
    file(services, PLAIN)
    before = everything(services)
    with app.begin() as conn:
        conn.execute(text("GRANT UPDATE, DELETE ON audit TO CURRENT_USER"))  # the server only warns: it has no effect
    for statement in (
        "UPDATE audit SET actor = 'somebody else'",
        "UPDATE audit SET hash = hash WHERE id = 1",
        "DELETE FROM audit WHERE id = 1",
        "TRUNCATE audit",
        "DROP TABLE audit",
        "ALTER TABLE audit RENAME TO audit_was",
        "DELETE FROM alembic_version",
    ):
        with app.connect() as conn, pytest.raises(ProgrammingError, match="InsufficientPrivilege"):
            conn.execute(text(statement))
    assert everything(services) == before


@POSTGRES
def test_granting_again_changes_nothing(app, database, make_services):
    engine.grant(database, app.url.username)
    file(make_services(app), PLAIN)
    with app.connect() as conn, pytest.raises(ProgrammingError, match="InsufficientPrivilege"):
        conn.execute(text("DELETE FROM audit"))


@POSTGRES
def test_a_role_may_have_any_name(database, new_role, as_role, make_services):
    for name in ('o"dd', "o'dd", 'x"; DROP TABLE audit; --', "100%s %(x)s", "caf\u00e9 \u6771", "SELECT"):
        role = new_role(f"{name} {uuid.uuid4().hex}")
        engine.grant(database, role)
        app = as_role(role)
        file(make_services(app), PLAIN)
        with app.connect() as conn, pytest.raises(ProgrammingError, match="InsufficientPrivilege"):
            conn.execute(text("DELETE FROM audit"))


@POSTGRES
def test_a_role_that_is_not_there_is_refused(database):
    for name in ("nobody_of_that_name", "public", 'x"; DROP TABLE audit; --', ""):
        with pytest.raises(SchemaError, match="there is no role"):
            engine.grant(database, name)
    with database.connect() as conn:
        assert conn.execute(text("SELECT count(*) FROM audit")).scalar() == 0


@POSTGRES
def test_a_superuser_is_refused(database):
    with pytest.raises(SchemaError, match="superuser"):
        engine.grant(database, database.url.username)


@pytest.fixture
def owner(database, new_role, as_role):
    """The database as a plain role that owns all its tables sees it."""
    role = new_role()
    with database.begin() as conn:
        conn.execute(text(f"ALTER SCHEMA public OWNER TO {role}"))
        for name in (*Base.metadata.tables, "alembic_version"):
            conn.execute(text(f"ALTER TABLE {name} OWNER TO {role}"))
    return as_role(role)


@POSTGRES
def test_the_owner_of_the_tables_and_who_may_become_it_are_refused(owner, database, new_role):
    member = new_role()
    with database.begin() as conn:
        conn.execute(text(f"GRANT {owner.url.username} TO {member}"))
    for role in (owner.url.username, member):
        with pytest.raises(SchemaError, match="the owner"):
            engine.grant(owner, role)


@POSTGRES
def test_an_owner_that_is_no_superuser_can_grant(owner, new_role, as_role, make_services):
    role = new_role()
    engine.grant(owner, role)
    app = as_role(role)
    file(make_services(app), PLAIN)
    with app.connect() as conn, pytest.raises(ProgrammingError, match="InsufficientPrivilege"):
        conn.execute(text("DELETE FROM audit"))


@POSTGRES
def test_the_owner_is_refused_when_a_superuser_grants_too(owner, database):
    with pytest.raises(SchemaError, match="the owner"):
        engine.grant(database, owner.url.username)


@POSTGRES
@pytest.mark.parametrize("way", ["a group of its own", "pg_write_all_data"])
def test_a_role_that_may_change_the_audit_by_way_of_another_is_refused(database, new_role, way):
    role, group = new_role(), new_role()
    with database.begin() as conn:
        conn.execute(text(f"GRANT UPDATE ON audit TO {group}"))
        conn.execute(text(f"GRANT {'pg_write_all_data' if way == 'pg_write_all_data' else group} TO {role}"))
    with pytest.raises(SchemaError):
        engine.grant(database, role)


def test_sqlite_knows_no_roles_and_says_what_guards_the_audit_there(sqlite):
    with pytest.raises(SchemaError, match="triage verify"):
        engine.grant(sqlite, "web")


def test_init_for_a_role_on_sqlite_is_one_sentence():
    result = run("init", "--app-role", "web")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: SQLite knows no roles")


def doctor(database):
    result = run("doctor", "--json", env={"TRIAGE_DATABASE_URL": url_of(database), "TRIAGE_SECRET_KEY": SECRET})
    return next(row for row in json.loads(result.stdout)["checks"] if row["name"] == "audit")


@POSTGRES
def test_doctor_tells_whether_the_role_could_alter_the_audit(database, new_role, as_role):
    assert (doctor(database)["state"], "--app-role" in doctor(database)["advice"]) == ("not configured", True)
    role = new_role()
    said = ok("init", "--app-role", role, env={"TRIAGE_DATABASE_URL": url_of(database)}).stdout
    assert f"{role} can work with the tables, and cannot change or delete audit rows." in said
    assert doctor(as_role(role))["state"] == "ok"


@POSTGRES
def test_init_for_a_role_that_is_not_there_says_how_to_make_it(database):
    result = run("init", "--app-role", "nobody_of_that_name", env={"TRIAGE_DATABASE_URL": url_of(database)})
    assert (result.exit_code, result.stdout) == (1, "")
    assert "CREATE ROLE" in result.stderr


# --- verifying ------------------------------------------------------------------------


def test_verify_names_an_altered_a_deleted_and_an_inserted_row(commands, database):
    for number in range(6):
        service.note(commands, service.Act(NOON, "agent@example.org", "look"), f"IT-{number}")
    assert len(everything(commands)) == 8
    assert "whole" in ok("verify").stdout
    with database.begin() as conn:
        conn.execute(text("UPDATE audit SET actor = 'somebody else' WHERE id = 3"))
        conn.execute(text("DELETE FROM audit WHERE id = 5"))
        conn.execute(
            text(
                "INSERT INTO audit (id, at, actor, action, subject, data, hash) "
                "SELECT 9, at, actor, 'sign_in', subject, data, hash FROM audit WHERE id = 8"
            )
        )
    result = run("verify")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "audit row 3 was altered or inserted, or the row before it was",
        "audit row 5 is missing",
        "audit row 6 was altered or inserted, or the row before it was",
        "audit row 9 was altered or inserted, or the row before it was",
        "the audit chain should have 8 rows and has 9",
        "Error: 5 faults found",
    ]
