"""Follow a name: one box makes a monitor and its sources."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST

from talkworthy.connectors.contract import Connector
from talkworthy.connectors.registry import connector_named
from talkworthy.listening import actions
from talkworthy.listening.following import LONGEST, Followed, Proposal, understood
from talkworthy.listening.models import Monitor, Source
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, offer_undo, permission_required


@dataclass(frozen=True)
class Offer:
    """A proposal as the page offers it."""

    number: int
    proposal: Proposal
    connector: Connector
    is_there: bool
    """Whether a source with these settings listens already."""


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required(Permission.EDIT_MONITORS)
def follow(request: MemberRequest) -> HttpResponse:
    """The box; and, when it was filled in and looked at, the monitor and its sources."""
    words = (request.POST if request.method == "POST" else request.GET).get("words", "").strip()[:LONGEST]
    found = understood(words) if words else None
    if request.method == "POST" and found and "follow" in request.POST:
        try:
            return _followed(request, found)
        except actions.Refused as error:
            return _page(request, words, found, problem=str(error))
    if request.htmx:
        return render(request, "listening/follow/follow.html#understood", _context(request, words, found))
    return _page(request, words, found)


@require_POST
@permission_required(Permission.EDIT_SOURCES)
def check_proposal(request: MemberRequest, number: int) -> HttpResponse:
    """Does the channel answer to what is proposed?"""
    found = understood(request.POST.get("words", "").strip())
    offers = _offers(request, found) if found else []
    offer = next((offer for offer in offers if offer.number == number), None)
    if offer is None:
        raise Http404(_("This is not proposed any more."))
    checked = actions.check_settings(
        request.workspace, connector=offer.proposal.connector, settings=offer.proposal.settings, now=timezone.now()
    )
    return render(request, "listening/follow/follow.html#answered", {"checked": checked})


@require_POST
@permission_required(Permission.EDIT_SOURCES)
def unfollow(request: MemberRequest, monitor_id: int, sources: str) -> HttpResponse:
    """Take back the monitor and the sources that following made; numbers of sources stand with dashes between."""
    now = timezone.now()
    numbers = [int(number) for number in sources.split("-") if number.isdecimal()]
    mine = {"workspace_id": request.workspace.pk, "deleted_at": None}
    with transaction.atomic():
        for monitor in Monitor.objects.filter(pk=monitor_id, **mine).select_related("workspace"):
            actions.delete_monitor(monitor, by=request.user, now=now)
        for source in Source.objects.filter(pk__in=numbers, **mine).select_related("workspace"):
            actions.delete_source(source, by=request.user, now=now)
    messages.success(request, _("It is not followed any more."))
    return redirect("listening:follow", request.workspace.slug)


def _followed(request: MemberRequest, found: Followed) -> HttpResponse:
    now = timezone.now()
    name = request.POST.get("name", "").strip()[:80] or found.name[:80]
    query = request.POST.get("query", "").strip() or found.query
    chosen = set(request.POST.getlist("source"))
    with transaction.atomic():
        monitor = actions.create_monitor(
            request.workspace,
            name=name,
            kind=Monitor.Kind.BRAND,
            colour=_free_colour(request),
            owner=request.member,
            query=query,
            by=request.user,
            now=now,
        )
        made: list[str] = []
        for offer in _offers(request, found):
            if str(offer.number) in chosen and not offer.is_there:
                proposal = offer.proposal
                source = actions.create_source(
                    request.workspace,
                    connector=proposal.connector,
                    name=proposal.name,
                    settings=proposal.settings,
                    keep=proposal.keep,
                    by=request.user,
                    now=now,
                )
                made.append(str(source.pk))
    said = ngettext(
        "“%(name)s” is followed, with %(n)d new source. First mentions come within minutes.",
        "“%(name)s” is followed, with %(n)d new sources. First mentions come within minutes.",
        len(made),
    )
    undo = reverse("listening:unfollow", args=[request.workspace.slug, monitor.pk, "-".join(made) or "0"])
    offer_undo(request, said % {"name": name, "n": len(made)}, undo)
    river = reverse("listening:river", args=[request.workspace.slug])
    return redirect(f"{river}?{urlencode({'monitor': monitor.pk})}")


def _page(request: MemberRequest, words: str, found: Followed | None, *, problem: str = "") -> HttpResponse:
    context = {**_context(request, words, found), "problem": problem}
    return render(request, "listening/follow/follow.html", context, status=422 if problem else 200)


def _context(request: MemberRequest, words: str, found: Followed | None) -> dict[str, object]:
    kept = {name: request.POST[name] for name in ("name", "query") if "follow" in request.POST and name in request.POST}
    return {
        "words": words,
        "found": found,
        "offers": _offers(request, found) if found else [],
        "name": kept.get("name", found.name if found else ""),
        "monitor_query": kept.get("query", found.query if found else ""),
    }


def _offers(request: MemberRequest, found: Followed) -> list[Offer]:
    """The proposals whose connector is installed."""
    there = [
        (source.connector, source.settings)
        for source in Source.objects.filter(workspace_id=request.workspace.pk, deleted_at=None)
    ]
    offers = []
    for number, proposal in enumerate(found.proposals):
        connector = connector_named(proposal.connector)
        if connector is None:
            continue
        is_there = any(
            name == proposal.connector and proposal.settings.items() <= settings.items() for name, settings in there
        )
        offers.append(Offer(number, proposal, connector, is_there))
    return offers


def _free_colour(request: MemberRequest) -> str:
    """The first colour that the fewest monitors have."""
    taken = list(
        Monitor.objects.filter(workspace_id=request.workspace.pk, deleted_at=None).values_list("colour", flat=True)
    )
    return min(actions.COLOURS, key=taken.count)
