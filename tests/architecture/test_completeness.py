"""Lists that must agree: forgetting a step of a recipe turns one of these red."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from builders import POLICY
from models.dataset import OUT_OF_SCOPE
from parts import StandIn
from triage import settings
from triage.cli import COMMANDS, cli
from triage.roles import PERMISSIONS, ROLES
from triage.settings import Settings
from web.app import create_app

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("triage", "models", "web", "bot")
CONTRACT_CATEGORIES = {
    "printer",
    "account_access",
    "email_collaboration",
    "workstation_software",
    "clinical_application",
    "network_connectivity",
    "telephony_paging",
    "equipment_request",
    "device_downtime",
    "security_incident",
}
# What operators' scripts set: these names are public.
CONTRACT_VARIABLES = {
    "TRIAGE_HOME",
    "TRIAGE_DATABASE_URL",
    "TRIAGE_SECRET_KEY",
    "TRIAGE_DATA_KEYS",
    "TRIAGE_BACKUP_RECIPIENTS",
    "TRIAGE_ENV",
    "TRIAGE_POLICY",
    "TRIAGE_URL",
    "TRIAGE_HOST",
    "TRIAGE_PORT",
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
    "SLACK_SIGNING_SECRET",
    "SLACK_API_URL",
}

LONGEST_FUNCTION = 45  # lines
LONG_FUNCTIONS: dict[str, str] = {}  # path:name -> why it is clearer in one piece
LONGEST_MODULE = 320  # lines of a module of triage
LONG_MODULES = {  # path -> why it is clearer in one piece
    "triage/store/tables.py": "the whole shape of the database, one table after the other",
    "triage/policy.py": "the shape of the file and everything it is refused for, side by side",
}
# Alembic's own form: one long list of tables, written once and never changed afterwards.
MIGRATIONS = ROOT / "triage" / "store" / "migrations" / "versions"


def modules_of(*folders):
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert found
    return found


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


# --- categories -----------------------------------------------------------------------


def test_every_category_has_examples_and_every_example_a_category():
    examples = {path.stem for path in (ROOT / "training_data").glob("*.csv")}
    assert set(POLICY.categories) == examples - {OUT_OF_SCOPE}


def test_texts_that_are_not_for_it_have_examples_too():
    assert (ROOT / "training_data" / f"{OUT_OF_SCOPE}.csv").is_file()


def test_every_category_of_the_contract_exists():
    assert set(POLICY.categories) >= CONTRACT_CATEGORIES


# --- routes and permissions -----------------------------------------------------------


@pytest.fixture
def views(sqlite_services):
    """Every view of the web by its endpoint, but for Flask's own one for public files."""
    found = dict(create_app(StandIn(sqlite_services, settings.load())).view_functions)
    found.pop("static")
    return found


def test_every_route_says_who_may_use_it(views):
    known = {"anyone", "token", *PERMISSIONS}
    assert {name for name, view in views.items() if getattr(view, "permission", None) not in known} == set()


def asked_in_code():
    """Permissions that a view or listener asks about itself: `person.may("...")`, `may(role, "...")`."""
    paths = modules_of("web", "bot")
    calls = [node for path in paths for node in ast.walk(parsed(path)) if isinstance(node, ast.Call)]
    asked = [call for call in calls if "may" in (getattr(call.func, "attr", ""), getattr(call.func, "id", ""))]
    return {call.args[-1].value for call in asked if isinstance(call.args[-1], ast.Constant)}


def test_every_permission_is_asked_for_somewhere_and_every_one_asked_for_exists(views):
    on_routes = {view.permission for view in views.values()} - {"anyone", "token"}
    assert on_routes | asked_in_code() == set(PERMISSIONS)


def test_every_permission_is_given_to_some_role_that_exists():
    for name, roles in PERMISSIONS.items():
        assert roles, name
        assert roles <= set(ROLES), name


# --- commands -------------------------------------------------------------------------


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_loads_and_explains_itself(name):
    result = CliRunner().invoke(cli, [name, "--help"])
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: cli {name}")
    assert COMMANDS[name][1].endswith(".")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_named_in_the_readme(name):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.search(rf"\b{name}\b", readme)


@pytest.mark.parametrize("target", ["help", "run", "test", "check", "bench"])
def test_make_has_the_target_and_help_explains_it(target):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE)
    assert target in re.search(r"^\.PHONY:(.*)$", makefile, re.MULTILINE).group(1).split()


# --- dependencies and settings --------------------------------------------------------


def pins():
    """Each pinned package of the lock and how many hashes it has."""
    found, name = {}, ""
    for line in (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"([A-Za-z0-9._-]+)(\[[a-z,]+\])?==", line):
            name = match.group(1)
            found[name] = 0
        elif line.strip().startswith("--hash=sha256:"):
            found[name] += 1
        else:
            assert not line.strip() or line.strip().startswith("#"), f"neither pin nor hash: {line}"
    return found


def test_every_pin_of_the_lock_has_a_hash():
    assert len(pins()) > 20
    assert {name for name, hashes in pins().items() if not hashes} == set()


def test_the_lock_names_no_address():
    assert "http" not in (ROOT / "requirements.lock").read_text(encoding="utf-8")


def test_every_dependency_is_pinned():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [line for some in project["optional-dependencies"].values() for line in some] + project["dependencies"]
    names = {re.match(r"[A-Za-z0-9._-]+", line).group().lower().replace("_", "-") for line in wanted}
    assert names - set(pins()) == set()


def variables_read():
    return {field.validation_alias for field in Settings.model_fields.values()}


def test_every_setting_is_one_of_the_contracts_variables():
    assert variables_read() <= CONTRACT_VARIABLES


@pytest.mark.parametrize("name", sorted(variables_read()))
def test_every_variable_that_is_read_is_named_in_the_readme(name):
    assert f"`{name}`" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_only_the_settings_read_the_environment():
    readers = {
        name_of(path)
        for path in modules_of(*PACKAGES)
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv")
    }
    assert readers == {"triage/settings.py"}


# --- the code itself ------------------------------------------------------------------


def test_every_module_says_what_it_is_for():
    modules = modules_of(*PACKAGES, "tests", "benchmarks")
    silent = [name_of(path) for path in modules if not ast.get_docstring(parsed(path))]
    assert silent == []


def long_functions():
    for path in modules_of(*PACKAGES):
        if path.parent == MIGRATIONS:
            continue
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = node.end_lineno - node.lineno + 1
                if lines > LONGEST_FUNCTION:
                    yield f"{name_of(path)}:{node.name}"


def test_functions_are_short_but_for_those_listed_with_a_reason():
    assert set(long_functions()) <= set(LONG_FUNCTIONS)


def long_modules():
    for path in modules_of("triage"):
        if path.parent != MIGRATIONS and len(path.read_text(encoding="utf-8").splitlines()) >= LONGEST_MODULE:
            yield name_of(path)


def test_modules_are_short_but_for_those_listed_with_a_reason():
    assert set(long_modules()) <= set(LONG_MODULES)
    assert all((ROOT / path).is_file() for path in LONG_MODULES)
