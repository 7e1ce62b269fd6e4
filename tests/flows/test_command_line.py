"""The command line: the contract's exit codes, one JSON document on stdout, one sentence for a fault, no traceback."""

import csv
import gzip
import io
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from click.testing import CliRunner
from werkzeug.security import check_password_hash

from triage.cli import cli
from triage.policy import BUILT_IN
from triage.redact import redact
from triage.store import engine, people

ROOT = Path(__file__).resolve().parents[2]
LONE = "\udcff"  # how Python hands over a byte of an argument that is not UTF-8
PASSWORD = "correct horse battery"
LONG_KEY = "a made-up key that nobody else would ever use 0123456789"
PHRASES = {
    "printer": "paper jam in the label printer of desk",
    "account_access": "locked out of my account on computer",
    "email_collaboration": "shared mailbox is gone from outlook for clerk",
    "security_incident": "clicked a phishing link and typed my password on laptop",
}
TINY = [(f"{phrase} {word}", label) for label, phrase in PHRASES.items() for word in ("one", "two", "three", "four")]


def csv_text(rows):
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


TINY_CSV = csv_text([("text", "label"), *TINY])


@pytest.fixture(autouse=True)
def _own_logs():
    """Each command sends its logs to the stderr of its run, which is closed when the run ends."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="module")
def once_trained(tmp_path_factory):
    """A home with one live model, made once; tests get copies of it."""
    home = tmp_path_factory.mktemp("once") / "home"
    data = home.with_name("tiny.csv")
    data.write_text(TINY_CSV, encoding="utf-8")
    run("train", "--data", data, "--promote", env={"TRIAGE_HOME": str(home)})
    with closing(sqlite3.connect(home / "triage.db")) as conn:
        conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    structlog.reset_defaults()
    return home


@pytest.fixture
def home(once_trained):
    """This test's own home, with the live model v1 and nothing else."""
    mine = Path(os.environ["TRIAGE_HOME"])
    mine.mkdir()
    for name in ("triage.db", "secret.key"):
        shutil.copy(once_trained / name, mine / name)
    return mine


@pytest.fixture
def tiny(tmp_path):
    """A labelled file small enough to train on in a test."""
    return a_file(tmp_path, "tiny.csv", TINY_CSV)


def a_file(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return path


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
    return result


def refused(code, *args, **more):
    """Run what must not work; return the one sentence it ends with, after checking that nothing else was printed."""
    result = run(*args, **more)
    assert result.exit_code == code, result.stdout + result.stderr
    assert result.stdout == ""
    return fault(result)


def fault(result):
    """Return what a command says at its end, without logs and usage lines before it."""
    assert "Error: " in result.stderr
    return result.stderr[result.stderr.index("Error: ") :].strip()


def document(result):
    """Return the JSON that is all of stdout."""
    return json.loads(result.stdout)


def rows_of(text):
    return [json.loads(line) for line in text.splitlines()]


def sql(home, statement, *values):
    """Reach past the product, as a person with a database tool would."""
    with closing(sqlite3.connect(home / "triage.db")) as conn, conn:
        return conn.execute(statement, values).fetchall()


def stored_tickets(home):
    return sql(home, "SELECT count(*) FROM tickets")[0][0]


def second_model(home):
    """Store the live model once more, as v2: training again would only cost time."""
    sql(
        home,
        "INSERT INTO models SELECT 'v2', created_at, created_by, blob, digest, card FROM models WHERE version = 'v1'",
    )


def tamper(home, version="v1"):
    """Flip one bit in the middle of a stored model."""
    ((blob,),) = sql(home, "SELECT blob FROM models WHERE version = ?", version)
    place = len(blob) // 2
    changed = blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :]
    sql(home, "UPDATE models SET blob = ? WHERE version = ?", changed, version)


# --- the group itself -----------------------------------------------------------------


def test_an_unknown_command_is_wrong_usage():
    assert "No such command 'frobnicate'" in refused(2, "frobnicate")


def test_an_unknown_option_is_wrong_usage():
    assert "--frobnicate" in refused(2, "init", "--frobnicate")


def test_help_names_every_command_of_the_table():
    said = ok("--help").stdout
    for name in ("file", "classify", "train", "check-policy", "doctor"):
        assert f"  {name} " in said


def test_the_version_is_printed():
    assert ok("--version").stdout.startswith("triage")


@pytest.mark.parametrize(
    ("env", "named"),
    [
        ({"TRIAGE_PORT": "many"}, "TRIAGE_PORT"),
        ({"TRIAGE_PORT": "70000"}, "TRIAGE_PORT"),
        ({"TRIAGE_ENV": "staging"}, "TRIAGE_ENV"),
        ({"TRIAGE_ENV": "production", "TRIAGE_SECRET_KEY": "short"}, "TRIAGE_SECRET_KEY"),
        ({"TRIAGE_SECRET_KEY_FILE": "/nowhere/key"}, "TRIAGE_SECRET_KEY_FILE"),
        ({"TRIAGE_POLICY": "/nowhere/policy.yaml"}, "/nowhere/policy.yaml"),
    ],
    ids=["port is a word", "port too high", "unknown env", "short key in production", "no key file", "no policy file"],
)
def test_a_setting_that_cannot_be_used_is_named(env, named):
    assert named in refused(2, "file", "paper jam", env=env)


@pytest.mark.parametrize("key", ["", LONG_KEY], ids=["key to be made", "key from the environment"])
@pytest.mark.parametrize("place", ["a file", "below a file", "read-only"])
def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path, place, key):
    blocker = a_file(tmp_path, "blocker", "not a folder")
    # /proc takes no folders, not even from root, who may write to any read-only folder on disk.
    homes = {"a file": blocker, "below a file": blocker / "home", "read-only": Path("/proc/triage-home")}
    result = run("file", "paper jam", env={"TRIAGE_HOME": str(homes[place]), "TRIAGE_SECRET_KEY": key})
    assert result.exit_code in (1, 2)
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\xfa"], ids=["a folder", "empty", "not text"])
def test_a_spoilt_secret_file_is_named(home, content):
    (home / "secret.key").unlink()
    if content is None:
        (home / "secret.key").mkdir()
    else:
        a_file(home, "secret.key", content)
    assert "secret.key" in refused(2, "models")


READERS = [
    ("init",),
    ("file", "paper jam"),
    ("verify",),
    ("backup", "copy.db"),
    ("promote", "v1", "--reason", "better"),
]


@pytest.mark.parametrize("args", READERS, ids=[args[0] for args in READERS])
def test_a_database_file_that_is_garbage_is_one_sentence(tmp_path, args):
    (tmp_path / "home").mkdir()
    a_file(tmp_path / "home", "triage.db", b"this is no database, it is a shopping list\n" * 200)
    assert "database" in refused(1, *args)


@pytest.mark.parametrize(
    "url",
    [
        "nonsense",
        "mysql://nobody@127.0.0.1/x",
        "postgresql+psycopg://nobody@127.0.0.1:1/x",
        "sqlite:////proc/no/x.db",
    ],
)
def test_a_database_address_that_leads_nowhere_is_one_sentence(url):
    assert refused(1, "file", "paper jam", env={"TRIAGE_DATABASE_URL": url})


def test_tables_of_a_newer_version_are_left_alone(home):
    sql(home, "UPDATE alembic_version SET version_num = '9999'")
    assert "9999" in refused(1, "init")
    assert "triage init" in refused(1, "file", "paper jam")


SPOILT = [
    ("user", "add", f"nurse{LONE}@example.org", "--role", "viewer", "--password-stdin"),
    ("token", "add", f"scan{LONE}ner"),
    ("classify", "--input", f"in{LONE}.csv"),
    ("classify", "--model", f"v{LONE}"),
    ("evaluate", "--data", f"in{LONE}.csv"),
    ("promote", f"v{LONE}", "--reason", "better"),
    ("promote", "v2", "--reason", f"it is na{LONE}ve"),
    ("check-policy", f"policy{LONE}.yaml"),
    ("restore", f"copy{LONE}.db"),
    ("seed", LONE),
    (f"fi{LONE}le", "paper jam"),
]


@pytest.mark.parametrize(
    "args", SPOILT, ids=[" ".join(args[:2]).encode("ascii", "replace").decode() for args in SPOILT]
)
def test_an_argument_that_is_not_utf_8_is_refused_in_words(home, args):
    second_model(home)
    result = run(*args, stdin=f"{PASSWORD}\n")
    assert result.exit_code in (1, 2)
    assert "Error: " in result.stderr


# --- file -----------------------------------------------------------------------------


def test_file_prints_one_json_document_and_logs_elsewhere(home):
    result = ok("file", "paper jam at the desk", "--from", "nurse.sample@example.org", "--unit", "4 West", "--json")
    filed = document(result)
    wanted = {"ref": "IT-1", "requester": "nurse.sample@example.org", "unit": "4 West", "model_version": "v1"}
    assert wanted.items() <= filed.items()
    assert {"route", "category", "confidence", "priority", "team"} <= filed.keys()
    assert "decided" in result.stderr


def test_file_says_in_words_what_will_happen(home):
    said = ok("file", "clicked a phishing link and typed my password").stdout
    assert said.startswith("IT-1  security")
    assert "because" in said


def test_each_filed_text_is_a_ticket_of_its_own(home):
    refs = [document(ok("file", "paper jam", "--json"))["ref"] for _ in range(2)]
    assert refs == ["IT-1", "IT-2"]


def test_file_works_before_any_model_exists():
    filed = document(ok("file", "paper jam", "--json"))
    assert filed["route"] == "human_review"
    assert any("no model" in reason for reason in filed["reasons"])


@pytest.mark.parametrize(
    "data",
    [
        b"paper jam \xff\xfe\xfa",
        b"paper\x00jam",
        "imprimante \U0001f5a8 cass\u00e9e".encode(),
        b"\xef\xbb\xbfpaper jam",
    ],
    ids=["invalid UTF-8", "NUL", "emoji and accents", "byte order mark"],
)
def test_file_takes_any_bytes_from_stdin(home, data):
    assert document(ok("file", "-", "--json", stdin=data))["ref"] == "IT-1"


def test_file_keeps_the_start_of_a_megabyte_and_says_so(home):
    filed = document(ok("file", "-", "--json", stdin=b"paper jam " * 100_000))
    assert filed["truncated"] is True
    assert filed["text"].startswith("paper jam paper jam")


def test_file_takes_an_argument_that_is_not_utf_8(home):
    assert document(ok("file", f"paper{LONE}jam", "--json"))["text"].startswith("paper")


def test_file_neither_prints_nor_logs_a_patients_identifiers(home):
    result = ok("file", "label of patient Testy McTestface MRN 00123456 is blank", "--json")
    assert "McTestface" not in result.stdout + result.stderr
    assert "00123456" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("args", "field"),
    [
        (["file", ""], "text"),
        (["file", " \t\n"], "text"),
        (["file", "-"], "text"),
        (["file"], "TEXT"),
        (["file", "paper jam", "--from", "nurse"], "requester"),
        (["file", "paper jam", "--from", "nurse@a@b"], "requester"),
        (["file", "paper jam", "--unit", "x" * 101], "unit"),
        (["file", "paper jam", "--device", "x" * 101], "device"),
    ],
    ids=["empty", "blank", "empty stdin", "no text", "no mail", "two @", "long unit", "long device"],
)
def test_file_refuses_what_is_no_message_and_names_the_field(home, args, field):
    assert field in refused(2, *args)
    assert stored_tickets(home) == 0


# --- classify and redact --------------------------------------------------------------

CSV_IN = "id,text\na,paper jam in the label printer\n007,clicked a phishing link and typed my password\n"
JSONL_IN = (
    '{"id": "a", "text": "paper jam in the label printer"}\n\n'
    '{"id": 7, "text": "clicked a phishing link and typed my password"}\n'
)
CLASSIFIED = {
    "id", "category", "top", "confidence", "route", "team", "priority", "action", "language", "reasons",
    "masked_text", "model_version",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "ids"),
    [("in.csv", CSV_IN, ["a", "007"]), ("in.jsonl", JSONL_IN, ["a", 7])],
    ids=["CSV", "JSONL"],
)
@pytest.mark.parametrize("by", ["file", "stdin"])
def test_classify_answers_every_row_in_order(home, tmp_path, by, name, content, ids):
    if by == "file":
        result = ok("classify", "--input", a_file(tmp_path, name, content))
    else:
        result = ok("classify", "--input", "-", stdin=content)
    rows = rows_of(result.stdout)
    assert [row["id"] for row in rows] == ids
    assert all(row.keys() == CLASSIFIED for row in rows)
    assert rows[1]["route"] == "security"


def test_classify_gives_the_three_likeliest_categories_most_likely_first(home):
    (row,) = rows_of(ok("classify", stdin="text\npaper jam in the label printer of the desk\n").stdout)
    likely = [probability for _, probability in row["top"]]
    assert row["top"][0][0] == "printer"
    assert len(likely) == 3
    assert likely == sorted(likely, reverse=True)


def test_classify_stores_nothing(home):
    ok("classify", stdin=CSV_IN)
    assert stored_tickets(home) == 0


def test_classify_writes_a_file_and_leaves_stdout_alone(home, tmp_path):
    result = ok("classify", "--output", tmp_path / "out.jsonl", stdin=CSV_IN)
    assert result.stdout == ""
    assert len(rows_of((tmp_path / "out.jsonl").read_text(encoding="utf-8"))) == 2


def test_classify_asks_the_model_it_was_told_to(home):
    second_model(home)
    (row,) = rows_of(ok("classify", "--model", "v2", stdin="text\npaper jam\n").stdout)
    assert row["model_version"] == "v2"


def test_classify_names_a_model_that_does_not_exist(home):
    assert "v99" in refused(1, "classify", "--model", "v99", stdin=CSV_IN)


def test_classify_without_a_model_leaves_every_row_to_a_person():
    rows = rows_of(ok("classify", stdin="text\npaper jam\nno dial tone\n").stdout)
    assert [(row["category"], row["route"]) for row in rows] == [(None, "human_review")] * 2


def test_classify_masks_what_it_prints(home):
    (row,) = rows_of(ok("classify", stdin='{"text": "mail of Mr Sampleman, 416-555-0199"}').stdout)
    assert row["masked_text"] == "mail of Mr [NAME-1], [PHONE-1]"


@pytest.mark.parametrize("text", ["", "   ", "\\u0000"], ids=["empty", "blank", "NUL alone"])
def test_an_empty_text_in_a_batch_is_left_to_a_person_and_the_rows_after_it_are_answered(home, text):
    lines = f'{{"id": 1, "text": "{text}"}}\n{{"id": 2, "text": "paper jam"}}\n'
    rows = rows_of(ok("classify", stdin=lines).stdout)
    assert [row["id"] for row in rows] == [1, 2]
    assert (rows[0]["category"], rows[0]["route"]) == (None, "human_review")


def test_redact_gives_offsets_in_code_points_of_the_input(tmp_path):
    text = "\U0001f5a8 e\u0301tiquette de Mr Sampleman, appeler 416-555-0199"
    (row,) = rows_of(ok("redact", stdin=json.dumps({"id": "x", "text": text})).stdout)
    assert [(text[s["start"] : s["end"]], s["type"]) for s in row["spans"]] == [
        ("Sampleman", "NAME"),
        ("416-555-0199", "PHONE"),
    ]
    assert row["masked_text"] == redact(text).text


def test_redact_reads_csv_and_writes_a_file(tmp_path):
    source = a_file(tmp_path, "in.csv", "id,text\n1,call 416-555-0199\n2,no identifier\n")
    assert ok("redact", "--input", source, "--output", tmp_path / "out.jsonl").stdout == ""
    rows = rows_of((tmp_path / "out.jsonl").read_text(encoding="utf-8"))
    assert [(row["id"], row["masked_text"]) for row in rows] == [("1", "call [PHONE-1]"), ("2", "no identifier")]


def test_redact_needs_neither_database_nor_model(tmp_path):
    ok("redact", stdin="text\npaper jam\n")
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    ("command", "content", "count"),
    [
        ("redact", "text\n", 0),
        ("redact", "\ufefftext\npaper jam\n", 1),
        ("redact", "text\r\npaper jam\r\n", 1),
        ("redact", 'text\n"a\x00b"\n', 1),
        ("redact", '{"text": "a\\u0000b"}\n', 1),
        ("classify", "text\n", 0),
        ("classify", '{"text": "a\\u0000b"}\n', 1),
    ],
    ids=[
        "no rows",
        "byte order mark",
        "Windows",
        "NUL in CSV",
        "NUL in JSON",
        "no rows to classify",
        "NUL to classify",
    ],
)
def test_odd_but_readable_input_is_read(home, command, content, count):
    assert len(rows_of(ok(command, stdin=content.encode()).stdout)) == count


@pytest.mark.parametrize("command", ["classify", "redact"])
def test_a_text_of_a_megabyte_is_one_row(home, command):
    (row,) = rows_of(ok(command, stdin=b"text\n" + b"paper jam " * 100_000).stdout)
    assert row["masked_text"].startswith("paper jam")


BROKEN = {
    "nothing at all": (b"", "text"),
    "CSV without text": (b"id,words\n1,paper jam\n", ":1:"),
    "too many cells": (b"id,text\n1,paper jam\n2,paper,jam\n", ":3:"),
    "too few cells": (b"id,text\n1\n", ":2:"),
    "open quote": (b'text\nfine\n"never closed\n', ":3:"),
    "id twice in CSV": (b"id,text\na,paper jam\nb,x\na,no tone\n", ":4:"),
    "not UTF-8": (b"text\nfine\npaper \xff jam\n", ":3:"),
    "not UTF-8 in JSONL": (b'{"text": "fine"}\n{"text": "\xff"}\n', ":2:"),
    "broken JSON": (b'{"text": "fine"}\n{"text": \n', ":2:"),
    "JSONL that turns into a list": (b'{"text": "fine"}\n["paper jam"]\n', ":2:"),
    "JSON list": (b'["paper jam"]\n', ":1:"),
    "text is a number": (b'{"text": 7}\n', ":1:"),
    "text is missing": (b'{"id": "a"}\n', ":1:"),
    "id is a list": (b'{"id": [1], "text": "x"}\n', ":1:"),
    "id twice in JSONL": (b'{"id": 1, "text": "x"}\n{"id": 1, "text": "y"}\n', ":2:"),
    "endless nesting": (b'{"text": ' + b"[" * 100_000 + b"\n", ":1:"),
    "a number too long to read": (b'{"text": "x", "id": ' + b"9" * 10_000 + b"}\n", ":1:"),
}


def refused_by_line(command, source, named):
    result = run(command, "--input", source)
    assert result.exit_code == 2
    assert str(source) in fault(result)
    assert named in fault(result)


@pytest.mark.parametrize(("content", "named"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_input_is_refused_by_file_and_line(tmp_path, content, named):
    refused_by_line("redact", a_file(tmp_path, "broken.in", content), named)


@pytest.mark.parametrize("case", ["CSV without text", "not UTF-8", "broken JSON", "id twice in CSV"])
def test_classify_refuses_broken_input_in_the_same_words(home, tmp_path, case):
    content, named = BROKEN[case]
    refused_by_line("classify", a_file(tmp_path, "broken.in", content), named)


@pytest.mark.parametrize("command", ["classify", "redact"])
@pytest.mark.parametrize("name", ["missing.csv", "folder"])
def test_input_that_is_no_file_is_refused(home, tmp_path, command, name):
    (tmp_path / "folder").mkdir()
    assert name in refused(2, command, "--input", tmp_path / name)


@pytest.mark.parametrize(
    ("command", "target"),
    [
        ("redact", "nowhere/out.jsonl"),
        ("redact", "folder"),
        ("redact", "blocker/out.jsonl"),
        ("redact", "/dev/full"),
        ("classify", "folder"),
    ],
)
def test_output_that_cannot_be_written_is_refused(home, tmp_path, command, target):
    (tmp_path / "folder").mkdir()
    a_file(tmp_path, "blocker", "a file")
    assert target in refused(2, command, "--output", tmp_path / target, stdin=CSV_IN)


@pytest.mark.parametrize("command", ["classify", "redact"])
def test_naming_one_file_as_input_and_output_does_not_lose_the_input(home, tmp_path, command):
    both = a_file(tmp_path, "both.csv", CSV_IN)
    result = run(command, "--input", both, "--output", both)
    if result.exit_code == 0:
        assert len(rows_of(both.read_text(encoding="utf-8"))) == 2
    else:
        assert both.read_text(encoding="utf-8") == CSV_IN


# --- models ---------------------------------------------------------------------------


def test_train_prints_the_card_as_one_document_and_promotes(tiny):
    card = document(ok("train", "--data", tiny, "--promote", "--json"))
    assert (card["version"], card["rows"], sorted(card["labels"])) == ("v1", len(TINY), sorted(PHRASES))
    listed = document(ok("models", "--json"))
    assert (listed["live"], [row["version"] for row in listed["models"]]) == ("v1", ["v1"])


def test_a_model_trained_without_promote_waits(tiny):
    said = ok("train", "--data", tiny, "--name", "candidate").stdout
    assert "triage promote candidate" in said
    assert document(ok("models", "--json"))["live"] is None


def test_any_label_set_can_be_learned(tmp_path):
    rows = [("the cat sat", "animal"), ("a dog ran", "animal"), ("the car drove", "machine"), ("a bus came", "machine")]
    data = a_file(tmp_path, "other.csv", csv_text([("text", "label"), *rows]))
    assert document(ok("train", "--data", data, "--json"))["labels"] == {"animal": 2, "machine": 2}


def test_a_name_that_is_taken_is_refused_before_the_work(home, tiny):
    assert "'v1'" in refused(2, "train", "--data", tiny, "--name", "v1")


BAD_DATA = {
    "no text column": ("in.csv", b"words,label\nx,y\n", ":1:"),
    "no label column": ("in.csv", b"text\npaper jam\n", ":1:"),
    "too few cells": ("in.csv", b"text,label\npaper jam\n", ":2:"),
    "empty text": ("in.csv", b"text,label\nx,a\n ,b\n", ":3: text"),
    "empty label": ("in.csv", b"text,label\nx,a\ny,\n", ":3: label"),
    "id twice": ("in.csv", b"id,text,label\n1,x,a\n1,y,b\n", ":3:"),
    "no rows": ("in.csv", b"text,label\n", ""),
    "nothing": ("in.csv", b"", ""),
    "not UTF-8": ("in.csv", b"text,label\nx,a\n\xff,b\n", ":3:"),
    "open quote": ("in.csv", b'text,label\n"x,a\n', ""),
    "not gzip": ("in.csv.gz", b"text,label\n", ""),
    "gzip cut short": ("in.csv.gz", gzip.compress(b"text,label\nx,a\n" * 50)[:30], ""),
    "gzip spoilt": ("in.csv.gz", gzip.compress(b"text,label\n")[:10] + b"\xff" * 20, ""),
}


@pytest.mark.parametrize(("name", "content", "named"), BAD_DATA.values(), ids=BAD_DATA.keys())
def test_labelled_rows_that_cannot_be_used_are_named(tmp_path, name, content, named):
    data = a_file(tmp_path, name, content)
    assert f"{data}{named}" in refused(2, "train", "--data", data)


@pytest.mark.parametrize("case", ["no label column", "empty label", "not UTF-8"])
def test_evaluate_refuses_such_rows_too(home, tmp_path, case):
    name, content, named = BAD_DATA[case]
    data = a_file(tmp_path, name, content)
    assert f"{data}{named}" in refused(2, "evaluate", "--data", data)


@pytest.mark.parametrize("command", ["train", "evaluate"])
@pytest.mark.parametrize("name", ["missing.csv.gz", "folder"])
def test_labelled_rows_that_are_no_file_are_named(home, tmp_path, command, name):
    (tmp_path / "folder").mkdir()
    assert name in refused(2, command, "--data", tmp_path / name)


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([("paper jam", "printer"), ("no toner", "printer")], "label"),
        ([("paper jam", "printer"), ("no toner", "printer"), ("no tone", "phone")], "'phone'"),
        ([("??", "a"), ("!!", "a"), ("...", "b"), ("--", "b")], "text"),
        ([("I", "a"), ("a", "a"), ("x", "b"), ("y", "b")], "text"),
    ],
    ids=["one label", "a label with one row", "no words at all", "only one-letter words"],
)
def test_rows_that_nobody_could_learn_from_are_refused_by_file(home, tmp_path, rows, named):
    data = a_file(tmp_path, "poor.csv", csv_text([("text", "label"), *rows]))
    sentence = refused(2, "train", "--data", data)
    assert named in sentence
    assert "poor.csv" in sentence


def test_evaluate_prints_the_contracts_figures(home, tiny):
    figures = document(ok("evaluate", "--data", tiny, "--json"))
    assert {"n", "accuracy", "macro_f1", "per_class", "ece", "coverage_at_precision"} <= figures.keys()
    assert figures["n"] == len(TINY)
    assert figures["per_class"].keys() == PHRASES.keys()
    assert "0.95" in figures["coverage_at_precision"]


def test_evaluate_says_the_same_in_words(home, tiny):
    said = ok("evaluate", "--data", tiny).stdout
    assert said.startswith(f"Model v1 on {len(TINY)} rows")
    assert "security_incident" in said


def test_evaluate_refuses_labels_that_the_model_cannot_give(home, tmp_path):
    data = a_file(tmp_path, "other.csv", "text,label\nthe cat sat,animal\n")
    assert "animal" in refused(2, "evaluate", "--data", data)


def test_evaluate_needs_rows(home):
    assert "--data" in refused(2, "evaluate")


def test_evaluate_needs_a_model_that_exists(home, tiny):
    assert "v99" in refused(1, "evaluate", "--data", tiny, "--model", "v99")


def test_evaluate_without_any_model_says_what_to_do(tiny):
    assert "triage train --promote" in refused(1, "evaluate", "--data", tiny)


def test_models_of_an_empty_home_are_none():
    assert document(ok("models", "--json")) == {"live": None, "models": []}
    assert "triage train --promote" in ok("models").stdout


def test_promote_and_rollback_go_there_and_back(home):
    second_model(home)
    ok("promote", "v2", "--reason", "better on night shifts")
    assert document(ok("models", "--json"))["live"] == "v2"
    ok("rollback", "--reason", "worse on printers")
    assert document(ok("models", "--json"))["live"] == "v1"
    assert document(ok("file", "paper jam", "--json"))["model_version"] == "v1"


def test_promotion_and_its_reason_are_audited(home):
    second_model(home)
    ok("promote", "v2", "--reason", "better on night shifts")
    ((action, data),) = sql(home, "SELECT action, data FROM audit WHERE subject = 'v2'")
    assert action == "promote_model"
    assert json.loads(data)["reason"] == "better on night shifts"


@pytest.mark.parametrize(
    ("args", "code", "named"),
    [
        (["promote", "v99", "--reason", "better"], 1, "v99"),
        (["promote", "v1", "--reason", "better"], 1, "live already"),
        (["promote", "v2"], 2, "--reason"),
        (["promote", "--reason", "better"], 2, "VERSION"),
        (["rollback", "--reason", "worse"], 1, "no earlier model"),
        (["rollback"], 2, "--reason"),
    ],
    ids=["unknown", "live already", "no reason", "no version", "nothing before", "rollback without reason"],
)
def test_a_promotion_that_makes_no_sense_is_refused(home, args, code, named):
    assert named in refused(code, *args)


def test_a_tampered_model_never_becomes_live(home):
    second_model(home)
    tamper(home, "v2")
    assert "altered" in refused(1, "promote", "v2", "--reason", "better")
    assert document(ok("models", "--json"))["live"] == "v1"


# --- policy, database, accounts -------------------------------------------------------


def test_the_built_in_policy_is_sound():
    assert "10 categories" in ok("check-policy").stdout


def test_check_policy_prints_the_contracts_document():
    found = document(ok("check-policy", "--json"))
    (security,) = [team for team in found["teams"] if team["slug"] == "security"]
    assert {"slug", "label", "slack_channel", "restricted"} <= security.keys()
    assert security["restricted"] is True
    assert {"printer", "security_incident"} <= {row["slug"] for row in found["categories"]}
    assert found["thresholds"]["printer"] == 0.7
    assert found["sla"]["P1"] == {"respond": 15, "resolve": 240}


def test_check_policy_checks_the_file_that_the_environment_names(tmp_path):
    mine = a_file(tmp_path, "mine.yaml", BUILT_IN.read_text(encoding="utf-8").replace("printer:", "printing:"))
    found = document(ok("check-policy", "--json", env={"TRIAGE_POLICY": str(mine)}))
    assert "printing" in {row["slug"] for row in found["categories"]}


def edited(old, new):
    """Return the built-in policy with one edit, and the line of the edit."""
    text = BUILT_IN.read_text(encoding="utf-8")
    assert old in text
    return text.replace(old, new, 1), text[: text.index(old)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("timezone: America/Toronto", "timezone: America/Toront"),
        ("review_team: service_desk", "review_team: nobody"),
        ("version: 1", "colour: blue\nversion: 1"),
        ("timezone: America/Toronto", "timezone: [America/Toronto"),
        ("    holidays: [2026-12-25,", "    holidays: [2026-13-45,"),
    ],
    ids=["unknown zone", "unknown team", "unknown key", "open bracket", "no such day"],
)
def test_a_broken_policy_is_refused_by_file_and_line(tmp_path, old, new):
    text, line = edited(old, new)
    path = a_file(tmp_path, "broken.yaml", text)
    sentence = refused(2, "check-policy", path)
    assert sentence.startswith(f"Error: {path}:")
    # A parser may notice the fault only where the next line begins.
    assert int(sentence.removeprefix(f"Error: {path}:").split(":")[0]) in range(line, line + 4)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  office:", "  office: &office\n    again: *office"),
        ("timezone: America/Toronto", "timezone: " + "[" * 1200),
    ],
    ids=["alias of itself", "nesting"],
)
def test_a_policy_without_an_end_is_refused_by_file(tmp_path, old, new):
    path = a_file(tmp_path, "endless.yaml", edited(old, new)[0])
    assert refused(2, "check-policy", path).startswith(f"Error: {path}:")


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b"", b"- a\n- b\n", b"a: \x00\n"], ids=["bytes", "empty", "list", "NUL"]
)
def test_a_file_that_is_no_policy_is_refused(tmp_path, content):
    assert "odd.yaml" in refused(2, "check-policy", a_file(tmp_path, "odd.yaml", content))


@pytest.mark.parametrize("name", ["missing.yaml", "folder"])
def test_a_policy_that_is_no_file_is_refused(tmp_path, name):
    (tmp_path / "folder").mkdir()
    assert name in refused(2, "check-policy", tmp_path / name)


def test_a_broken_policy_stops_every_command_that_would_decide(tmp_path):
    path = a_file(tmp_path, "broken.yaml", edited("review_team: service_desk", "review_team: nobody")[0])
    assert "broken.yaml" in refused(2, "file", "paper jam", env={"TRIAGE_POLICY": str(path)})


def test_init_may_be_run_again():
    assert ok("init").stdout == ok("init").stdout


def the_account(home, email):
    database = engine.open_engine(f"sqlite:///{home / 'triage.db'}")
    with database.connect() as conn:
        found = people.user(conn, email)
    database.dispose()
    return found


@pytest.mark.parametrize("line_end", ["\n", "\r\n", ""], ids=["Unix", "Windows", "none"])
def test_a_new_account_has_the_password_from_stdin(home, line_end):
    ok("user", "add", "Nurse@Example.org", "--role", "viewer", "--password-stdin", stdin=PASSWORD + line_end)
    account = the_account(home, "nurse@example.org")
    assert account.role == "viewer"
    assert check_password_hash(account.password_hash, PASSWORD)
    assert PASSWORD not in account.password_hash


def test_adding_an_account_again_changes_its_role_and_password(home):
    for role, password in (("viewer", PASSWORD), ("agent", PASSWORD[::-1])):
        ok("user", "add", "nurse@example.org", "--role", role, "--password-stdin", stdin=password)
    account = the_account(home, "nurse@example.org")
    assert account.role == "agent"
    assert not check_password_hash(account.password_hash, PASSWORD)


@pytest.mark.parametrize("password", ["", "\n", "short", "elevenchars"], ids=["none", "empty", "short", "eleven"])
def test_a_password_under_twelve_characters_is_refused(home, password):
    result = refused(2, "user", "add", "nurse@example.org", "--role", "viewer", "--password-stdin", stdin=password)
    assert "12 characters" in result
    assert the_account(home, "nurse@example.org") is None


@pytest.mark.parametrize(
    "email", ["", "nurse", "nurse@", "@example.org", "@", "a@b@example.org", "a b@example.org", "x" * 320 + "@a.org"]
)
def test_an_account_needs_an_e_mail_address(home, email):
    sentence = refused(2, "user", "add", email, "--role", "viewer", "--password-stdin", stdin=PASSWORD)
    assert "EMAIL" in sentence


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (["user", "add", "nurse@example.org", "--password-stdin"], "--role"),
        (["user", "add", "nurse@example.org", "--role", "root", "--password-stdin"], "root"),
        (["user", "remove", "nurse@example.org"], "remove"),
        (["token", "add", "scanner", "--scope", "tickets:read,tickets:burn"], "tickets:burn"),
        (["token", "add", "  "], "NAME"),
        (["token", "add", "x" * 37], "NAME"),
        (["seed", "0"], "0"),
        (["seed", "-3"], "-3"),
        (["seed", "many"], "many"),
        (["seed", "5000001"], "5000001"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_accounts_tokens_and_seeds_with_wrong_arguments_are_refused(home, args, named):
    assert named in refused(2, *args, stdin=PASSWORD)


def test_a_token_is_printed_once_and_only_its_digest_is_kept(home):
    secret = ok("token", "add", "scanner", "--scope", "tickets:read, security:read").stdout.strip()
    ((digest, scopes),) = sql(home, "SELECT digest, scopes FROM tokens WHERE name = 'scanner'")
    assert json.loads(scopes) == ["tickets:read", "security:read"]
    assert len(secret) >= 32
    assert secret not in digest


def test_a_token_of_the_same_name_replaces_the_first(home):
    secrets = {ok("token", "add", "scanner").stdout for _ in range(2)}
    assert len(secrets) == 2
    assert sql(home, "SELECT count(*) FROM tokens") == [(1,)]


# --- backup, restore, verify ----------------------------------------------------------


@pytest.mark.parametrize("name", ["copie d\u00e9cembre.db", "copy #1.db", "copy?.db", "50%25.db"])
def test_a_backup_fills_an_empty_home_whatever_its_name_is(home, tmp_path, name):
    ok("backup", tmp_path / name)
    elsewhere = {"TRIAGE_HOME": str(tmp_path / "other"), "TRIAGE_SECRET_KEY": (home / "secret.key").read_text("ascii")}
    assert "Restored" in ok("restore", tmp_path / name, env=elsewhere).stdout
    ok("verify", env=elsewhere)
    assert sql(tmp_path / "other", "SELECT version, reason FROM promotions") == sql(
        home, "SELECT version, reason FROM promotions"
    )


def test_a_backup_is_readable_by_its_owner_alone(home, tmp_path):
    ok("backup", tmp_path / "copy.db")
    assert (tmp_path / "copy.db").stat().st_mode & 0o077 == 0


def test_a_backup_never_overwrites(home, tmp_path):
    precious = a_file(tmp_path, "copy.db", "something precious")
    assert "exists already" in refused(1, "backup", precious)
    assert precious.read_text(encoding="utf-8") == "something precious"


@pytest.mark.parametrize("target", ["nowhere/copy.db", "folder", "blocker/copy.db", "x" * 300])
def test_a_backup_that_cannot_be_written_is_one_sentence_and_leaves_nothing(home, tmp_path, target):
    (tmp_path / "folder").mkdir()
    a_file(tmp_path, "blocker", "a file")
    before = sorted(tmp_path.iterdir())
    assert target in refused(1, "backup", tmp_path / target)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("content", [None, b"", b"shopping list\n" * 500], ids=["missing", "empty", "garbage"])
def test_a_restore_from_what_is_no_backup_is_one_sentence(tmp_path, content):
    if content is not None:
        a_file(tmp_path, "copy.db", content)
    result = run("restore", tmp_path / "copy.db")
    assert result.exit_code in (1, 2)
    assert "copy.db" in fault(result)


def test_a_restore_never_mixes_with_what_is_there(home, tmp_path):
    ok("backup", tmp_path / "copy.db")
    ok("file", "paper jam")
    assert "not empty" in refused(1, "restore", tmp_path / "copy.db")
    assert stored_tickets(home) == 1


def test_verify_finds_nothing_wrong_with_an_honest_home(home):
    ok("file", "paper jam")
    assert "whole" in ok("verify").stdout


def test_verify_names_a_model_with_a_flipped_bit(home):
    second_model(home)
    tamper(home, "v2")
    result = run("verify")
    assert result.exit_code == 1
    assert "model v2: " in result.stderr
    assert "model v1: " not in result.stderr


def test_verify_names_an_audit_row_that_was_altered(home):
    ok("file", "paper jam")
    sql(home, "UPDATE audit SET actor = 'somebody else' WHERE id = 2")
    result = run("verify")
    assert result.exit_code == 1
    assert "audit row 2 " in result.stderr
    assert "audit row 1 " not in result.stderr


def test_verify_names_an_audit_row_that_was_deleted(home):
    ok("file", "paper jam")
    sql(home, "DELETE FROM audit WHERE id = 1")
    result = run("verify")
    assert result.exit_code == 1
    assert "audit row 1 is missing" in result.stderr


def test_verify_with_another_key_finds_everything_foreign(home):
    result = run("verify", env={"TRIAGE_SECRET_KEY": LONG_KEY})
    assert result.exit_code == 1
    assert "model v1: " in result.stderr
    assert "audit row 1 " in result.stderr


def test_a_tampered_live_model_still_lets_tickets_in(home):
    tamper(home)
    filed = document(ok("file", "paper jam", "--json"))
    assert (filed["route"], filed["category"]) == ("human_review", None)


# --- seed, doctor, servers ------------------------------------------------------------


def test_seed_adds_as_many_tickets_as_asked(home):
    assert "25" in ok("seed", "25", "--seed", "7").stdout
    assert stored_tickets(home) == 25


def test_seed_is_refused_in_production(home):
    production = {"TRIAGE_ENV": "production", "TRIAGE_SECRET_KEY": LONG_KEY}
    assert "production" in refused(1, "seed", "25", env=production)
    assert stored_tickets(home) == 0


def check_up(**more):
    result = run("doctor", "--json", **more)
    checks = document(result)["checks"]
    assert {row["state"] for row in checks} <= {"ok", "failing", "not configured"}
    failing = [row["name"] for row in checks if row["state"] == "failing"]
    assert result.exit_code == (1 if failing else 0)
    return failing


def test_doctor_finds_a_trained_home_well(home):
    assert check_up() == []


def test_doctor_misses_the_model_of_an_empty_home():
    ok("init")
    assert check_up() == ["model"]


def test_doctor_reports_a_tampered_model(home):
    tamper(home)
    assert check_up() == ["model"]


def test_doctor_reports_a_garbage_database(home):
    a_file(home, "triage.db", b"shopping list\n" * 500)
    assert {"database", "model"} <= set(check_up())


def test_doctor_reports_settings_that_cannot_be_used():
    assert check_up(env={"TRIAGE_PORT": "many"}) == ["settings"]


def test_doctor_reports_a_policy_that_is_missing(home):
    assert "policy" in check_up(env={"TRIAGE_POLICY": "/nowhere/policy.yaml"})


def test_every_failing_check_says_what_to_do():
    for row in document(run("doctor", "--json"))["checks"]:
        assert row["advice"] or row["state"] == "ok"


def test_doctor_says_the_same_in_words(home):
    said = ok("doctor").stdout
    assert "v1 is live" in said


# --- as a real process ----------------------------------------------------------------


def process(*args, stdin=b"", stdout=subprocess.PIPE, **env):
    """Run `python -m triage` as its own process, on the test's own home."""
    return subprocess.run(
        [sys.executable, "-m", "triage", *args],
        input=stdin,
        stdout=stdout,
        stderr=subprocess.PIPE,
        env=os.environ | env,
        cwd=ROOT,
        timeout=60,
        check=False,
    )


def test_a_real_process_takes_bytes_that_are_not_utf_8_and_prints_json_alone():
    done = process("file", b"paper\xff jam", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["ref"] == "IT-1"
    assert b"decided" in done.stderr


def test_a_real_process_prints_a_lone_surrogate_without_breaking():
    done = process("redact", stdin=b'{"id": "\\ud800", "text": "call \\ud800 416-555-0199"}\n')
    assert done.returncode == 0
    assert json.loads(done.stdout)["spans"] == [{"start": 7, "end": 19, "type": "PHONE"}]


def test_a_real_process_ends_with_two_for_bad_input():
    done = process("redact", stdin=b"id,words\n1,paper jam\n")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"Error: -:1: ")


def test_a_real_process_ends_quietly_when_nobody_reads_on():
    reader, writer = os.pipe()
    os.close(reader)
    done = process("redact", stdin=b"text\n" + b"paper jam\n" * 20_000, stdout=writer)
    os.close(writer)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


def test_a_port_that_is_taken_is_one_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = process("web", TRIAGE_PORT=port)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith(f"Error: cannot listen on 127.0.0.1:{port}".encode())
    assert b"Traceback" not in done.stderr
