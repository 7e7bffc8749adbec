"""The inbox: the queue, its filter and views."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from talkworthy.listening.views.problems import problems_of
from talkworthy.query import QueryError, check
from talkworthy.responding import actions
from talkworthy.responding.casequery import CASES
from talkworthy.responding.selectors import inbox as selectors
from talkworthy.responding.selectors.case import CasePage, teams
from talkworthy.responding.selectors.inbox import Asked, Listed, Place
from talkworthy.routing.actions import may_own
from talkworthy.routing.models import Case, CaseRole, ConversationLink
from talkworthy.routing.selectors.reports import FIGURES, GROUPS, Scope
from talkworthy.workspaces.permissions import Permission, may
from talkworthy.workspaces.requests import MemberRequest, offer_undo, permission_required
from talkworthy.workspaces.selectors import members

MOST_MARKED = 200


@require_safe
@permission_required(Permission.READ)
def inbox(request: MemberRequest) -> HttpResponse:
    """The queue, with no case opened."""
    return render(request, "responding/inbox/inbox.html", inbox_context(request, asked_of(request.GET)))


@require_safe
@permission_required(Permission.READ)
def rows(request: MemberRequest) -> HttpResponse:
    """The rows as they are now; 204 while nothing that they show has changed."""
    asked = asked_of(request.GET)
    listed, errors, _warnings = _listed(request, asked)
    if listed.stamp == request.GET.get("stamp"):
        return HttpResponse(status=204)
    opened = request.GET.get("case", "")
    case = Case.objects.filter(workspace=request.workspace, number=int(opened)).first() if opened.isdecimal() else None
    found = {"listed": listed, "errors": errors, "page": {"case": case} if case else None, **_addresses(asked, listed)}
    return render(request, "responding/inbox/rows.html", {"asked": asked, "marks": _works(request), **found})


@require_safe
@permission_required(Permission.READ)
def take_next(request: MemberRequest) -> HttpResponse:
    """To the case that should be taken next."""
    asked = asked_of(request.GET)
    after = request.GET.get("after", "")
    case = Case.objects.filter(workspace=request.workspace, number=int(after)).first() if after.isdecimal() else None
    try:
        found = selectors.next_case(asked, viewer=request.member, now=timezone.now(), after=case)
    except QueryError:
        found = None
    address = urlencode(_pairs(asked))
    if found is None:
        messages.success(request, _("Nothing more waits here."))
        return redirect(f"{reverse('inbox:inbox', args=[request.workspace.slug])}?{address}")
    return redirect(f"{reverse('inbox:case', args=[request.workspace.slug, found.number])}?{address}")


@require_safe
@permission_required(Permission.READ)
def check_words(request: MemberRequest) -> HttpResponse:
    """The problems of a filter while it is being typed."""
    words = request.GET.get("q", "")[:2000]
    checked = check(words, stage="people", vocabulary=CASES) if words.strip() else None
    errors, warnings = problems_of(checked, stage="people", vocabulary=CASES) if checked else ([], [])
    return render(request, "responding/inbox/problems.html", {"errors": errors, "warnings": warnings})


@require_POST
@permission_required(Permission.READ)
def unread(request: MemberRequest) -> HttpResponse:
    """Mark cases as unread to the viewer, and go back to the list."""
    cases = _chosen(request)
    actions.mark_unread(cases, member=request.member)
    if cases:
        numbers = "-".join(str(case.number) for case in cases)
        what = f"#{cases[0].number}" if len(cases) == 1 else _("%(n)d cases") % {"n": len(cases)}
        undo = reverse("inbox:read", args=[request.workspace.slug, numbers])
        offer_undo(request, _("%(what)s: unread to you.") % {"what": what}, undo)
    return redirect(_list(request))


@require_POST
@permission_required(Permission.READ)
def read(request: MemberRequest, numbers: str) -> HttpResponse:
    """Take the marks back."""
    wanted = [int(one) for one in numbers.split("-")[:MOST_MARKED] if one.isdecimal() and len(one) < 10]
    actions.see_cases(selectors.cases_numbered(wanted, viewer=request.member), member=request.member)
    return redirect(_list(request))


def _chosen(request: MemberRequest) -> list[Case]:
    told = request.POST.getlist("number")[:MOST_MARKED]
    wanted = [int(one) for one in told if one.isdecimal() and len(one) < 10]
    return selectors.cases_numbered(wanted, viewer=request.member)


def _list(request: MemberRequest) -> str:
    """The list that one came from, with no case opened: looking at one is what makes it read."""
    address = urlencode(_pairs(asked_of(QueryDict(request.POST.get("carried", "")))))
    return f"{reverse('inbox:inbox', args=[request.workspace.slug])}?{address}"


@require_POST
@permission_required(Permission.MARK)
def keep_view(request: MemberRequest) -> HttpResponse:
    """Keep the filter under a name."""
    name = request.POST.get("name", "")[:80]
    address = urlencode(_pairs(asked_of(QueryDict(request.POST.get("address", "")))))
    try:
        actions.keep_view(request.member, name=name, address=address, shared=bool(request.POST.get("shared")))
        messages.success(request, _("The view is kept. It stands under “Views”."))
    except actions.Refused as error:
        messages.error(request, str(error))
    return redirect(f"{reverse('inbox:inbox', args=[request.workspace.slug])}?{address}")


@require_POST
@permission_required(Permission.MARK)
def forget_view(request: MemberRequest, view_id: int) -> HttpResponse:
    """Forget one of one's own views."""
    view = selectors.view_or_404(view_id, viewer=request.member)
    actions.forget_view(view)
    messages.success(request, _("The view “%(name)s” is gone.") % {"name": view.name})
    return redirect(f"{reverse('inbox:inbox', args=[request.workspace.slug])}?{view.address}")


def asked_of(query: QueryDict) -> Asked:
    """What an address asks for; what cannot be read is left out."""
    tab = query.get("tab", "")
    after, before = (Place.read(query.get(name, "")) for name in ("after", "before"))
    scope = _scope_of(query)
    return Asked(
        tab if tab in selectors.TABS else "all",
        query.get("q", "")[:2000].strip(),
        after,
        None if after else before,
        query.get("figure", "") if scope and query.get("figure", "") in FIGURES else "",
        scope,
    )


def _scope_of(query: QueryDict) -> Scope | None:
    """What a figure of the reports is about; None where the address speaks of none."""
    try:
        since, until = (datetime.fromisoformat(query.get(name, "")) for name in ("since", "until"))
    except ValueError:
        return None
    if since.tzinfo is None or until.tzinfo is None:
        return None
    by = query.get("by", "")
    return Scope(since, until, by if by in GROUPS else "", query.get("value", "")[:80])


def inbox_context(request: MemberRequest, asked: Asked, page: CasePage | None = None) -> dict[str, Any]:
    """Everything around the list, and the opened case where there is one."""
    now = timezone.now()
    listed, errors, warnings = _listed(request, asked)
    tallies = selectors.tallies(viewer=request.member, now=now)
    base = reverse("inbox:inbox", args=[request.workspace.slug])
    works = _works(request)
    everybody = list(members(viewer=request.member)) if works else []
    found: dict[str, Any] = {
        "asked": asked,
        "listed": listed,
        "errors": errors,
        "warnings": warnings,
        "tabs": [
            {
                "label": label,
                "address": f"{base}?{urlencode(_pairs(replace(asked, tab=tab, after=None, before=None)))}",
                "on": tab == asked.tab,
                "tally": f"{selectors.MOST_COUNTED}+" if tallies[tab] > selectors.MOST_COUNTED else tallies[tab],
            }
            for tab, label in selectors.TABS.items()
        ],
        "views": selectors.views(viewer=request.member),
        "figure_words": FIGURES.get(asked.figure, ""),
        "page": page,
        "marks": works,
        "members": everybody,
        "owners": [one for one in everybody if may_own(one)],
        "teams": teams(viewer=request.member) if works else [],
        "priorities": Case.Priority.choices,
        "parts": CaseRole.Role.choices,
        "kinds": ConversationLink.Kind.choices,
        "why_open": bool(request.GET.get("why")),
        "own_conversations": {one.pk for one in page.conversations} if page else set(),
    }
    return found | _addresses(asked, listed)


def _listed(request: MemberRequest, asked: Asked) -> tuple[Listed, list[Any], list[Any]]:
    try:
        listed = selectors.inbox(asked, viewer=request.member, now=timezone.now())
    except QueryError:
        checked = check(asked.words, stage="people", vocabulary=CASES)
        errors, warnings = problems_of(checked, stage="people", vocabulary=CASES)
        return Listed([], None, None, "unread"), errors, warnings
    return listed, [], []


def _addresses(asked: Asked, listed: Listed) -> dict[str, str]:
    return {
        "carried": urlencode(_pairs(asked)),
        "from_the_top": urlencode(_pairs(replace(asked, after=None, before=None))),
        "to_newer": urlencode(_pairs(replace(asked, after=None, before=listed.newer))) if listed.newer else "",
        "to_older": urlencode(_pairs(replace(asked, after=listed.older, before=None))) if listed.older else "",
    }


def _pairs(asked: Asked) -> list[tuple[str, str]]:
    pairs = [("tab", asked.tab)]
    if asked.words:
        pairs.append(("q", asked.words))
    if asked.figure and asked.scope:
        scope = asked.scope
        pairs += [("figure", asked.figure), ("since", scope.since.isoformat()), ("until", scope.until.isoformat())]
        pairs += [("by", scope.by), ("value", scope.value)] if scope.by else []
    pairs += [(name, str(place)) for name, place in (("after", asked.after), ("before", asked.before)) if place]
    return pairs


def _works(request: MemberRequest) -> bool:
    return may(request.member.role, Permission.WORK_CASES)
