"""Owns the environment: the only reader of it; refuses default or short secrets in production."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from triage.seal import Keys, SealError, data_keys, with_recipients

LEAST_SECRET = 32  # characters
SECRETS = (
    "TRIAGE_SECRET_KEY",
    "TRIAGE_DATA_KEYS",
    "TRIAGE_DATABASE_URL",
    "SLACK_BOT_TOKEN",
    "SLACK_APP_TOKEN",
    "SLACK_SIGNING_SECRET",
)


class SettingsError(Exception):
    """The environment cannot be used; the text says which variable and why."""


class Settings(BaseSettings):
    """Everything an operator can set, with the defaults of one small machine."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    home: Path = Field(default=Path("var"), validation_alias="TRIAGE_HOME")
    database_url: str = Field(default="", repr=False, validation_alias="TRIAGE_DATABASE_URL")
    secret_key: SecretStr = Field(default=SecretStr(""), validation_alias="TRIAGE_SECRET_KEY")
    data_keys: SecretStr = Field(default=SecretStr(""), validation_alias="TRIAGE_DATA_KEYS")
    backup_recipients: str = Field(default="", validation_alias="TRIAGE_BACKUP_RECIPIENTS")
    slack_bot_token: SecretStr = Field(default=SecretStr(""), validation_alias="SLACK_BOT_TOKEN")
    slack_app_token: SecretStr = Field(default=SecretStr(""), validation_alias="SLACK_APP_TOKEN")
    slack_signing_secret: SecretStr = Field(default=SecretStr(""), validation_alias="SLACK_SIGNING_SECRET")
    slack_api_url: str = Field(default="", validation_alias="SLACK_API_URL")
    env: Literal["development", "production"] = Field(default="development", validation_alias="TRIAGE_ENV")
    policy: Path | None = Field(default=None, validation_alias="TRIAGE_POLICY")
    address: str = Field(default="", validation_alias="TRIAGE_URL")
    host: str = Field(default="127.0.0.1", validation_alias="TRIAGE_HOST")
    port: int = Field(default=8080, ge=1, le=65535, validation_alias="TRIAGE_PORT")

    @field_validator("policy", mode="before")
    @classmethod
    def _unset_when_empty(cls, value: object) -> object:
        return value or None

    @model_validator(mode="after")
    def _safe_in_production(self) -> Self:
        key = self.secret_key.get_secret_value()
        if self.env == "production" and len(key) < LEAST_SECRET:
            raise ValueError(f"TRIAGE_SECRET_KEY must have at least {LEAST_SECRET} characters in production")
        if self.env == "production" and (len(set(key)) < 8 or key in (key + key)[1:-1]):
            raise ValueError("TRIAGE_SECRET_KEY must not be a repeated or default value in production")
        return self

    @property
    def public_url(self) -> str:
        """Return the address that links for people lead to, without a slash at its end."""
        return (self.address or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def url(self) -> str:
        """Return the database's address, a file in the data directory by default."""
        return self.database_url or f"sqlite:///{self.home / 'triage.db'}"

    @property
    def key(self) -> bytes:
        """Return the secret that signs models, audit rows and sessions."""
        return self.secret_key.get_secret_value().encode()

    @property
    def keys(self) -> Keys:
        """Return the keys that seal what the masker hid, where a site keeps it. Raises SettingsError."""
        try:
            return data_keys(self.data_keys.get_secret_value())
        except SealError as error:
            raise SettingsError(f"TRIAGE_DATA_KEYS: {error}") from None

    @property
    def backup_keys(self) -> Keys:
        """Return the keys that seal backups: the data keys and those who may only read backups."""
        try:
            return with_recipients(self.keys, self.backup_recipients)
        except SealError as error:
            raise SettingsError(f"TRIAGE_BACKUP_RECIPIENTS: {error}") from None


def policy_path() -> Path | None:
    """Return the site's policy file, if it has one, without touching the data directory."""
    return Path(found) if (found := os.environ.get("TRIAGE_POLICY")) else None


def load() -> Settings:
    """Read the environment once, at start.

    A secret may come from the file named in `<NAME>_FILE`. Development without a
    secret key makes one and keeps it in the data directory, readable by its owner.
    """
    values = {name: _from_file(name) for name in SECRETS if os.environ.get(f"{name}_FILE")}
    try:
        settings = Settings(**values)  # type: ignore[arg-type]  # by alias, checked by pydantic
    except ValidationError as error:
        faults = (f"{_name(e['loc'])}{e['msg'].removeprefix('Value error, ')}" for e in error.errors())
        raise SettingsError("; ".join(faults)) from None
    if settings.key:
        return settings
    return settings.model_copy(update={"secret_key": SecretStr(_kept_secret(settings.home))})


def _name(loc: tuple[int | str, ...]) -> str:
    return f"{loc[0]}: " if loc else ""


def _from_file(name: str) -> str:
    path = os.environ[f"{name}_FILE"]
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{name}_FILE: {path} cannot be read: {error}") from None


def _kept_secret(home: Path) -> str:
    path = home / "secret.key"
    try:
        home.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make_secret(path)
        key = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise SettingsError(
            f"TRIAGE_HOME: {error.filename or path} cannot be used: {error.strerror or error}"
        ) from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path} is not a key: remove it, or set TRIAGE_SECRET_KEY") from None
    if not key:
        raise SettingsError(f"{path} is empty: remove it, or set TRIAGE_SECRET_KEY")
    return key


def _make_secret(path: Path) -> None:
    """Write a new key whole or not at all: two processes that start together must read the same one."""
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(48))
    try:
        os.link(draft, path)  # fails where the other process was quicker
    except FileExistsError:
        pass
    finally:
        draft.unlink()
