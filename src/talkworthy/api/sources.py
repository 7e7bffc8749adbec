"""Sources: what is listened to, how it is doing. Secrets go in and never come out."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings as configured
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Router, Schema, Status
from pydantic import Field

from talkworthy.api.problems import Problem
from talkworthy.api.routes import operation
from talkworthy.api.shapes import Changes, Deleted, Given, Id, Moment
from talkworthy.api.tokens import Caller, CallerRequest
from talkworthy.connectors.contract import Connector, Kind
from talkworthy.connectors.registry import connectors
from talkworthy.listening import actions
from talkworthy.listening.collecting import source_key
from talkworthy.listening.forms.sources import BEFORE, SourceForm
from talkworthy.listening.models import Source
from talkworthy.listening.selectors import sources

router = Router(tags=["sources"])

Value = bool | int | float | str | list[str] | None


class SourceGiven(Given):
    """A source to be made. Its settings, secret or not, are those that the connector declares."""

    connector: str
    name: str = Field("", max_length=120, description="Without one, the connector's title.")
    settings: dict[str, Value] = {}
    keep: Source.Keep = Source.Keep.ALL
    sample_percent: float = Field(1.0, ge=0, le=100)
    interval: int = Field(300, description="Seconds between fetches: one of the paces that the page offers.")


class SourceChanged(Changes):
    """What is to change; the rest stays, also of the settings. A setting that is null is taken away, a secret stays."""

    name: str = Field("", min_length=1, max_length=120)
    settings: dict[str, Value] = {}
    keep: Source.Keep = Source.Keep.ALL
    sample_percent: float = Field(1.0, ge=0, le=100)
    interval: int = 300


class SettingsGiven(Given):
    """Settings to be tried on the channel."""

    connector: str
    settings: dict[str, Value] = {}


class SourceShape(Schema):
    """A place that is listened to, and how it is doing."""

    id: Id
    in_posts: str = Field(description="How its posts name it, such as source-12.")
    connector: str
    name: str
    settings: dict[str, Any] = Field(description="Without secrets.")
    keep: str
    sample_percent: float
    interval: int
    state: str = Field(description="new, healthy, retrying, refused, gone or paused")
    note: str
    last_error: str
    failures: int
    posts: int
    set_aside: int = Field(description="Payloads that could not be read and wait for somebody to look.")
    lag_seconds: float | None = Field(description="From the publication of its newest post to its storing.")
    is_late: bool
    last_fetch_at: Moment | None
    last_post_at: Moment | None
    last_arrival_at: Moment | None
    due_at: Moment
    created_at: Moment
    receives_at: str | None = Field(
        description="Where the channel may call us; only where it does, and only for tokens with sources:write."
    )


class Sources(Schema):
    """The sources: those that need somebody first, then by name."""

    sources: list[SourceShape]


class SettingShape(Schema):
    """A setting that a connector takes."""

    name: str
    label: str
    kind: str
    help: str
    required: bool
    default: Any
    choices: list[str]


class ConnectorShape(Schema):
    """A channel that can be listened to, and what it does not allow."""

    name: str
    title: str
    about: str
    settings: list[SettingShape]
    limits: list[str]


class Connectors(Schema):
    """The installed connectors."""

    connectors: list[ConnectorShape]


class Tried(Schema):
    """The outcome of a connection test."""

    ok: bool
    message: str
    details: dict[str, str]


@operation(router, "GET", "/connectors", scope="sources:read", response=Connectors)
def list_connectors(request: CallerRequest) -> dict[str, Any]:
    """The installed connectors and the settings that each takes."""
    return {"connectors": [_connector_shape(connector) for connector in connectors().values()]}


@operation(router, "GET", "/sources", scope="sources:read", response=Sources)
def list_sources(request: CallerRequest) -> dict[str, Any]:
    """The sources with their health."""
    found = sources.sources(viewer=request.auth.member, now=timezone.now())
    return {"sources": [_health_shape(health, request.auth) for health in found]}


@operation(router, "POST", "/sources", scope="sources:write", response={201: SourceShape})
def create_source(request: CallerRequest, given: SourceGiven) -> Status[dict[str, Any]]:
    """Add a source; it is fetched at once."""
    caller = request.auth
    connector = _connector(given.connector)
    fields = given.model_dump(mode="json", exclude={"connector", "settings"})
    form = _form(connector, {**fields, "name": given.name or connector.title}, _complete(given))
    source = actions.create_source(
        caller.workspace,
        connector=connector.name,
        settings=form.settings,
        secrets=form.secrets,
        **form.of_the_source,
        by=caller.user,
        now=timezone.now(),
    )
    return Status(201, _shape(source, caller))


@operation(router, "POST", "/sources/check", scope="sources:write", response=Tried)
def check_settings(request: CallerRequest, given: SettingsGiven) -> dict[str, Any]:
    """Try settings on the channel without keeping anything."""
    connector = _connector(given.connector)
    form = _form(connector, {"name": connector.title, "keep": Source.Keep.ALL, "interval": 300}, _complete(given))
    tried = actions.check_settings(
        request.auth.workspace,
        connector=connector.name,
        settings={**form.settings, **form.secrets},
        now=timezone.now(),
    )
    return {"ok": tried.ok, "message": tried.message, "details": dict(tried.details)}


@operation(router, "GET", "/sources/{int:source_id}", scope="sources:read", response=SourceShape)
def get_source(request: CallerRequest, source_id: int) -> dict[str, Any]:
    """One source with its health."""
    return _shape(_source(request, source_id), request.auth)


@operation(router, "PATCH", "/sources/{int:source_id}", scope="sources:write", response=SourceShape)
def change_source(request: CallerRequest, source_id: int, given: SourceChanged) -> dict[str, Any]:
    """Change what is named; the rest stays. It is fetched again at once."""
    caller = request.auth
    source = _source(request, source_id)
    connector = sources.connector_or_404(source.connector)
    held = {name: getattr(source, name) for name in ("name", "keep", "sample_percent", "interval")}
    fields = {**held, **given.model_dump(mode="json", exclude_unset=True, exclude={"settings"})}
    form = _form(connector, fields, {**source.settings, **given.settings}, source=source)
    changed = actions.change_source(
        source,
        settings=form.settings,
        secrets=form.secrets,
        **form.of_the_source,
        by=caller.user,
        now=timezone.now(),
    )
    return _shape(changed, caller)


@operation(router, "DELETE", "/sources/{int:source_id}", scope="sources:write", response=Deleted)
def delete_source(request: CallerRequest, source_id: int) -> dict[str, Any]:
    """Take a source away; its posts stay, and it can be restored."""
    source = _source(request, source_id)
    actions.delete_source(source, by=request.auth.user, now=timezone.now())
    return {"id": str(source.pk)}


@operation(router, "POST", "/sources/{int:source_id}/restore", scope="sources:write", response=SourceShape)
def restore_source(request: CallerRequest, source_id: int) -> dict[str, Any]:
    """Bring a deleted source back; it goes on from where it stopped."""
    source = _source(request, source_id, deleted=True)
    actions.restore_source(source, by=request.auth.user, now=timezone.now())
    return _shape(source, request.auth)


@operation(router, "POST", "/sources/{int:source_id}/pause", scope="sources:write", response=SourceShape)
def pause_source(request: CallerRequest, source_id: int) -> dict[str, Any]:
    """Stop fetching; what it brought stays."""
    source = _source(request, source_id)
    actions.pause_source(source, by=request.auth.user, now=timezone.now())
    return _shape(source, request.auth)


@operation(router, "POST", "/sources/{int:source_id}/resume", scope="sources:write", response=SourceShape)
def resume_source(request: CallerRequest, source_id: int) -> dict[str, Any]:
    """Fetch again, from where it stopped."""
    source = _source(request, source_id)
    actions.resume_source(source, by=request.auth.user, now=timezone.now())
    return _shape(source, request.auth)


@operation(router, "POST", "/sources/{int:source_id}/fetch", scope="sources:write", response={202: SourceShape})
def fetch_source(request: CallerRequest, source_id: int) -> Status[dict[str, Any]]:
    """Make it due at once; the worker fetches it."""
    source = _source(request, source_id)
    actions.fetch_now(source, by=request.auth.user, now=timezone.now())
    source.refresh_from_db()
    return Status(202, _shape(source, request.auth))


def _source(request: CallerRequest, source_id: int, *, deleted: bool = False) -> Source:
    return sources.source_or_404(source_id, viewer=request.auth.member, deleted=deleted)


def _connector(name: str) -> Connector:
    found = connectors().get(name)
    if found is None:
        words = _("The connector “%(name)s” is not installed. Installed are: %(known)s.")
        raise Problem("invalid", words % {"name": name, "known": ", ".join(connectors())})
    return found


def _complete(given: SourceGiven | SettingsGiven) -> dict[str, Any]:
    """The settings with the connector's defaults where nothing is said."""
    return {**{setting.name: setting.default for setting in _connector(given.connector).settings}, **given.settings}


def _form(
    connector: Connector, fields: Mapping[str, Any], values: Mapping[str, Any], *, source: Source | None = None
) -> SourceForm:
    """The settings as the page would take them; raises Problem with what is wrong with each."""
    _refuse_unknown(connector, values)
    typed = {BEFORE + name: _typed(value) for name, value in values.items() if value is not None}
    form = SourceForm({**fields, **typed}, connector=connector, source=source)
    if not form.is_valid():
        errors = [
            {"where": name.removeprefix(BEFORE), "what": str(what)}
            for name, wrong in form.errors.items()
            for what in wrong
        ]
        raise Problem("invalid", _("These settings cannot be used; `errors` says why."), errors=errors)
    return form


def _typed(value: Any) -> Any:
    """As a form would send it: lists one a line."""
    return "\n".join(value) if isinstance(value, list) else value


def _refuse_unknown(connector: Connector, values: Mapping[str, Any]) -> None:
    unknown = sorted(values.keys() - {setting.name for setting in connector.settings})
    if unknown:
        raise Problem("invalid", _("This connector has no setting “%(name)s”.") % {"name": unknown[0]})


def _connector_shape(connector: Connector) -> dict[str, Any]:
    settings = [
        {
            "name": setting.name,
            "label": str(setting.label),
            "kind": setting.kind.value,
            "help": str(setting.help),
            "required": setting.required,
            "default": setting.default,
            "choices": [value for value, _label in setting.choices],
        }
        for setting in connector.settings
    ]
    limits = list(map(str, connector.capabilities.limits))
    about = str(connector.about)
    return {"name": connector.name, "title": connector.title, "about": about, "settings": settings, "limits": limits}


def _shape(source: Source, caller: Caller) -> dict[str, Any]:
    return _health_shape(sources.health(source, viewer=caller.member, now=timezone.now()), caller)


def _health_shape(health: sources.SourceHealth, caller: Caller) -> dict[str, Any]:
    source = health.source
    plain = ("connector", "name", "keep", "sample_percent", "interval", "state", "note", "last_error", "failures")
    times = ("last_fetch_at", "last_post_at", "last_arrival_at", "due_at", "created_at")
    return {
        "id": str(source.pk),
        "in_posts": source_key(source),
        **{name: getattr(source, name) for name in (*plain, "posts", *times)},
        "settings": _plain_settings(source, health.connector),
        "set_aside": health.aside,
        "lag_seconds": health.lag.total_seconds() if health.lag is not None else None,
        "is_late": health.is_late,
        "receives_at": _receives_at(source, health.connector, caller),
    }


def _plain_settings(source: Source, connector: Connector | None) -> dict[str, Any]:
    """Secrets are kept apart already; a setting that has become one since is left out too."""
    secret = {setting.name for setting in connector.settings if setting.kind is Kind.SECRET} if connector else set()
    return {name: value for name, value in source.settings.items() if name not in secret}


def _receives_at(source: Source, connector: Connector | None, caller: Caller) -> str | None:
    if connector is None or not connector.capabilities.receive or caller.lacks("sources:write"):
        return None
    return f"{configured.CONFIGURATION.public_address}/receive/{source.key}/"
