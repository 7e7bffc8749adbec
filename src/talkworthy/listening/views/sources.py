"""Pages of sources: how they are doing, the guided form, and what could not be read."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from talkworthy.connectors.contract import Connector
from talkworthy.connectors.registry import connectors as installed
from talkworthy.listening import actions
from talkworthy.listening.collecting import source_key
from talkworthy.listening.forms.sources import SourceForm
from talkworthy.listening.models import Source
from talkworthy.listening.selectors import sources as selectors
from talkworthy.workspaces.credentials import LockedCredentials, opened
from talkworthy.workspaces.once import once
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, offer_undo, permission_required


@require_safe
@permission_required(Permission.READ)
def sources(request: MemberRequest) -> HttpResponse:
    """Every source with its health."""
    found = selectors.sources(viewer=request.member, now=timezone.now())
    template = "listening/sources/sources.html#rows" if request.htmx else "listening/sources/sources.html"
    return render(request, template, {"sources": found, "is_late": any(row.is_late for row in found)})


@require_safe
@permission_required(Permission.EDIT_SOURCES)
def connectors(request: MemberRequest) -> HttpResponse:
    """Which channel shall be listened to?"""
    return render(request, "listening/sources/connectors.html", {"connectors": installed().values()})


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_SOURCES)
@once
def new_source(request: MemberRequest, connector: str) -> HttpResponse:
    """The guided form of a new source."""
    channel = selectors.connector_or_404(connector)
    if request.method != "POST":
        asked = {
            f"setting_{setting.name}": request.GET[setting.name]
            for setting in channel.settings
            if setting.name in request.GET
        }
        return _form(request, SourceForm(connector=channel, initial=asked), channel)
    form = SourceForm(request.POST, connector=channel)
    if not form.is_valid():
        return _form(request, form, channel, status=422)
    try:
        source = actions.create_source(
            request.workspace,
            connector=connector,
            settings=form.settings,
            secrets=form.secrets,
            **form.of_the_source,
            by=request.user,
            now=timezone.now(),
        )
    except actions.Refused as error:
        form.add_error(None, str(error))
        return _form(request, form, channel, status=422)
    offer_undo(
        request,
        _("“%(name)s” is listened to from now on.") % {"name": source.name},
        _address(request, "delete_source", source),
    )
    return redirect(_address(request, "source", source))


@require_POST
@permission_required(Permission.EDIT_SOURCES)
def check_new(request: MemberRequest, connector: str) -> HttpResponse:
    """Try the settings of a source that is not there yet."""
    channel = selectors.connector_or_404(connector)
    return _check(request, SourceForm(request.POST, connector=channel), channel, {})


@require_POST
@permission_required(Permission.EDIT_SOURCES)
def check(request: MemberRequest, source_id: int) -> HttpResponse:
    """Try changed settings, with the stored secrets where no new ones are given."""
    source = selectors.source_or_404(source_id, viewer=request.member)
    channel = selectors.connector_or_404(source.connector)
    form = SourceForm(request.POST, connector=channel, source=source)
    try:
        return _check(request, form, channel, opened(source.secrets))
    except LockedCredentials as error:
        form.add_error(None, str(error))
        return _form(request, form, channel, source=source, status=422)


@require_safe
@permission_required(Permission.READ)
def source(request: MemberRequest, source_id: int) -> HttpResponse:
    """One source: health, settings, cursor, limits, and what was set aside."""
    found = selectors.source_or_404(source_id, viewer=request.member)
    health = selectors.health(found, viewer=request.member, now=timezone.now())
    if request.htmx:
        return render(request, "listening/sources/source.html#health", {"health": health, "source": found})
    page = {
        "health": health,
        "source": found,
        "source_key": source_key(found),
        "settings": _told_settings(found, health.connector),
        "asides": selectors.set_aside(found, viewer=request.member) if health.aside else [],
        "receiving": _receiving_address(found, health.connector),
    }
    return render(request, "listening/sources/source.html", page)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_SOURCES)
def change(request: MemberRequest, source_id: int) -> HttpResponse:
    """The guided form of a source that is there."""
    source = selectors.source_or_404(source_id, viewer=request.member)
    channel = selectors.connector_or_404(source.connector)
    form = SourceForm(request.POST if request.method == "POST" else None, connector=channel, source=source)
    if not form.is_valid():
        return _form(request, form, channel, source=source, status=422 if form.is_bound else 200)
    try:
        actions.change_source(
            source,
            settings=form.settings,
            secrets=form.secrets,
            **form.of_the_source,
            by=request.user,
            now=timezone.now(),
        )
    except (actions.Refused, LockedCredentials) as error:
        form.add_error(None, str(error))
        return _form(request, form, channel, source=source, status=422)
    messages.success(request, _("Saved. It is fetched again at once."))
    return redirect(_address(request, "source", source))


@require_POST
@permission_required(Permission.EDIT_SOURCES)
def fetch(request: MemberRequest, source_id: int) -> HttpResponse:
    """Look now, not only when it is due."""
    source = selectors.source_or_404(source_id, viewer=request.member)
    actions.fetch_now(source, by=request.user, now=timezone.now())
    messages.success(request, _("It is fetched as soon as the worker is free."))
    return redirect(_address(request, "source", source))


@require_POST
@permission_required(Permission.EDIT_SOURCES)
def pause(request: MemberRequest, source_id: int) -> HttpResponse:
    """Stop listening for a while."""
    source = selectors.source_or_404(source_id, viewer=request.member)
    actions.pause_source(source, by=request.user, now=timezone.now())
    offer_undo(request, _("“%(name)s” is paused.") % {"name": source.name}, _address(request, "resume_source", source))
    return redirect(_address(request, "source", source))


@require_POST
@permission_required(Permission.EDIT_SOURCES)
def resume(request: MemberRequest, source_id: int) -> HttpResponse:
    """Listen again."""
    source = selectors.source_or_404(source_id, viewer=request.member)
    actions.resume_source(source, by=request.user, now=timezone.now())
    offer_undo(
        request,
        _("“%(name)s” is listened to again.") % {"name": source.name},
        _address(request, "pause_source", source),
    )
    return redirect(_address(request, "source", source))


@require_POST
@permission_required(Permission.EDIT_SOURCES)
def delete(request: MemberRequest, source_id: int) -> HttpResponse:
    """Away with it; what it brought stays."""
    source = selectors.source_or_404(source_id, viewer=request.member)
    actions.delete_source(source, by=request.user, now=timezone.now())
    offer_undo(
        request,
        _("“%(name)s” is deleted; its posts stay.") % {"name": source.name},
        _address(request, "restore_source", source),
    )
    return redirect("listening:sources", request.workspace.slug)


@require_POST
@permission_required(Permission.EDIT_SOURCES)
def restore(request: MemberRequest, source_id: int) -> HttpResponse:
    """Back with it."""
    source = selectors.source_or_404(source_id, viewer=request.member, deleted=True)
    actions.restore_source(source, by=request.user, now=timezone.now())
    messages.success(request, _("“%(name)s” is back, and goes on from where it stopped.") % {"name": source.name})
    return redirect(_address(request, "source", source))


@require_POST
@permission_required(Permission.EDIT_SOURCES)
def replay(request: MemberRequest, source_id: int) -> HttpResponse:
    """Read once more what could not be read: one payload, or all of them."""
    source = selectors.source_or_404(source_id, viewer=request.member)
    count = _replayed(request, source, now=timezone.now())
    if count:
        messages.success(
            request,
            ngettext(
                "%(n)d payload is read once more. If it fails again, it comes back to this list.",
                "%(n)d payloads are read once more. What fails again comes back to this list.",
                count,
            )
            % {"n": count},
        )
    else:
        messages.warning(request, _("It is not on the list any more: somebody else has replayed it."))
    return redirect(_address(request, "source", source))


def _replayed(request: MemberRequest, source: Source, *, now: datetime) -> int:
    if "all" in request.POST:
        return actions.replay_all_aside(source, by=request.user, now=now)
    seq, index = request.POST.get("seq", ""), request.POST.get("index", "")
    if not (seq.isdecimal() and index.isdecimal()):
        return 0
    return int(actions.replay_aside(source, seq=int(seq), index=int(index), by=request.user, now=now))


def _check(request: MemberRequest, form: SourceForm, channel: Connector, stored: dict[str, Any]) -> HttpResponse:
    checked = None
    if form.is_valid():
        given = {**form.settings, **stored, **form.secrets}
        checked = actions.check_settings(request.workspace, connector=channel.name, settings=given, now=timezone.now())
    if request.htmx:
        return render(request, "listening/sources/form.html#checked", {"checked": checked, "form": form})
    return _form(request, form, channel, source=form.source, checked=checked)


def _form(
    request: MemberRequest, form: SourceForm, channel: Connector, *, status: int = 200, **more: Any
) -> HttpResponse:
    page = {"form": form, "connector": channel, "source": None, **more}
    return render(request, "listening/sources/form.html", page, status=status)


def _address(request: MemberRequest, name: str, source: Source) -> str:
    return reverse(f"listening:{name}", args=[request.workspace.slug, source.pk])


def _receiving_address(source: Source, connector: Connector | None) -> str:
    """Where the channel may call us; empty for a channel that never does."""
    if connector is None or not connector.capabilities.receive:
        return ""
    return f"{settings.CONFIGURATION.public_address}/receive/{source.key}/"


def _told_settings(source: Source, connector: Connector | None) -> list[tuple[str, str]]:
    """The plain settings under their labels, in the order of the form."""
    if connector is None:
        return [(name, str(value)) for name, value in source.settings.items()]
    told = []
    for setting in connector.settings:
        value = source.settings.get(setting.name)
        if value in (None, "", []):
            continue
        told.append((setting.label, _told(value, dict(setting.choices))))
    return told


def _told(value: Any, choices: dict[str, str]) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return choices.get(str(value), str(value))
