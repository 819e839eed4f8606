"""Every environment variable: type, unit, default.

A wrong or missing one stops the start with its name and what to do.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from store.keys.shredding import ShredLedger
from store.secrets.redaction import Secret

_KEY_ARN: Final = re.compile(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+")
_READ_ELSEWHERE: Final = frozenset({"AUTOHEAL_DEMO_LOG", "AUTOHEAL_REQUIRE_ALL"})
_OF_KUBERNETES: Final = re.compile(r"_?SERVICE_(?:HOST|PORT)|_?PORT_\d+_")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


TOGETHER: Final = (
    "the shred ledger, the keyring and the master key lie in one folder, so an old copy of it brings closed workspaces "
    "back"
)
APART: Final = (
    "name a file on another disk or host in AUTOHEAL_SHRED_MARK, or move the ledger there and name it in "
    "AUTOHEAL_SHRED_LEDGER"
)


class SettingsError(Exception):
    """The settings cannot be used; each line names a variable and what to do."""


class Settings(BaseSettings):
    """Read once at start. Secrets mask their own repr."""

    model_config = SettingsConfigDict(env_prefix="AUTOHEAL_", env_file=None, extra="ignore", frozen=True)

    data: Annotated[Path, Field(description="Folder of databases and keys.")] = Path("var")
    database_tls: Annotated[
        Literal["verify", "off"], Field(description="Whether a PostgreSQL on another host must prove itself by TLS.")
    ] = "verify"
    database_url: Annotated[
        str | None, Field(description="postgresql://... instead of SQLite files in DATA.", repr=False)
    ] = None
    owner_url: Annotated[
        str | None, Field(description="The same database, by the login that owns its tables.", repr=False)
    ] = None
    keyring_url: Annotated[
        str | None, Field(description="Where the wrapped keys live; apart from the database.", repr=False)
    ] = None
    shred_ledger: Annotated[Path | None, Field(description="Which keys were destroyed; apart from the keyring.")] = None

    shred_mark: Annotated[
        Path | None,
        Field(description="A file on another disk or host: how long the ledger was, so that an old copy is refused."),
    ] = None

    keys: Annotated[Literal["local", "aws-kms", "vault"], Field(description="Who holds the master key.")] = "local"
    kms_key_arn: Annotated[str | None, Field(description="arn:aws:kms:REGION:ACCOUNT:key/ID, not an alias.")] = None
    kms_former_key_arns: Annotated[str, Field(description="Comma-separated; they still unwrap.")] = ""
    kms_region: Annotated[str | None, Field(description="Where it is not the ARN's.")] = None
    kms_endpoint: Annotated[str | None, Field(description="URL of a private endpoint of AWS KMS.")] = None
    vault_address: Annotated[str | None, Field(description="https://host:8200 of HashiCorp Vault.")] = None
    vault_mount: Annotated[str, Field(description="Where its Transit engine is mounted.")] = "transit"
    vault_key: Annotated[str | None, Field(description="Name of the Transit key.")] = None
    vault_namespace: str | None = None
    vault_token: SecretStr | None = None

    event_days: Annotated[int, Field(ge=1, le=90, description="Days that events are kept; the promise is 90.")] = 90
    audit_days: Annotated[
        int | None, Field(ge=30, description="Days that audit entries are kept; unset: as long as the tenant.")
    ] = None
    anchor_file: Annotated[
        Path | None, Field(description="Signed heads of the audit logs; best where the database's login cannot write.")
    ] = None

    backups: Annotated[
        Literal["daily", "operator"],
        Field(description="Who makes them; `operator` where the database's provider does."),
    ] = "daily"
    verify: Annotated[Literal["daily", "off"], Field(description="Whether serve proves the promises once a day.")] = (
        "daily"
    )
    backup_folder: Annotated[Path | None, Field(description="Where backups go; unset: DATA/backups.")] = None
    backup_at: Annotated[int, Field(ge=0, le=23, description="Hour in UTC from which the day's backup is due.")] = 3
    postgres_programs: Annotated[Path | None, Field(description="Folder of pg_dump, pg_restore and psql.")] = None

    operator_file: Annotated[Path | None, Field(description="TOML with services and connectors of this host.")] = None
    mode: Annotated[Literal["socket", "http"], Field(description="How Slack reaches us.")] = "socket"
    http_host: str = "127.0.0.1"
    http_port: int = Field(default=3000, ge=0, le=65535)
    web: Annotated[bool, Field(description="Listen in Socket Mode too: API, health, metrics.")] = False
    public_url: Annotated[str | None, Field(description="https://host as people reach it.")] = None
    trusted_proxies: Annotated[str, Field(description="Addresses whose X-Forwarded headers are believed.")] = ""
    tls_certificate: Annotated[Path | None, Field(description="PEM chain to serve TLS with.")] = None
    tls_key: Annotated[Path | None, Field(description="PEM key of the certificate.")] = None
    metrics_token: SecretStr | None = None

    smtp_host: Annotated[str | None, Field(description="Server that takes our e-mail; unset: none is sent.")] = None
    smtp_port: int = Field(default=587, ge=1, le=65535)
    smtp_tls: Annotated[
        Literal["starttls", "tls", "off"], Field(description="How; off is for a server on this host alone.")
    ] = "starttls"
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    smtp_from: Annotated[str | None, Field(description="Address that our e-mail comes from.")] = None

    slack_bot_token: SecretStr | None = Field(default=None, validation_alias="SLACK_BOT_TOKEN")
    slack_app_token: SecretStr | None = Field(default=None, validation_alias="SLACK_APP_TOKEN")
    slack_signing_secret: SecretStr | None = Field(default=None, validation_alias="SLACK_SIGNING_SECRET")
    slack_client_id: str | None = Field(default=None, validation_alias="SLACK_CLIENT_ID")
    slack_client_secret: SecretStr | None = Field(default=None, validation_alias="SLACK_CLIENT_SECRET")
    slack_workspaces: Annotated[
        str, Field(description="Ids of workspaces or organisations that may install the app, or `any`.")
    ] = ""
    slack_api_url: str = Field(default="https://slack.com/api/", validation_alias="SLACK_API_URL")

    anthropic_api_key: SecretStr | None = Field(default=None, validation_alias="ANTHROPIC_API_KEY")
    anthropic_base_url: str | None = Field(default=None, validation_alias="ANTHROPIC_BASE_URL")
    model: Annotated[str, Field(description="Claude model of investigations.")] = "claude-sonnet-5-5"
    review_usd: Annotated[
        float,
        Field(
            ge=0,
            description="US dollars that must be left for a second reading of a conclusion by Claude; 0 asks for none.",
        ),
    ] = 0.1
    run_usd: Annotated[float, Field(ge=0, description="US dollars that one investigation may spend.")] = 1.0
    run_minutes: Annotated[float, Field(gt=0, description="Minutes that one investigation may work.")] = 10.0

    healing_check_s: Annotated[float, Field(gt=0, description="Seconds between measurements after a fix.")] = 5.0
    healing_hold_s: Annotated[float, Field(gt=0, description="Seconds below the limit that count as healed.")] = 60.0
    healing_window_s: Annotated[float, Field(gt=0, description="Seconds after which it counts as not healed.")] = 300.0
    concurrent_investigations: int = Field(default=20, ge=1, le=200)
    stop_with_parent: Annotated[bool, Field(description="Stop when the process that started this one ends.")] = False
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("slack_bot_token")
    @classmethod
    def _bot_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not token.get_secret_value().startswith("xoxb-"):
            raise ValueError("starts with xoxb-: copy the Bot User OAuth Token from OAuth & Permissions")
        return token

    @field_validator("slack_app_token")
    @classmethod
    def _app_token(cls, token: SecretStr | None) -> SecretStr | None:
        if token is not None and not token.get_secret_value().startswith("xapp-"):
            raise ValueError("starts with xapp-: create an App-Level Token with connections:write in Basic Information")
        return token

    @field_validator("kms_key_arn", "kms_former_key_arns")
    @classmethod
    def _key_arns(cls, value: str | None) -> str | None:
        if not all(_KEY_ARN.fullmatch(arn) for arn in _parts(value or "")):
            raise ValueError(
                "is the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID); an alias may point elsewhere later"
            )
        return value

    @field_validator("database_url", "owner_url", "keyring_url")
    @classmethod
    def _database_tls(cls, url: str | None, info: ValidationInfo) -> str | None:
        if url is not None and info.data.get("database_tls") != "off" and not is_verified(url):
            raise ValueError(
                "the server is on another host, so add ?sslmode=verify-full (and sslrootcert=FILE for a private CA); "
                "or set AUTOHEAL_DATABASE_TLS=off where the network itself is encrypted"
            )
        return url

    @field_validator("public_url")
    @classmethod
    def _public_url(cls, url: str | None) -> str | None:
        if url is None:
            return None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
            raise ValueError("is https://host, without a path")
        if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
            raise ValueError("starts with https://: passwords do not travel in the clear")
        return f"{parts.scheme}://{parts.netloc}"

    @field_validator("vault_address")
    @classmethod
    def _vault_address(cls, address: str | None) -> str | None:
        parts = urlsplit(address or "https://vault")
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise ValueError("starts with https://: keys do not travel in the clear")
        return address

    @property
    def ledger_path(self) -> Path:
        """The shred ledger."""
        return self.shred_ledger or self.data / "shred-ledger.jsonl"

    @property
    def ledger(self) -> ShredLedger:
        return ShredLedger(self.ledger_path, self.shred_mark)

    @property
    def one_copy_brings_back_all(self) -> bool:
        """Whether keyring, master key, shred ledger and its mark lie in one folder: then an old copy of the folder
        brings back whoever was closed since.
        """
        folder = self.data.resolve()
        remembered = [path for path in (self.ledger_path, self.shred_mark) if path is not None]
        return (
            self.keys == "local"
            and self.keyring_url is None
            and all(path.resolve().is_relative_to(folder) for path in remembered)
        )

    @property
    def former_key_arns(self) -> tuple[str, ...]:
        return _parts(self.kms_former_key_arns)

    def require_web(self) -> None:
        """What listening needs. Raises SettingsError naming each variable."""
        wrong = []
        if (self.tls_certificate is None) != (self.tls_key is None):
            wrong.append("AUTOHEAL_TLS_CERTIFICATE and AUTOHEAL_TLS_KEY go together: set both")
        is_local = self.http_host in _LOOPBACK
        behind_proxy = self.public_url is not None and self.public_url.startswith("https://")
        if not is_local and self.tls_certificate is None and not behind_proxy:
            wrong.append(
                f"AUTOHEAL_HTTP_HOST={self.http_host} is reachable from elsewhere: set AUTOHEAL_TLS_CERTIFICATE and "
                "AUTOHEAL_TLS_KEY, or AUTOHEAL_PUBLIC_URL=https://... of the proxy that does TLS"
            )
        if wrong:
            raise SettingsError("\n".join(wrong))

    def require_mail(self) -> None:
        """What sending needs where a server is set. Raises SettingsError naming each variable."""
        wrong = []
        if self.smtp_from is None:
            wrong.append("AUTOHEAL_SMTP_FROM is not set: the address that our e-mail comes from")
        if self.smtp_tls == "off" and self.smtp_host not in _LOOPBACK:
            wrong.append("AUTOHEAL_SMTP_TLS=off is for a server on this host alone: use starttls or tls")
        if (self.smtp_user is None) != (self.smtp_password is None):
            wrong.append("AUTOHEAL_SMTP_USER and AUTOHEAL_SMTP_PASSWORD go together: set both or none")
        if self.smtp_host is not None and wrong:
            raise SettingsError("\n".join(wrong))

    def require_keys(self) -> None:
        """What the chosen key provider needs. Raises SettingsError naming each missing variable."""
        wanted = {
            "local": (),
            "aws-kms": (("AUTOHEAL_KMS_KEY_ARN", self.kms_key_arn),),
            "vault": (
                ("AUTOHEAL_VAULT_ADDRESS", self.vault_address),
                ("AUTOHEAL_VAULT_KEY", self.vault_key),
                ("AUTOHEAL_VAULT_TOKEN", self.vault_token),
            ),
        }[self.keys]
        missing = [f"{name} is not set; AUTOHEAL_KEYS={self.keys} needs it" for name, value in wanted if not value]
        if missing:
            raise SettingsError("\n".join(missing))

    @property
    def content_url(self) -> str:
        """SQLAlchemy URL of the content database."""
        return _async_url(self.database_url) if self.database_url else f"sqlite+aiosqlite:///{self.data}/autoheal.db"

    @property
    def maintenance_url(self) -> str:
        """SQLAlchemy URL of the content database for migrations and upkeep: by the tables' owner."""
        return _async_url(self.owner_url) if self.owner_url else self.content_url

    @property
    def backup_path(self) -> Path:
        """The folder of the backups."""
        return self.backup_folder or self.data / "backups"

    @property
    def checkpoint_path(self) -> Path:
        """Where signed heads of the audit logs are appended."""
        return self.anchor_file or self.data / "audit-heads.jsonl"

    @property
    def keys_url(self) -> str:
        """SQLAlchemy URL of the keyring."""
        return _async_url(self.keyring_url) if self.keyring_url else f"sqlite+aiosqlite:///{self.data}/keyring.db"

    @property
    def engine_url(self) -> str:
        """SQLAlchemy URL of the engine's own database: a file of its own, or the same PostgreSQL server."""
        if self.database_url:
            return self.content_url
        return f"sqlite:///{self.data}/engine.db"

    @property
    def secrets(self) -> list[Secret]:
        """All secrets among the settings that are set, the passwords in addresses of databases included."""
        plain = [value.get_secret_value() for _, value in self if isinstance(value, SecretStr)]
        urls = [urlsplit(url) for url in (self.database_url, self.owner_url, self.keyring_url) if url]
        return [Secret(text) for text in (*plain, *(unquote(url.password) for url in urls if url.password))]

    @property
    def healing(self) -> tuple[timedelta, timedelta, timedelta]:
        """Check interval, hold and window."""
        return (
            timedelta(seconds=self.healing_check_s),
            timedelta(seconds=self.healing_hold_s),
            timedelta(seconds=self.healing_window_s),
        )

    @property
    def many_workspaces(self) -> bool:
        """Whether workspaces install the app themselves, by OAuth; else there is one, whose token is set here."""
        return self.slack_client_id is not None

    @property
    def install_url(self) -> str:
        """Where a workspace installs the app, if it does so itself."""
        return f"{self.public_url}/slack/install"

    @property
    def may_install(self) -> frozenset[str] | None:
        """The workspaces and organisations that may; None: any."""
        named = frozenset(_parts(self.slack_workspaces))
        return None if named == {"any"} else named

    def require_slack(self) -> None:
        """What `serve` needs. Raises SettingsError naming each missing variable."""
        missing = []
        if self.mode == "http" and self.slack_signing_secret is None:
            missing.append("SLACK_SIGNING_SECRET is not set: copy it from Basic Information of your Slack app")
        if self.many_workspaces:
            missing += self._lacking_for_many()
        elif self.slack_bot_token is None:
            missing.append("SLACK_BOT_TOKEN is not set: copy the Bot User OAuth Token (xoxb-...) of your Slack app")
        if self.mode == "socket" and self.slack_app_token is None:
            missing.append("SLACK_APP_TOKEN is not set: create an App-Level Token (xapp-...) with connections:write")
        if missing:
            raise SettingsError("\n".join([*missing, "`autoheal setup` prints the link that creates the Slack app."]))

    def _lacking_for_many(self) -> list[str]:
        wrong = []
        if self.slack_client_secret is None:
            wrong.append("SLACK_CLIENT_SECRET is not set: copy it from Basic Information of your Slack app")
        if self.slack_bot_token is not None:
            wrong.append("SLACK_BOT_TOKEN and SLACK_CLIENT_ID exclude each other: one workspace, or several by OAuth")
        if self.mode != "http":
            wrong.append("AUTOHEAL_MODE=http is needed where several workspaces install the app")
        if self.public_url is None:
            wrong.append("AUTOHEAL_PUBLIC_URL is not set: Slack sends people back to it after they installed the app")
        if not self.slack_workspaces:
            wrong.append(
                "AUTOHEAL_SLACK_WORKSPACES is not set: the ids of the workspaces that may install the app "
                "(T0123,T0456), or any"
            )
        return wrong


def load_settings() -> Settings:
    """From the environment. Raises SettingsError with one line per variable, misspelt ones included."""
    wrong = _unknown_variables()
    try:
        settings = Settings()
    except ValidationError as exc:
        said = ((error["loc"], _in_words(error["type"], error["msg"], error.get("ctx", {}))) for error in exc.errors())
        wrong = [*(_line(place, words) for place, words in said), *wrong]
        raise SettingsError("\n".join(wrong)) from exc
    if wrong:
        raise SettingsError("\n".join(wrong))
    return settings


def _unknown_variables() -> list[str]:
    """A sentence for each AUTOHEAL_ variable that looks like a misspelt setting: it would be ignored in silence.

    Other unknown ones are let be: Kubernetes gives each pod variables named after the services of its namespace.
    """
    known = [name.upper() for name in Settings.model_fields]
    said = []
    for variable, value in sorted(os.environ.items()):
        name = variable.removeprefix("AUTOHEAL_")
        ours = variable.startswith("AUTOHEAL_") and name not in known and variable not in _READ_ELSEWHERE
        if ours and not _OF_KUBERNETES.search(name) and "://" not in value:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.75)
            said += [f"{variable} is no setting; did you mean AUTOHEAL_{near[0]}?"] if near else []
    return said


def _line(place: tuple[int | str, ...], words: str) -> str:
    name = str(place[0]) if place else "settings"
    variable = name if name.isupper() else f"AUTOHEAL_{name.upper()}"
    return f"{variable}: {words}"


def _in_words(kind: str, message: str, context: Mapping[str, object]) -> str:
    """What is wanted, as a person would say it; pydantic's words are for programmers."""
    kinds = {
        "bool_parsing": "is true or false",
        "float_parsing": "is a number",
        "int_parsing": "is a whole number",
        "int_from_float": "is a whole number",
        "literal_error": f"is one of {context.get('expected')}",
        "greater_than": f"is more than {context.get('gt')}",
        "greater_than_equal": f"is at least {context.get('ge')}",
        "less_than_equal": f"is at most {context.get('le')}",
    }
    return kinds.get(kind, message.removeprefix("Value error, "))


def is_verified(url: str) -> bool:
    """Whether a database is on this host, or libpq will verify its certificate and name (TLS 1.2 is its least)."""
    if not url.startswith("postgres"):
        return True
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    hosts = ",".join(query.get("host", [parts.netloc.rpartition("@")[2]])).split(",")
    names = [host if host.startswith("/") else urlsplit(f"//{host}").hostname or "" for host in hosts]
    local = all(not name or name.startswith(("/", "%2f", "%2F")) or name in _LOOPBACK for name in names)
    mode = query.get("sslmode", [os.environ.get("PGSSLMODE", "")])[-1]
    return local or mode == "verify-full"


def _parts(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _async_url(url: str) -> str:
    """`postgres://` and `postgresql://` mean the driver that is installed."""
    for prefix in ("postgresql://", "postgres://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url
