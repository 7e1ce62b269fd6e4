"""Commands about patient data: what each does, what it writes into the audit, and one sentence for each bad input."""

import csv
import getpass
import io
import json
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import structlog
from click.testing import CliRunner

from models.compiled import Compiled, View
from models.registry import pack
from triage import bootstrap, seal, service, settings
from triage.cli import cli
from triage.policy import BUILT_IN
from triage.store import classifiers

SECRET = "a key for tests that is long enough"
OLD, NEW = seal.new_key(), seal.new_key()
LONE = "\udcff"  # how Python hands over a byte of an argument that is not UTF-8
ME = f"cli:{getpass.getuser()}"
WHY = "checking a blank label"
TEXT = "label of patient Testy McTestface is blank, ask Zorblat in room Quux"
MISSED = "Zorblat"  # a name that the masker leaves alone
HEADER = ["row", "at", "actor", "action", "subject", "tickets", "reason"]


def run(*args, stdin=None, env=None):
    """Run a command in this process; whatever happens, it never ends in a traceback."""
    result = CliRunner().invoke(cli, [str(arg) for arg in args], input=stdin, env=env)
    assert isinstance(result.exception, SystemExit | None), repr(result.exception)
    assert "Traceback" not in result.stdout + result.stderr
    assert result.exit_code in (0, 1, 2)
    return result


def ok(*args, **more):
    result = run(*args, **more)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def refused(code, *args, **more):
    """Run what must not work; return the one sentence it ends with, after checking that nothing else was printed."""
    result = run(*args, **more)
    assert result.exit_code == code, result.stdout + result.stderr
    assert result.stdout == ""
    sentence = result.stderr[result.stderr.index("Error: ") :].strip()
    assert "\n" not in sentence
    return sentence


def a_policy(folder, old, new):
    """Write the built-in policy with one edit to a file."""
    text = BUILT_IN.read_text(encoding="utf-8")
    assert old in text
    path = folder / "policy.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def keeping(folder):
    """Write the policy of a site that keeps originals for thirty days, and on which no masker hides MISSED."""
    path = a_policy(folder, "\n  original_days: 0\n", "\n  original_days: 30\n")
    text = path.read_text(encoding="utf-8").replace("never_masked: []", f"never_masked: [{MISSED}, Quux]")
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _own_logs():
    """Each command sends its logs to the stderr of its run, which is closed when the run ends."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def once_filed(tmp_path_factory):
    """A home with two tickets and the original of the first, made once; tests get copies of it."""
    home = tmp_path_factory.mktemp("once") / "home"
    env = {
        "TRIAGE_HOME": str(home),
        "TRIAGE_SECRET_KEY": SECRET,
        "TRIAGE_DATA_KEYS": OLD,
        "TRIAGE_POLICY": str(keeping(home.parent)),
    }
    ok("file", TEXT, "--from", "nurse.sample@example.org", env=env)
    ok("file", "paper jam in the printer", "--from", "clerk.sample@example.org", env=env)
    with closing(sqlite3.connect(home / "triage.db")) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    structlog.reset_defaults()
    return home


@pytest.fixture
def home(once_filed, tmp_path, monkeypatch):
    """This test's own home: IT-1 is TEXT with its original kept, IT-2 had nothing to mask."""
    mine = Path(os.environ["TRIAGE_HOME"])
    mine.mkdir()
    shutil.copy(once_filed / "triage.db", mine / "triage.db")
    monkeypatch.setenv("TRIAGE_SECRET_KEY", SECRET)
    monkeypatch.setenv("TRIAGE_DATA_KEYS", OLD)
    monkeypatch.setenv("TRIAGE_POLICY", str(keeping(tmp_path)))
    return mine


def sql(home, statement, *values):
    """Reach past the product, as a person with a database tool would."""
    with closing(sqlite3.connect(home / "triage.db")) as conn, conn:
        return conn.execute(statement, values).fetchall()


def audited(home, action):
    """Return (actor, subject, data) of every audit row of an action."""
    rows = sql(home, "SELECT actor, subject, data FROM audit WHERE action = ? ORDER BY id", action)
    return [(actor, subject, json.loads(data)) for actor, subject, data in rows]


def text_of(home, number=1):
    return sql(home, "SELECT text FROM tickets WHERE id = ?", number)[0][0]


def cells(said):
    return list(csv.reader(io.StringIO(said)))


def shown(said):
    """Return a CSV's rows as dictionaries."""
    return list(csv.DictReader(io.StringIO(said)))


def product():
    return bootstrap.build(settings.load())


def days_ago(days):
    return (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%d %H:%M:%S.%f")


# --- key ------------------------------------------------------------------------------


def test_a_new_key_is_all_of_stdout_and_its_public_half_is_on_stderr():
    result = run("key", "new")
    secret = result.stdout.strip()
    assert result.exit_code == 0
    assert result.stdout == f"{secret}\n"
    assert str(seal.data_keys(secret).recipients[0]) in result.stderr
    assert secret not in result.stderr


def test_a_new_key_is_another_each_time_and_needs_no_home():
    assert ok("key", "new") != ok("key", "new")
    assert not Path(os.environ["TRIAGE_HOME"]).exists()


def test_after_a_rotation_the_new_key_alone_opens_what_the_old_one_sealed(home):
    assert "1 originals" in ok("key", "rotate", env={"TRIAGE_DATA_KEYS": f"{NEW} {OLD}"})
    assert ok("original", "IT-1", "--reason", WHY, env={"TRIAGE_DATA_KEYS": NEW}) == f"{TEXT}\n"
    assert "no key opens it" in refused(1, "original", "IT-1", "--reason", WHY)


def test_a_rotation_is_audited_and_doing_it_again_changes_nothing(home):
    both = {"TRIAGE_DATA_KEYS": f"{NEW},{OLD}"}
    ok("key", "rotate", env=both)
    assert "0 originals" in ok("key", "rotate", env=both)
    assert [row[:2] for row in audited(home, "rekey")] == [(ME, "originals")] * 2
    assert [data["changed"] for _, _, data in audited(home, "rekey")] == [1, 0]


def test_a_rotation_without_the_old_key_is_refused_and_nothing_is_lost(home):
    result = run("key", "rotate", env={"TRIAGE_DATA_KEYS": NEW})
    assert result.exit_code == 1
    assert "1 originals open with no key in TRIAGE_DATA_KEYS" in result.stderr
    assert ok("original", "IT-1", "--reason", WHY) == f"{TEXT}\n"


def test_a_rotation_without_any_key_names_the_variable(home):
    assert "TRIAGE_DATA_KEYS" in refused(2, "key", "rotate", env={"TRIAGE_DATA_KEYS": "", "TRIAGE_POLICY": None})


def test_an_unknown_key_command_is_wrong_usage():
    assert "burn" in refused(2, "key", "burn")


# --- original -------------------------------------------------------------------------


def test_an_original_is_shown_as_it_was_written_and_the_look_is_audited(home):
    assert "McTestface" not in text_of(home)
    assert ok("original", "IT-1", "--reason", WHY) == f"{TEXT}\n"
    assert audited(home, "view_original") == [(ME, "IT-1", {"reason": WHY})]


def test_a_reason_is_masked_before_it_is_kept(home):
    ok("original", "IT-1", "--reason", "the patient Testy McTestface MRN 00123456 asked")
    ((_, _, data),) = audited(home, "view_original")
    assert "McTestface" not in data["reason"]
    assert "00123456" not in data["reason"]


@pytest.mark.parametrize(
    ("args", "code", "named"),
    [
        (["IT-99", "--reason", WHY], 1, "IT-99"),
        (["nonsense", "--reason", WHY], 1, "nonsense"),
        (["IT-2", "--reason", WHY], 1, "no original of IT-2"),
        (["IT-1", "--reason", "because"], 2, "reason: must have 8"),
        (["IT-1", "--reason", "   .      "], 2, "reason"),
        (["IT-1", "--reason", "why " * 200], 2, "reason"),
        (["IT-1", "--reason", f"it is na{LONE}ve"], 2, "UTF-8"),
        (["IT-1"], 2, "--reason"),
        (["--reason", WHY], 2, "REF"),
    ],
    ids=["unknown", "no ref", "none kept", "short", "blank", "long", "not UTF-8", "no reason", "no ticket"],
)
def test_an_original_that_cannot_be_shown_is_one_sentence_and_no_audit_row(home, args, code, named):
    assert named in refused(code, "original", *args)
    assert audited(home, "view_original") == []


@pytest.mark.parametrize("keys", [NEW, ""], ids=["another key", "no key"])
def test_without_the_right_key_nothing_of_an_original_is_shown(home, keys):
    env = {"TRIAGE_DATA_KEYS": keys, "TRIAGE_POLICY": None}
    assert "no key opens it" in refused(1, "original", "IT-1", "--reason", WHY, env=env)


def test_an_original_that_was_put_under_another_ticket_is_refused(home):
    sql(home, "UPDATE originals SET ticket_id = 2")
    assert "another ticket" in refused(1, "original", "IT-2", "--reason", WHY)


@pytest.mark.parametrize("ref", ["it-1", "1", "IT-01"])
def test_a_look_is_found_under_its_ticket_however_the_reference_was_typed(home, ref):
    ok("original", ref, "--reason", WHY)
    assert "view_original" in [row["action"] for row in shown(ok("access", "--ticket", "IT-1"))]


# --- mend -----------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["argument", "stdin"])
def test_missed_words_are_masked_whichever_way_they_are_given(home, by):
    args, stdin = ([MISSED], None) if by == "argument" else (["-"], f"{MISSED}\r\nsomething else\n")
    assert "IT-1: [NAME-2] stands in 1 places" in ok("mend", "IT-1", *args, stdin=stdin)
    assert text_of(home) == "label of patient [NAME-1] is blank, ask [NAME-2] in room Quux"


def test_missed_words_are_found_in_any_case_and_spacing_and_may_be_of_another_type(home):
    assert "[ID-1]" in ok("mend", "IT-1", "  zorblat   IN room ", "--type", "id")
    assert text_of(home).endswith("ask [ID-1] Quux")


def test_mended_words_are_nowhere_in_the_home_afterwards(home):
    sql(home, "UPDATE tickets SET unit = ? WHERE id = 1", f"{MISSED}'s desk")
    result = run("mend", "IT-1", MISSED)
    assert result.exit_code == 0
    assert MISSED.lower() not in (result.stdout + result.stderr).lower()
    for path in home.rglob("*"):
        assert MISSED.encode().lower() not in path.read_bytes().lower(), path


def test_a_mend_is_audited_without_the_words(home):
    ok("mend", "IT-1", MISSED)
    assert audited(home, "mend") == [(ME, "IT-1", {"type": "NAME", "places": 1})]


def test_the_original_is_still_whole_after_a_mend(home):
    ok("mend", "IT-1", MISSED)
    assert ok("original", "IT-1", "--reason", WHY) == f"{TEXT}\n"


@pytest.mark.parametrize("learned", ["zorblat", "toner"])
def test_a_mend_says_when_the_live_model_learned_one_of_the_words(home, learned):
    view = View({learned: 0}, np.ones(1, np.float32), np.zeros((1, 2), np.float32))
    thresholds = {"with": {"route": 0.6}, "without": {"route": 0.6}}
    blob, digest = pack(
        Compiled(("printer", "out_of_scope"), (), view, view, np.zeros(2), None, thresholds), SECRET.encode()
    )
    services, now = product().services, datetime.now(UTC)
    services.transactions.write(lambda conn: classifiers.add(conn, "v1", blob, digest, {}, ME, now))
    service.promote(services, "v1", ME, "the first", now)
    said = ok("mend", "IT-1", MISSED)
    assert ("The live model knows" in said) is (learned == "zorblat")


@pytest.mark.parametrize(
    ("args", "code", "named"),
    [
        (["IT-99", MISSED], 1, "IT-99"),
        (["nonsense", MISSED], 1, "nonsense"),
        (["IT-1", "Zorblatt"], 2, "words: are not in IT-1"),
        (["IT-1", "Zor"], 2, "words: are not in IT-1"),
        (["IT-1", f"Zor{LONE}blat"], 2, "words: are not in IT-1"),
        (["IT-1", "[NAME-1]"], 2, "placeholder"),
        (["IT-1", "Z"], 2, "two characters"),
        (["IT-1", " \t "], 2, "two characters"),
        (["IT-1", "-"], 2, "two characters"),
        (["IT-1", MISSED, "--type", "SHOE_SIZE"], 2, "type: must be one of NAME"),
        (["IT-1"], 2, "WORDS"),
        ([], 2, "REF"),
    ],
)
def test_a_mend_that_cannot_be_done_is_one_sentence_and_changes_nothing(home, args, code, named):
    before = text_of(home)
    sentence = refused(code, "mend", *args, stdin="")
    assert named in sentence
    assert "Zor" not in sentence
    assert text_of(home) == before
    assert audited(home, "mend") == []


def test_a_ticket_that_is_still_being_sorted_is_not_mended_yet(home):
    sql(home, "UPDATE tickets SET status = 'new' WHERE id = 1")
    assert "still being sorted" in refused(1, "mend", "IT-1", MISSED)


def test_words_from_stdin_that_are_not_utf_8_are_refused_in_words(home):
    assert "UTF-8" in refused(2, "mend", "IT-1", "-", stdin=b"Zorbl\xe4t\n")


FIELDS = ["happened", "information", "circumstances", "risk-reasons", "measures"]


@pytest.mark.parametrize("field", FIELDS)
def test_mended_words_are_gone_from_every_field_of_the_breach_entry(home, field):
    ok("breach", "add", "IT-1")
    ok("breach", "set", "IT-1", f"--{field}", f"told {MISSED} of it")
    ok("mend", "IT-1", MISSED)
    assert MISSED not in ok("breach", "list", "--json")


def test_a_second_mend_reaches_what_the_first_one_kept_as_a_test(home, tmp_path):
    ok("mend", "IT-1", MISSED)
    ok("mend", "IT-1", "Quux")
    ok("misses", "--output", tmp_path / "misses.txt")
    assert "Quux" not in (tmp_path / "misses.txt").read_text(encoding="utf-8")


# --- misses ---------------------------------------------------------------------------


def test_without_any_mend_there_are_no_misses(home):
    assert ok("misses").startswith("People marked 0 missed words in 0 tickets")


def test_misses_are_written_down_as_marked_tickets_with_made_up_words(home, tmp_path):
    ok("mend", "IT-1", MISSED)
    assert ok("misses", "--output", tmp_path / "misses.txt").startswith("People marked 1 missed words in 1 tickets")
    written = (tmp_path / "misses.txt").read_text(encoding="utf-8")
    assert written.startswith("=== en\nlabel of patient [NAME-1] is blank, ask \u27e6NAME|")
    assert MISSED not in written


def test_misses_never_overwrite_a_file(home, tmp_path):
    (tmp_path / "misses.txt").write_text("something precious", encoding="utf-8")
    assert "misses.txt: exists already" in refused(2, "misses", "--output", tmp_path / "misses.txt")
    assert (tmp_path / "misses.txt").read_text(encoding="utf-8") == "something precious"


def test_misses_into_a_folder_that_is_not_there_are_one_sentence(home, tmp_path):
    assert "nowhere" in refused(1, "misses", "--output", tmp_path / "nowhere" / "misses.txt")


def test_misses_of_every_type_can_be_read_again(home):
    ok("mend", "IT-1", "Quux", "--type", "ROOM_BED")
    assert ok("misses").startswith("People marked 1 missed words")


@pytest.mark.parametrize("text", ["the screen shows \u27e6 says Zorblat", "as follows\n=== sheet\nasks Zorblat"])
def test_misses_of_a_ticket_with_marks_of_its_own_can_be_read_again(home, text):
    ok("file", text)
    ok("mend", "IT-3", MISSED)
    assert ok("misses").startswith("People marked 1 missed words in 1 tickets")


# --- hold -----------------------------------------------------------------------------


def test_a_ticket_is_held_and_released_and_both_are_audited(home):
    assert "under legal hold" in ok("hold", "IT-1", "--reason", "a claim was announced")
    assert sql(home, "SELECT held FROM tickets ORDER BY id") == [(1,), (0,)]
    assert "free" in ok("hold", "IT-1", "--release", "--reason", "the claim was settled")
    assert sql(home, "SELECT held FROM tickets ORDER BY id") == [(0,), (0,)]
    assert audited(home, "hold") == [(ME, "IT-1", {"reason": "a claim was announced"})]
    assert audited(home, "release") == [(ME, "IT-1", {"reason": "the claim was settled"})]


@pytest.mark.parametrize(
    ("args", "code", "named"),
    [
        (["IT-99", "--reason", WHY], 1, "IT-99"),
        (["IT-2", "--reason", WHY], 1, "already under legal hold"),
        (["IT-1", "--release", "--reason", WHY], 1, "not under legal hold"),
        (["IT-1", "--reason", "why"], 2, "reason"),
        (["IT-1"], 2, "--reason"),
        (["--reason", WHY], 2, "REF"),
    ],
    ids=["unknown", "held already", "not held", "short reason", "no reason", "no ticket"],
)
def test_a_hold_that_makes_no_sense_is_one_sentence_and_changes_nothing(home, args, code, named):
    sql(home, "UPDATE tickets SET held = 1 WHERE id = 2")
    assert named in refused(code, "hold", *args)
    assert sql(home, "SELECT held FROM tickets ORDER BY id") == [(0,), (1,)]
    assert audited(home, "hold") + audited(home, "release") == []


# --- access ---------------------------------------------------------------------------


def look(actor, *refs):
    service.note_look(product().services, service.Act(datetime.now(UTC), actor, "list_tickets"), refs)


def test_the_export_of_a_ticket_names_everybody_who_saw_it_and_why(home):
    ok("original", "IT-1", "--reason", WHY)
    look("viewer@example.org", "IT-1", "IT-2")
    look("token:scanner", "IT-2", "IT-10")
    rows = cells(ok("access", "--ticket", "IT-1"))
    assert rows[0] == HEADER
    assert [row[2:] for row in rows[1:]] == [
        ["triage", "decide", "IT-1", "", ""],
        [ME, "view_original", "IT-1", "", WHY],
        ["viewer@example.org", "list_tickets", "tickets", "IT-1 IT-2", ""],
    ]


def test_the_export_of_a_person_names_everything_they_saw(home):
    look("viewer@example.org", "IT-1", "IT-2")
    look("token:scanner", "IT-2")
    (row,) = shown(ok("access", "--user", "viewer@example.org"))
    assert (row["action"], row["tickets"]) == ("list_tickets", "IT-1 IT-2")
    (row,) = shown(ok("access", "--user", "token:scanner"))
    assert (row["actor"], row["subject"]) == ("token:scanner", "IT-2")


def test_the_export_as_json_is_one_document_of_the_same_rows(home):
    found = json.loads(ok("access", "--ticket", "it-1", "--json"))
    assert [row["action"] for row in found["rows"]] == ["decide"]
    assert list(found["rows"][0]) == HEADER


def test_an_export_is_audited_too(home):
    ok("access", "--ticket", "IT-1")
    ok("access", "--user", "viewer@example.org", "--json")
    assert audited(home, "export_access") == [(ME, "IT-1", {"rows": 1}), (ME, "viewer@example.org", {"rows": 0})]


def test_an_export_may_go_to_a_file(home, tmp_path):
    assert ok("access", "--ticket", "IT-1", "--output", tmp_path / "access.csv") == ""
    assert cells((tmp_path / "access.csv").read_text(encoding="utf-8"))[0] == HEADER


@pytest.mark.parametrize("reason", ["=1+1 is what I say", "+1 for looking", "-1 for looking", "@home looking it up"])
def test_no_cell_of_an_export_is_a_formula(home, reason):
    ok("original", "IT-1", "--reason", reason)
    look(reason.replace(" ", ".") + "@example.org", "IT-1")
    (_, original, looked) = shown(ok("access", "--ticket", "IT-1"))
    assert original["reason"] == f"'{reason}"
    assert looked["actor"].startswith(f"'{reason[0]}")


def test_an_export_never_overwrites_a_file(home, tmp_path):
    (tmp_path / "access.csv").write_text("something precious", encoding="utf-8")
    sentence = refused(2, "access", "--ticket", "IT-1", "--output", tmp_path / "access.csv")
    assert "access.csv: exists already" in sentence
    assert (tmp_path / "access.csv").read_text(encoding="utf-8") == "something precious"


@pytest.mark.parametrize(
    ("args", "code", "named"),
    [
        ([], 2, "either --ticket or --user"),
        (["--ticket", "IT-1", "--user", "viewer@example.org"], 2, "either --ticket or --user"),
        (["--ticket", "", "--user", ""], 2, "either --ticket or --user"),
        (["--ticket"], 2, "--ticket"),
        (["--ticket", "IT-1", "--output", "nowhere/access.csv"], 1, "nowhere/access.csv"),
        (["--user", f"nurse{LONE}@example.org"], 2, "UTF-8"),
    ],
    ids=["neither", "both", "both empty", "no value", "missing folder", "not UTF-8"],
)
def test_an_export_that_cannot_be_made_is_one_sentence(home, args, code, named):
    assert named in refused(code, "access", *args)


@pytest.mark.parametrize("ref", ["IT-99", "nonsense"])
def test_an_export_of_a_ticket_that_is_not_there_is_refused(home, ref):
    assert ref in refused(1, "access", "--ticket", ref)


def test_an_export_finds_a_person_whose_address_was_typed_in_capitals(home):
    look("viewer@example.org", "IT-1")
    assert len(shown(ok("access", "--user", "Viewer@Example.org"))) == 1


def test_an_export_as_json_may_go_to_a_file_too(home, tmp_path):
    ok("access", "--ticket", "IT-1", "--json", "--output", tmp_path / "access.json")
    assert json.loads((tmp_path / "access.json").read_text(encoding="utf-8"))["rows"]


def test_an_export_that_was_refused_is_not_in_the_audit_as_made(home, tmp_path):
    (tmp_path / "taken.csv").write_text("something precious", encoding="utf-8")
    refused(2, "access", "--ticket", "IT-1", "--output", tmp_path / "taken.csv")
    refused(2, "breach", "export", tmp_path / "taken.csv")
    assert audited(home, "export_access") + audited(home, "export_breaches") == []


# --- breach ---------------------------------------------------------------------------


@pytest.fixture
def registered(home):
    """A home whose IT-1 is in the breach register since a week, unassessed."""
    ok("breach", "add", "IT-1")
    sql(home, "UPDATE breaches SET aware_at = ?", days_ago(7))
    return home


def the_entry():
    (entry,) = json.loads(ok("breach", "list", "--json"))["breaches"]
    return entry


def test_an_empty_register_says_so(home):
    assert ok("breach", "list") == "The register is empty.\n"
    assert json.loads(ok("breach", "list", "--json")) == {"breaches": []}


def test_an_entry_lists_who_must_be_told_by_when(registered):
    said = ok("breach", "list")
    assert said.startswith(f"IT-1  assess  aware {days_ago(7)[:10]}  risk unknown  persons ?\n")
    assert f"hipaa:persons        by {days_ago(7 - 60)[:10]}" in said
    assert "law25:commission     without delay" in said


def test_an_entry_is_completed_told_and_closed(registered):
    ok("breach", "set", "IT-1", "--state", "breach", "--risk", "low", "--persons", "3", "--risk-reasons", "misdirected")
    for duty in ("phipa:persons", "phipa:commissioner", "phipa:count"):
        assert f"{duty} done on {days_ago(1)[:10]}" in ok("breach", "told", "IT-1", duty, "--on", days_ago(1)[:10])
    assert "IT-1: state written" in ok("breach", "set", "IT-1", "--state", "closed")
    entry = the_entry()
    assert (entry["state"], entry["risk"], entry["persons"]) == ("closed", "low", 3)
    assert {duty["done"] for duty in entry["duties"]} == {days_ago(1)[:10]}
    assert "done" in ok("breach", "list")


def test_somebody_was_told_today_unless_another_day_is_given(registered):
    ok("breach", "told", "IT-1", "hipaa:persons")
    done = {duty["duty"]: duty["done"] for duty in the_entry()["duties"]}
    assert done["hipaa:persons"] == days_ago(0)[:10]
    assert done["hipaa:HHS"] is None


def test_somebody_told_on_the_evening_of_awareness_is_noted_for_that_day(registered):
    night = f"{days_ago(6)[:10]} 01:00:00.000000"  # in Toronto it is still the evening before
    sql(registered, "UPDATE breaches SET aware_at = ?", night)
    ok("breach", "told", "IT-1", "hipaa:persons", "--on", days_ago(7)[:10])


def test_an_entry_that_is_no_breach_does_not_speak_of_a_low_risk(registered):
    ok("breach", "set", "IT-1", "--state", "not_breach", "--risk-reasons", "found at once")
    assert "the risk is low" not in refused(2, "breach", "told", "IT-1", "hipaa:persons")


def test_words_of_an_entry_are_masked(registered):
    ok("breach", "set", "IT-1", "--circumstances", "label of patient Testy McTestface, MRN 00123456, was mailed")
    assert the_entry()["circumstances"] == "label of patient [NAME-1], MRN [MRN-1], was mailed"


def test_every_step_of_the_register_is_audited(registered, tmp_path):
    ok("breach", "set", "IT-1", "--risk", "serious", "--persons", "0")
    ok("breach", "told", "IT-1", "hipaa:persons")
    ok("breach", "list")
    ok("breach", "export", tmp_path / "register.csv")
    assert audited(registered, "open_breach") == [(ME, "IT-1", {})]
    assert audited(registered, "change_breach") == [(ME, "IT-1", {"fields": ["persons", "risk"], "state": "assess"})]
    assert audited(registered, "note_duty") == [(ME, "IT-1", {"fields": ["notified"], "state": "assess"})]
    assert audited(registered, "view_breaches") == [(ME, "IT-1", {"refs": ["IT-1"]})]
    assert audited(registered, "export_breaches") == [(ME, "IT-1", {"refs": ["IT-1"]})]


def test_the_register_is_exported_one_row_per_entry_and_no_cell_is_a_formula(registered, tmp_path):
    ok("breach", "add", "IT-2")
    ok("breach", "set", "IT-1", "--happened", "=2+5", "--information", "-names", "--measures", "@once, and for all")
    ok("breach", "told", "IT-1", "hipaa:persons")
    ok("breach", "export", tmp_path / "register.csv")
    first, second = shown((tmp_path / "register.csv").read_text(encoding="utf-8"))
    assert (first["ref"], second["ref"], second["persons"]) == ("IT-1", "IT-2", "")
    assert (first["happened"], first["information"], first["measures"]) == ("'=2+5", "'-names", "'@once, and for all")
    assert f"hipaa:persons {days_ago(0)[:10]}; hipaa:HHS open" in first["duties"]


def test_the_register_never_overwrites_a_file(registered, tmp_path):
    (tmp_path / "register.csv").write_text("something precious", encoding="utf-8")
    assert "register.csv: exists already" in refused(2, "breach", "export", tmp_path / "register.csv")
    assert (tmp_path / "register.csv").read_text(encoding="utf-8") == "something precious"


@pytest.mark.parametrize(
    ("args", "code", "named"),
    [
        (["add", "IT-99"], 1, "IT-99"),
        (["add", "IT-1"], 1, "in the register already"),
        (["add"], 2, "REF"),
        (["set", "IT-1"], 2, "at least one field"),
        (["set", "IT-2", "--state", "breach"], 1, "IT-2 is not in the breach register"),
        (["set", "IT-99", "--state", "breach"], 1, "IT-99"),
        (["set", "IT-1", "--state", "maybe"], 2, "state: must be one of assess"),
        (["set", "IT-1", "--risk", "huge"], 2, "risk: must be one of unknown"),
        (["set", "IT-1", "--persons", "-1"], 2, "--persons"),
        (["set", "IT-1", "--persons", "many"], 2, "--persons"),
        (["set", "IT-1", "--persons", "1000000000"], 2, "persons"),
        (["set", "IT-1", "--state", "not_breach"], 1, "risk_reasons"),
        (["set", "IT-1", "--state", "closed"], 1, "hipaa:persons"),
        (["set", "IT-1", "--measures", f"na{LONE}ve"], 2, "UTF-8"),
        (["told", "IT-1", "hipaa:neighbours"], 2, "duty: must be one of hipaa:persons"),
        (["told", "IT-1", "hipaa:persons", "--on", "2999-01-01"], 2, "day"),
        (["told", "IT-1", "hipaa:persons", "--on", "1999-01-01"], 2, "day"),
        (["told", "IT-1", "hipaa:persons", "--on", "yesterday"], 2, "--on"),
        (["told", "IT-1", "hipaa:persons", "--on", "2026-02-30"], 2, "--on"),
        (["told", "IT-2", "hipaa:persons"], 1, "IT-2 is not in the breach register"),
        (["told", "IT-1"], 2, "DUTY"),
        (["export"], 2, "F.csv"),
        (["export", "nowhere/register.csv"], 1, "nowhere/register.csv"),
        (["burn"], 2, "burn"),
    ],
    ids=lambda value: " ".join(value).encode("ascii", "replace").decode() if isinstance(value, list) else None,
)
def test_a_step_that_the_register_does_not_allow_is_one_sentence_and_changes_nothing(registered, args, code, named):
    before = sql(registered, "SELECT * FROM breaches")
    assert named in refused(code, "breach", *args)
    assert sql(registered, "SELECT * FROM breaches") == before


# --- on either database ---------------------------------------------------------------


def test_every_command_works_on_either_database(database_url, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIAGE_DATABASE_URL", database_url)
    monkeypatch.setenv("TRIAGE_SECRET_KEY", SECRET)
    monkeypatch.setenv("TRIAGE_DATA_KEYS", f"{NEW} {OLD}")
    monkeypatch.setenv("TRIAGE_POLICY", str(keeping(tmp_path)))
    ok("file", TEXT, env={"TRIAGE_DATA_KEYS": OLD})
    assert "1 originals" in ok("key", "rotate")
    assert ok("original", "IT-1", "--reason", WHY) == f"{TEXT}\n"
    assert "[NAME-2] stands in 1 places" in ok("mend", "IT-1", MISSED)
    assert "1 missed words" in ok("misses")
    assert "under legal hold" in ok("hold", "IT-1", "--reason", WHY)
    ok("breach", "add", "IT-1")
    ok("breach", "set", "IT-1", "--risk", "low", "--risk-reasons", "found at once", "--state", "not_breach")
    ok("breach", "export", tmp_path / "register.csv")
    seen = [row["action"] for row in shown(ok("access", "--ticket", "IT-1"))]
    assert seen == ["decide", "view_original", "mend", "hold", "open_breach", "change_breach", "export_breaches"]
    assert {row["action"] for row in shown(ok("access", "--user", ME))} > {"rekey", "view_original", "export_access"}
    assert "whole" in ok("verify")


# --- redact ---------------------------------------------------------------------------

PAVILION = '{"text": "the printer of Mr Sampleton Pavilion, call 416-555-0199"}'


def masked_by_redact(**env):
    return json.loads(ok("redact", stdin=PAVILION, env=env))["masked_text"]


def test_redact_leaves_the_sites_own_words_alone_and_needs_no_home(tmp_path):
    policy = a_policy(tmp_path, "never_masked: []", "never_masked: [Sampleton Pavilion]")
    assert masked_by_redact() == "the printer of Mr [NAME-1], call [PHONE-1]"
    assert masked_by_redact(TRIAGE_POLICY=str(policy)) == "the printer of Mr Sampleton Pavilion, call [PHONE-1]"
    assert not Path(os.environ["TRIAGE_HOME"]).exists()


def test_redact_refuses_a_broken_policy_by_its_name(tmp_path):
    policy = a_policy(tmp_path, "never_masked: []", "never_masked: [x]")
    assert "policy.yaml:" in refused(2, "redact", stdin=PAVILION, env={"TRIAGE_POLICY": str(policy)})


# --- settings -------------------------------------------------------------------------

NO_KEY = "AGE-SECRET-KEY-1THISISNOKEYBUTMUSTNEVERBESHOWN"


@pytest.mark.parametrize("place", [1, 2, 3])
@pytest.mark.parametrize("by", ["environment", "file"])
def test_a_key_that_is_none_is_named_by_its_place_and_never_printed(home, tmp_path, by, place):
    keys = [OLD, NEW]
    keys.insert(place - 1, NO_KEY)
    env = {"TRIAGE_DATA_KEYS": "\n".join(keys)}
    if by == "file":
        (tmp_path / "keys").write_text(env["TRIAGE_DATA_KEYS"], encoding="utf-8")
        env = {"TRIAGE_DATA_KEYS": "", "TRIAGE_DATA_KEYS_FILE": str(tmp_path / "keys")}
    for args in (["file", "paper jam"], ["backup", tmp_path / "b.db"], ["restore", home / "triage.db"], ["doctor"]):
        result = run(*args, env=env)
        said = result.stdout + result.stderr
        assert result.exit_code == (1 if args == ["doctor"] else 2)
        assert f"TRIAGE_DATA_KEYS: key {place} " in said
        assert not any(key[16:] in said for key in keys)


def test_keys_may_come_from_a_file(home, tmp_path):
    (tmp_path / "keys").write_text(f"{NEW}\n{OLD}\n", encoding="utf-8")
    env = {"TRIAGE_DATA_KEYS": "", "TRIAGE_DATA_KEYS_FILE": str(tmp_path / "keys")}
    assert ok("original", "IT-1", "--reason", WHY, env=env) == f"{TEXT}\n"


def test_a_file_of_keys_that_is_missing_is_named(home):
    sentence = refused(2, "file", "paper jam", env={"TRIAGE_DATA_KEYS_FILE": "/nowhere/keys"})
    assert "TRIAGE_DATA_KEYS_FILE: /nowhere/keys" in sentence


@pytest.mark.parametrize("args", [["file", "paper jam"], ["verify"], ["backup", "copy.db"], ["original", "IT-1"]])
def test_a_policy_that_keeps_originals_without_a_key_is_refused_at_start(home, args):
    reason = ["--reason", WHY] if args[0] == "original" else []
    sentence = refused(2, *args, *reason, env={"TRIAGE_DATA_KEYS": ""})
    assert "TRIAGE_DATA_KEYS: is needed" in sentence
    assert "triage key new" in sentence
    assert sql(home, "SELECT count(*) FROM tickets") == [(2,)]


def test_an_empty_variable_for_the_policy_means_the_built_in_one():
    for args in (["redact"], ["file", "paper jam"]):
        ok(*args, stdin=PAVILION, env={"TRIAGE_POLICY": ""})


def test_a_public_key_that_is_none_is_named(home, tmp_path):
    env = {"TRIAGE_BACKUP_RECIPIENTS": "age1nonsense"}
    assert "TRIAGE_BACKUP_RECIPIENTS: key 1 is not" in refused(2, "backup", tmp_path / "b.db", env=env)
    assert not (tmp_path / "b.db").exists()


def test_a_secret_key_among_the_public_ones_is_never_printed(home, tmp_path):
    sentence = refused(2, "backup", tmp_path / "b.db", env={"TRIAGE_BACKUP_RECIPIENTS": NEW})
    assert NEW[:20] not in sentence


# --- doctor and verify ----------------------------------------------------------------


def row_of(name, **env):
    checks = json.loads(run("doctor", "--json", env=env).stdout)["checks"]
    return next(row for row in checks if row["name"] == name)


def test_doctor_tells_that_the_audit_is_a_chain(home):
    assert (row_of("audit")["state"], "triage verify" in row_of("audit")["detail"]) == ("ok", True)


def test_doctor_tells_what_is_kept_and_that_backups_are_encrypted(home):
    row = row_of("privacy")
    assert row["state"] == "ok"
    assert row["detail"] == "originals 30 days, words 730 days, backups encrypted"


def test_doctor_tells_that_backups_are_not_encrypted_and_what_to_do(home):
    row = row_of("privacy", TRIAGE_DATA_KEYS="", TRIAGE_POLICY=None)
    assert row["state"] == "not configured"
    assert row["detail"] == "no originals; backups are not encrypted"
    assert "triage key new" in row["advice"]


def test_doctor_counts_public_keys_as_encryption(home):
    public = str(seal.data_keys(NEW).recipients[0])
    assert row_of("privacy", TRIAGE_DATA_KEYS="", TRIAGE_POLICY=None, TRIAGE_BACKUP_RECIPIENTS=public)["state"] == "ok"


def test_doctor_fails_where_the_policy_keeps_originals_without_a_key(home):
    row = row_of("privacy", TRIAGE_DATA_KEYS="")
    assert row["state"] == "failing"
    assert "TRIAGE_DATA_KEYS: is needed" in row["detail"]


def test_every_check_that_fails_over_a_broken_key_says_what_to_do(home):
    for row in json.loads(run("doctor", "--json", env={"TRIAGE_DATA_KEYS": NO_KEY}).stdout)["checks"]:
        assert row["advice"] or row["state"] != "failing", row["name"]


OVERDUE = {
    "original": ("UPDATE originals SET keep_until = ?", 2, "1 originals have outlived their day"),
    "words": ("UPDATE tickets SET is_open = 0, received_at = ?", 732, "2 closed tickets should have lost their words"),
}


@pytest.mark.parametrize(("statement", "days", "named"), OVERDUE.values(), ids=OVERDUE.keys())
def test_what_outlived_its_day_is_named_by_verify_and_doctor(home, statement, days, named):
    sql(home, statement, days_ago(days))
    result = run("verify")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [f"retention: {named}", "Error: 1 faults found"]
    row = row_of("privacy")
    assert (row["state"], row["detail"]) == ("failing", f"retention: {named}")
    assert "worker" in row["advice"]


@pytest.mark.parametrize(("statement", "days", "named"), OVERDUE.values(), ids=OVERDUE.keys())
def test_what_is_under_legal_hold_is_not_overdue(home, statement, days, named):
    sql(home, statement, days_ago(days))
    sql(home, "UPDATE tickets SET held = 1")
    assert "whole" in ok("verify")
    assert row_of("privacy")["state"] == "ok"


def test_what_the_worker_purged_is_not_overdue(home):
    for statement, days, _ in OVERDUE.values():
        sql(home, statement, days_ago(days))
    service.purge(product().services, datetime.now(UTC))
    assert "whole" in ok("verify")
    assert [text_of(home, number) for number in (1, 2)] == ["", ""]
    assert "no original" in refused(1, "original", "IT-1", "--reason", WHY)
