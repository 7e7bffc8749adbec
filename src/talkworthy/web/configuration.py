"""Every setting an administrator may give, with type, default and help: read strictly, once, from the environment."""

import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


class BadSetting(ValueError):
    """A setting that cannot be used; the message names it and says what would do."""


@dataclass(frozen=True)
class Variable:
    """One environment variable: how it is read, what it is without being set, and what it is for."""

    name: str
    read: Callable[[str], Any]
    default: str
    help: str


def _flag(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"", "0", "false", "no", "off"}:
        return False
    raise ValueError("say yes or no")


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port < 65536:
        raise ValueError("a port lies between 1 and 65535")
    return port


def _hosts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _address(text: str) -> str:
    if text and urlsplit(text).scheme not in {"http", "https"}:
        raise ValueError("an address begins with http:// or https://")
    return text.rstrip("/")


def _issuer(text: str) -> str:
    """Secrets and identities travel to it and back: over HTTPS, or within this machine."""
    parts = urlsplit(text)
    if text and not parts.hostname:
        raise ValueError("an issuer looks like https://id.example.org")
    if text and parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        raise ValueError("an issuer begins with https://; with http:// only on this machine")
    if parts.query or parts.fragment or parts.username:
        raise ValueError("an issuer has no query, fragment or user")
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _level(text: str) -> str:
    if text.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError("one of debug, info, warning, error")
    return text.upper()


def _megabytes(text: str) -> int:
    size = int(text)
    if size < 128:
        raise ValueError("at least 128")
    return size


def _tier(text: str) -> str:
    if text not in ("fast", "careful", "cascade"):
        raise ValueError("it must be fast, careful or cascade")
    return text


def _processes(text: str) -> int:
    if text.lower() == "auto":
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return min(cores, 4) if cores > 1 else 0
    processes = int(text)
    if not 0 <= processes <= 64:
        raise ValueError("auto, or a number from 0 to 64")
    return processes


VARIABLES = (
    Variable(
        "TALKWORTHY_DATA",
        lambda text: Path(text).expanduser().resolve(),
        "data",
        "Folder that holds everything that is kept: desk, archive, payloads, keys.",
    ),
    Variable("TALKWORTHY_PORT", _port, "8100", "Port that the web listens on."),
    Variable("TALKWORTHY_BIND", str, "127.0.0.1", "Address that the web listens on; 0.0.0.0 for every interface."),
    Variable(
        "TALKWORTHY_PUBLIC_ADDRESS",
        _address,
        "",
        "Address under which people and channels reach it; default http://localhost:PORT.",
    ),
    Variable("TALKWORTHY_BEHIND_PROXY", _flag, "no", "Believe X-Forwarded-Proto of a proxy in front."),
    Variable(
        "TALKWORTHY_DATABASE_URL",
        str,
        "",
        "postgresql://user:password@host:port/name; empty for SQLite in the data folder.",
    ),
    Variable(
        "TALKWORTHY_SECRET_KEY",
        str,
        "",
        "Signs sessions and encrypts channel credentials; default: made at first start, kept in the data folder.",
    ),
    Variable(
        "TALKWORTHY_ALLOW_HOSTS",
        _hosts,
        "",
        "Hosts on private addresses that sources may reach, as host or host:port, separated by commas.",
    ),
    Variable(
        "TALKWORTHY_MEMORY_MB", _megabytes, "768", "Memory that one process gives to reading the archive, in megabytes."
    ),
    Variable(
        "TALKWORTHY_PROCESSES",
        _processes,
        "auto",
        "Processes that analyse posts where many come; 0: the worker itself; auto: one a core, 4 at most.",
    ),
    Variable(
        "TALKWORTHY_ANALYSIS_TIER",
        _tier,
        "fast",
        "How posts are analysed: fast, careful, or cascade (careful where fast is unsure).",
    ),
    Variable(
        "TALKWORTHY_EMAIL_URL",
        str,
        "",
        "smtp://user:password@host:port (smtps:// for STARTTLS); empty: mails are written to the outbox folder.",
    ),
    Variable("TALKWORTHY_EMAIL_FROM", str, "Talkworthy <talkworthy@localhost>", "Sender of its mails."),
    Variable("TALKWORTHY_OIDC_NAME", str.strip, "", "What the button for sign-in through OpenID Connect calls it."),
    Variable(
        "TALKWORTHY_OIDC_ISSUER",
        _issuer,
        "",
        "Address of the OpenID Connect provider, without /.well-known/…; https://, or http:// on this machine.",
    ),
    Variable("TALKWORTHY_OIDC_CLIENT_ID", str.strip, "", "What the provider calls this Talkworthy."),
    Variable("TALKWORTHY_OIDC_CLIENT_SECRET", str.strip, "", "Secret that the provider gave for it."),
    Variable("TALKWORTHY_LOG_LEVEL", _level, "INFO", "debug, info, warning or error."),
    Variable(
        "TALKWORTHY_DEBUG", _flag, "no", "Show errors with their traceback in the browser; never on a public address."
    ),
)


@dataclass(frozen=True)
class IdentityProvider:
    """Where people may sign in besides here, by OpenID Connect."""

    name: str
    issuer: str
    client_id: str
    client_secret: str


@dataclass(frozen=True)
class Configuration:
    """The settings as read."""

    data: Path
    port: int
    bind: str
    public_address: str
    behind_proxy: bool
    database: dict[str, Any]
    secret_key: str
    allow_hosts: tuple[str, ...]
    memory_mb: int
    processes: int
    analysis_tier: str
    email_backend: str
    email_host: str
    email_port: int
    email_user: str
    email_password: str
    email_starttls: bool
    email_from: str
    identity_provider: IdentityProvider | None
    log_level: str
    debug: bool

    @property
    def allowed_hosts(self) -> list[str]:
        """Host names under which pages are answered."""
        public = urlsplit(self.public_address).hostname or "localhost"
        return sorted({public, "localhost", "127.0.0.1", "[::1]", "testserver"})


@cache
def configuration() -> Configuration:
    """The configuration of this process."""
    return read_configuration(os.environ)


def read_configuration(environment: Mapping[str, str]) -> Configuration:
    """Read every variable; raise BadSetting with the name and the remedy."""
    known = {variable.name for variable in VARIABLES} | {"TALKWORTHY_SHARED"}
    for name in environment:
        if name.startswith("TALKWORTHY_") and name not in known:
            raise BadSetting(
                f"{name} is not a setting. The settings are: {', '.join(sorted(known - {'TALKWORTHY_SHARED'}))}."
            )
    values = {variable.name: _read(variable, environment) for variable in VARIABLES}
    data: Path = values["TALKWORTHY_DATA"]
    port: int = values["TALKWORTHY_PORT"]
    return Configuration(
        data=data,
        port=port,
        bind=values["TALKWORTHY_BIND"],
        public_address=values["TALKWORTHY_PUBLIC_ADDRESS"] or f"http://localhost:{port}",
        behind_proxy=values["TALKWORTHY_BEHIND_PROXY"],
        database=database_of(values["TALKWORTHY_DATABASE_URL"], data),
        secret_key=values["TALKWORTHY_SECRET_KEY"] or _kept_key(data),
        allow_hosts=values["TALKWORTHY_ALLOW_HOSTS"],
        memory_mb=values["TALKWORTHY_MEMORY_MB"],
        processes=values["TALKWORTHY_PROCESSES"],
        analysis_tier=values["TALKWORTHY_ANALYSIS_TIER"],
        **_email(values["TALKWORTHY_EMAIL_URL"]),
        email_from=values["TALKWORTHY_EMAIL_FROM"],
        identity_provider=_identity_provider(values),
        log_level=values["TALKWORTHY_LOG_LEVEL"],
        debug=values["TALKWORTHY_DEBUG"],
    )


def _read(variable: Variable, environment: Mapping[str, str]) -> Any:
    text = environment.get(variable.name, variable.default)
    try:
        return variable.read(text)
    except ValueError as error:
        raise BadSetting(f"{variable.name}={text!r} cannot be used: {error}. {variable.help}") from error


def _identity_provider(values: Mapping[str, Any]) -> IdentityProvider | None:
    """All four settings or none: with some of them nobody could sign in."""
    said = {name: values[name] for name in values if name.startswith("TALKWORTHY_OIDC_")}
    missing = [name for name, value in said.items() if not value]
    if len(missing) == len(said):
        return None
    if missing:
        raise BadSetting(
            f"For sign-in through OpenID Connect give {', '.join(missing)} too, or none of {', '.join(said)}."
        )
    return IdentityProvider(*said.values())


def providers_of(provider: IdentityProvider | None) -> dict[str, Any]:
    """allauth's description of the provider."""
    if provider is None:
        return {}
    app = {
        "provider_id": "oidc",
        "name": provider.name,
        "client_id": provider.client_id,
        "secret": provider.client_secret,
        "settings": {"server_url": provider.issuer},
    }
    return {"openid_connect": {"APPS": [app], "OAUTH_PKCE_ENABLED": True}}


def form_targets_of(provider: IdentityProvider | None) -> list[str]:
    """Where the form of the sign-in page may lead: over HTTPS, or to a provider on this machine."""
    if provider is None or provider.issuer.startswith("https://"):
        return ["https:"]
    return ["https:", f"http://{urlsplit(provider.issuer).netloc}"]


def _kept_key(data: Path) -> str:
    """The key in the data folder, made at first start and readable by its owner alone."""
    path = data / "secret.key"
    if path.exists():
        return path.read_text().strip()
    data.mkdir(parents=True, exist_ok=True)
    key = secrets.token_urlsafe(48)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # web and worker started at the same moment
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(key)
    return key


def database_of(url: str, data: Path) -> dict[str, Any]:
    """Django's description of the database of a URL; of the desk in the data folder where it is empty."""
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(data / "desk.sqlite3"),
            "CONN_MAX_AGE": 60,
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "IMMEDIATE",
                "init_command": (
                    "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON; "
                    "PRAGMA mmap_size=134217728; PRAGMA cache_size=-16000;"
                ),
            },
        }
    parts = urlsplit(url)
    if parts.scheme not in {"postgresql", "postgres"} or not parts.path.strip("/"):
        raise BadSetting(
            "The desk’s address (TALKWORTHY_DATABASE_URL) must look like postgresql://user:password@host:5432/name."
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": dict(parse_qsl(parts.query)),
    }


def _email(url: str) -> dict[str, Any]:
    if not url:
        return {
            "email_backend": "django.core.mail.backends.filebased.EmailBackend",
            "email_host": "",
            "email_port": 25,
            "email_user": "",
            "email_password": "",
            "email_starttls": False,
        }
    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise BadSetting("TALKWORTHY_EMAIL_URL must look like smtp://user:password@host:587.")
    return {
        "email_backend": "django.core.mail.backends.smtp.EmailBackend",
        "email_host": parts.hostname,
        "email_port": parts.port or (587 if parts.scheme == "smtps" else 25),
        "email_user": unquote(parts.username or ""),
        "email_password": unquote(parts.password or ""),
        "email_starttls": parts.scheme == "smtps",
    }
