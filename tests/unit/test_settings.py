"""The environment is read once, every fault names its variable, and no secret is ever shown."""

import os
import stat
from pathlib import Path

import pytest

from triage import settings
from triage.settings import LEAST_SECRET, SettingsError

LONG_KEY = "correct-horse-battery-staple-0123456789"
PASSWORD = "hunter2hunter2"


@pytest.fixture
def home():
    """The data directory of this test, not made yet."""
    return Path(os.environ["TRIAGE_HOME"])


@pytest.fixture
def load(monkeypatch, tmp_path):
    """Set variables (a Path or bytes becomes a file's name), then read the environment."""

    def set_and_load(**variables):
        for name, value in variables.items():
            if isinstance(value, bytes):
                path = tmp_path / name.lower()
                path.write_bytes(value)
                value = path  # noqa: PLW2901 - the file stands for its content from here on
            monkeypatch.setenv(name, str(value))
        return settings.load()

    return set_and_load


def fault_of(load, **variables):
    with pytest.raises(SettingsError) as caught:
        load(**variables)
    return str(caught.value)


# --- what is read ---------------------------------------------------------------------


def test_with_nothing_set_one_small_machine_is_served(load, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRIAGE_HOME")
    found = load()
    assert (found.home, found.url, found.env) == (Path("var"), "sqlite:///var/triage.db", "development")
    assert (found.host, found.port, found.policy) == ("127.0.0.1", 8080, None)


def test_every_variable_is_read(load, tmp_path):
    found = load(
        TRIAGE_HOME=tmp_path / "data",
        TRIAGE_DATABASE_URL="postgresql+psycopg://db.example/triage",
        TRIAGE_SECRET_KEY=LONG_KEY,
        TRIAGE_ENV="production",
        TRIAGE_POLICY=tmp_path / "policy.yaml",
        TRIAGE_HOST="192.0.2.1",
        TRIAGE_PORT="9090",
    )
    assert (found.home, found.policy) == (tmp_path / "data", tmp_path / "policy.yaml")
    assert (found.url, found.key) == ("postgresql+psycopg://db.example/triage", LONG_KEY.encode())
    assert (found.env, found.host, found.port) == ("production", "192.0.2.1", 9090)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOME", "/nowhere"),
        ("HOST", "192.0.2.1"),
        ("PORT", "1"),
        ("ENV", "production"),
        ("POLICY", "/nowhere/policy.yaml"),
        ("DATABASE_URL", "sqlite:///elsewhere.db"),
        ("SECRET_KEY", LONG_KEY),
    ],
)
def test_a_variable_of_the_machine_is_not_taken_for_ours(load, monkeypatch, tmp_path, name, value):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRIAGE_HOME")
    before = load()
    assert load(**{name: value}) == before


def test_the_database_lies_in_the_data_directory_by_default(load, home):
    assert load().url == f"sqlite:///{home}/triage.db"


def test_settings_cannot_be_changed_later(load):
    with pytest.raises(ValueError, match="frozen"):
        load().port = 1


# --- secrets from files ---------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [LONG_KEY.encode(), LONG_KEY.encode() + b"\n", b"  " + LONG_KEY.encode() + b"\r\n"],
    ids=["plain", "line end", "spaces and Windows line end"],
)
def test_a_secret_may_come_from_a_file(load, content):
    assert load(TRIAGE_ENV="production", TRIAGE_SECRET_KEY_FILE=content).key == LONG_KEY.encode()


def test_the_databases_address_may_come_from_a_file(load):
    url = f"postgresql+psycopg://triage:{PASSWORD}@db.example/triage"
    assert load(TRIAGE_DATABASE_URL_FILE=f"{url}\n".encode()).url == url


def test_the_file_wins_over_the_variable(load):
    found = load(TRIAGE_SECRET_KEY="the old key that lay around", TRIAGE_SECRET_KEY_FILE=LONG_KEY.encode())
    assert found.key == LONG_KEY.encode()


@pytest.mark.parametrize(
    "name",
    ["TRIAGE_SECRET_KEY", "TRIAGE_DATABASE_URL", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"],
)
def test_a_file_that_is_missing_stops_the_start_and_is_named(load, tmp_path, name):
    path = tmp_path / "nowhere"
    fault = fault_of(load, **{f"{name}_FILE": path})
    assert fault.startswith(f"{name}_FILE: {path} ")


def test_a_folder_is_no_secret(load, tmp_path):
    assert fault_of(load, TRIAGE_SECRET_KEY_FILE=tmp_path).startswith(f"TRIAGE_SECRET_KEY_FILE: {tmp_path} ")


def test_a_file_that_is_not_text_is_no_secret(load):
    assert fault_of(load, TRIAGE_SECRET_KEY_FILE=b"\xff\xfe\x00").startswith("TRIAGE_SECRET_KEY_FILE: ")


@pytest.mark.parametrize("content", [b"", b"\n", b"  \n"], ids=["empty", "a line end", "blank"])
def test_an_empty_file_is_no_secret_in_production(load, content):
    assert "TRIAGE_SECRET_KEY" in fault_of(load, TRIAGE_ENV="production", TRIAGE_SECRET_KEY_FILE=content)


# --- production -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        None,
        "",
        "short",
        LONG_KEY[: LEAST_SECRET - 1],
        "x" * LEAST_SECRET,
        "ab" * LEAST_SECRET,
        "changeme" * 5,
        "password-" * 5,
        "hospital-triage " * 3,
    ],
    ids=[
        "missing",
        "empty",
        "short",
        "one too short",
        "one letter",
        "two letters",
        "a word",
        "a long word",
        "two words",
    ],
)
def test_production_refuses_a_missing_short_or_repeated_key(load, home, key):
    variables = {"TRIAGE_ENV": "production"} | ({} if key is None else {"TRIAGE_SECRET_KEY": key})
    assert "TRIAGE_SECRET_KEY" in fault_of(load, **variables)
    assert not (home / "secret.key").exists()


def test_production_takes_a_key_of_the_least_length(load):
    key = LONG_KEY[:LEAST_SECRET]
    assert load(TRIAGE_ENV="production", TRIAGE_SECRET_KEY=key).key == key.encode()


def test_production_does_not_use_the_key_that_development_made(load, home):
    load()
    assert (home / "secret.key").exists()
    assert "TRIAGE_SECRET_KEY" in fault_of(load, TRIAGE_ENV="production")


def test_development_takes_any_key(load, home):
    assert load(TRIAGE_SECRET_KEY="short").key == b"short"
    assert not (home / "secret.key").exists()


# --- the key that development makes ---------------------------------------------------


def test_development_makes_a_key_once_and_uses_it_again(load, home):
    first = load().key
    assert len(first) >= LEAST_SECRET
    assert load().key == first == (home / "secret.key").read_bytes()


def test_the_key_that_development_makes_would_do_for_production(load):
    key = load().key.decode()
    assert load(TRIAGE_ENV="production", TRIAGE_SECRET_KEY=key).key == key.encode()


def test_two_homes_have_two_keys(load, tmp_path):
    assert load(TRIAGE_HOME=tmp_path / "one").key != load(TRIAGE_HOME=tmp_path / "two").key


def test_only_its_owner_can_read_the_key_whatever_the_umask(load, home):
    before = os.umask(0)
    try:
        load()
    finally:
        os.umask(before)
    assert stat.S_IMODE((home / "secret.key").stat().st_mode) == 0o600


def test_a_key_of_the_operators_own_in_the_home_is_used(load, home):
    home.mkdir()
    (home / "secret.key").write_text(f"{LONG_KEY}\n", encoding="ascii")
    assert load().key == LONG_KEY.encode()


@pytest.mark.parametrize("content", [b"", b"\n", b" \n"], ids=["empty", "a line end", "blank"])
def test_an_empty_key_file_stops_the_start_with_what_to_do(load, home, content):
    home.mkdir()
    (home / "secret.key").write_bytes(content)
    fault = fault_of(load)
    assert f"{home}/secret.key" in fault
    assert "TRIAGE_SECRET_KEY" in fault


def test_a_key_file_that_is_not_text_stops_the_start_and_is_named(load, home):
    home.mkdir()
    (home / "secret.key").write_bytes(b"\xff\xfe\x00\x01")
    assert f"{home}/secret.key" in fault_of(load)


def test_a_key_file_that_is_a_folder_stops_the_start_and_is_named(load, home):
    (home / "secret.key").mkdir(parents=True)
    assert f"{home}/secret.key" in fault_of(load)


def test_a_home_that_is_a_file_stops_the_start_and_is_named(load, home):
    home.write_text("not a folder", encoding="ascii")
    assert f"TRIAGE_HOME: {home} " in fault_of(load)


def test_a_home_inside_a_file_stops_the_start_and_is_named(load, tmp_path):
    (tmp_path / "file").write_text("not a folder", encoding="ascii")
    assert f"TRIAGE_HOME: {tmp_path}/file/home " in fault_of(load, TRIAGE_HOME=tmp_path / "file" / "home")


# --- bad values -----------------------------------------------------------------------


@pytest.mark.parametrize("port", ["0", "-1", "65536", "80.5", "http", "", "8080 8081"])
def test_a_bad_port_is_named(load, port):
    assert fault_of(load, TRIAGE_PORT=port).startswith("TRIAGE_PORT: ")


@pytest.mark.parametrize("port", ["1", "8080", "65535"])
def test_a_good_port_is_used(load, port):
    assert load(TRIAGE_PORT=port).port == int(port)


@pytest.mark.parametrize("env", ["prod", "Production", "PRODUCTION", "test", "", "production "])
def test_a_bad_environment_is_named_with_what_is_allowed(load, env):
    fault = fault_of(load, TRIAGE_ENV=env)
    assert fault.startswith("TRIAGE_ENV: ")
    assert "'development' or 'production'" in fault


def test_all_faults_are_named_at_once(load):
    fault = fault_of(load, TRIAGE_ENV="prod", TRIAGE_PORT="http")
    assert "TRIAGE_ENV: " in fault
    assert "TRIAGE_PORT: " in fault


# --- no secret is shown ---------------------------------------------------------------


def test_settings_printed_show_no_key(load):
    found = load(TRIAGE_SECRET_KEY=LONG_KEY)
    assert LONG_KEY not in f"{found} {found!r} {found.model_dump()} {found.model_dump_json()}"


def test_settings_printed_show_no_password_of_the_database(load):
    found = load(TRIAGE_DATABASE_URL=f"postgresql+psycopg://triage:{PASSWORD}@db.example/triage")
    assert PASSWORD not in f"{found} {found!r}"


def test_settings_printed_show_no_key_that_development_made(load):
    found = load()
    assert found.key.decode() not in f"{found} {found!r}"


@pytest.mark.parametrize(
    "variables",
    [
        {"TRIAGE_ENV": "production", "TRIAGE_SECRET_KEY": PASSWORD},
        {"TRIAGE_ENV": "production", "TRIAGE_SECRET_KEY": PASSWORD * 3},
        {"TRIAGE_ENV": "production", "TRIAGE_SECRET_KEY_FILE": PASSWORD.encode()},
        {"TRIAGE_ENV": PASSWORD, "TRIAGE_SECRET_KEY": PASSWORD, "TRIAGE_PORT": "http"},
        {"TRIAGE_PORT": "0", "TRIAGE_DATABASE_URL": f"postgresql+psycopg://triage:{PASSWORD}@db.example/triage"},
        {"TRIAGE_SECRET_KEY_FILE": PASSWORD.encode() + b"\xff"},
    ],
    ids=["short", "repeated", "short from a file", "bad environment", "bad port", "half a text file"],
)
def test_a_fault_shows_no_secret(load, variables):
    assert PASSWORD not in fault_of(load, **variables)
