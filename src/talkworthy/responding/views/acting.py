"""What is done with cases: one, or many at once, each with its undo."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from django.contrib import messages
from django.core import signing
from django.db.models import Max
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from talkworthy.responding.many import undo_rows
from talkworthy.responding.noting import mentioned
from talkworthy.responding.selectors.case import told_of
from talkworthy.responding.selectors.inbox import case_or_404, cases_numbered, link_or_404
from talkworthy.routing import actions
from talkworthy.routing.models import Case, CaseChange, CaseRole, ConversationLink
from talkworthy.workspaces.models import Member, Team
from talkworthy.workspaces.once import note_refusal, once
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, offer_undo, permission_required
from talkworthy.workspaces.selectors import member_or_404, members

MOST_AT_ONCE = 200
UNDO_FOR = timedelta(days=1)
SAME_CLICK = timedelta(seconds=10)
"""So long after a change the same thing, done again, is a click that was made twice."""
SALT = "talkworthy.inbox.undo"
KEPT = ("do", "to", "for", "until", "role", "kind", "carried", "back")
"""Fields of a form that are carried along when somebody else was faster."""

Verb = Callable[[MemberRequest, Case, datetime, int | None], None]


@require_POST
@permission_required(Permission.WORK_CASES)
def act(request: MemberRequest, number: int) -> HttpResponse:
    """Do one thing with one case; where somebody changed it meanwhile, show what, and offer to do it all the same."""
    case = case_or_404(number, viewer=request.member)
    verb, version = request.POST.get("do", ""), request.POST.get("version", "")
    now = timezone.now()
    if verb not in VERBS:
        raise Http404(_("There is no such thing to do with a case."))
    try:
        _attempt(verb, request, case, now, int(version) if version.isdecimal() else None)
    except actions.Refused as error:
        messages.error(request, str(error))
    except actions.Stale as error:
        return _conflict(request, [error], at_once=False)
    else:
        _offer(request, [case], verb, now)
    return redirect(_back(request, case))


@require_POST
@permission_required(Permission.WORK_CASES)
def bulk(request: MemberRequest) -> HttpResponse:
    """Do one thing with every marked case; what cannot be done is said, the rest is done."""
    verb, now = request.POST.get("do", ""), timezone.now()
    if verb not in AT_ONCE:
        raise Http404(_("There is no such thing to do with many cases."))
    numbers = [int(one) for one in request.POST.getlist("number") if one.isdecimal() and len(one) < 10]
    seen = _versions(request.POST.getlist("seen"))
    done, problems, stale = [], set[str](), list[actions.Stale]()
    for case in cases_numbered(numbers[:MOST_AT_ONCE], viewer=request.member):
        try:
            _attempt(verb, request, case, now, seen.get(case.number))
            done.append(case)
        except actions.Refused as error:
            problems.add(str(error))
        except actions.Stale as error:
            stale.append(error)
    for problem in sorted(problems)[:3]:
        messages.error(request, problem)
    if len(numbers) > MOST_AT_ONCE:
        messages.warning(request, _("Only the first %(n)d were changed.") % {"n": MOST_AT_ONCE})
    if done:
        _offer(request, done, verb, now)
    if stale:
        return _conflict(request, stale, at_once=True)
    return redirect(_back(request, None))


def _attempt(verb: str, request: MemberRequest, case: Case, now: datetime, version: int | None) -> None:
    """Do it. Raises Stale where somebody else changed the case since; one's own changes are no surprise."""
    try:
        VERBS[verb](request, case, now, version)
    except actions.Stale as error:
        if any(change.by_id != request.user.pk for change in error.changes):
            raise
        VERBS[verb](request, error.case, now, error.case.version)


def _conflict(request: MemberRequest, stale: list[actions.Stale], *, at_once: bool) -> HttpResponse:
    """What others did meanwhile, and the same thing again for whoever wants it all the same."""
    again = [(name, request.POST[name]) for name in KEPT if name in request.POST]
    found = [{"case": error.case, "history": told_of(error.case, error.changes)} for error in stale]
    told = {"found": found, "again": again, "at_once": at_once}
    return render(request, "responding/inbox/stale.html", told, status=409)


def _versions(seen: list[str]) -> dict[int, int]:
    """The versions that were looked at, by the number of the case."""
    pairs = (one.partition(":") for one in seen)
    return {
        int(number): int(version)
        for number, _colon, version in pairs
        if number.isdecimal() and version.isdecimal() and len(number) < 10 and len(version) < 10
    }


@require_POST
@permission_required(Permission.WORK_CASES)
def undo(request: MemberRequest, token: str) -> HttpResponse:
    """Give the cases back what they were; one that was changed again since is left alone."""
    now = timezone.now()
    try:
        told = signing.loads(token, salt=SALT, max_age=UNDO_FOR)
    except signing.BadSignature as error:
        raise Http404(_("This can no longer be undone here; the history of each case says what it was.")) from error
    if told["member"] != request.member.pk:
        raise Http404(_("Only who did it can undo it here."))
    rows = CaseChange.objects.filter(
        case__workspace=request.workspace, by=request.user, at=datetime.fromisoformat(told["at"])
    )
    changes = list(rows.select_related("case").order_by("-pk"))
    undone, left = undo_rows(changes, by=request.user, now=now)
    if undone:
        messages.success(request, _("It is as it was."))
    if left:
        words = ngettext(
            "%(n)d change was left as it is: somebody changed it again.",
            "%(n)d changes were left as they are: somebody changed them again.",
            left,
        )
        messages.warning(request, words % {"n": left})
    one = changes[0].case if len({change.case_id for change in changes}) == 1 else None
    return redirect(_back(request, one))


@require_POST
@permission_required(Permission.WORK_CASES)
@once
def note(request: MemberRequest, number: int) -> HttpResponse:
    """Say something to the other members, and tell those who are named."""
    case = case_or_404(number, viewer=request.member)
    text = request.POST.get("text", "").replace("\r\n", "\n")[:10_000]
    everybody = {one.pk: one for one in members(viewer=request.member)}
    named = mentioned(text, [(one.pk, one.user.name, one.user.email) for one in everybody.values()])
    try:
        made = actions.add_note(
            case, text=text, by=request.member, mentioned=[everybody[one] for one in named], now=timezone.now()
        )
    except actions.Refused as error:
        note_refusal(request)
        messages.error(request, str(error))
        return redirect(_back(request, case))
    return redirect(f"{_back(request, case)}#note-{made.pk}")


@require_POST
@permission_required(Permission.WORK_CASES)
def unlink(request: MemberRequest, link_id: int) -> HttpResponse:
    """Untie two conversations."""
    link = link_or_404(link_id, viewer=request.member)
    actions.unlink_conversations(link, by=request.user, now=timezone.now())
    messages.success(request, _("They are no longer tied."))
    case = Case.objects.filter(conversations=link.one_id, workspace=request.workspace).first()
    return redirect(_back(request, case))


# What the buttons do


def _mine(request: MemberRequest, case: Case, now: datetime, version: int | None) -> None:
    actions.take_case(case, member=request.member, now=now, version=version)


def _assign(request: MemberRequest, case: Case, now: datetime, version: int | None) -> None:
    kind, _dash, number = request.POST.get("to", "").partition("-")
    owner, team = case.owner, None
    if kind == "team":
        team = Team.objects.filter(workspace=request.workspace, deleted_at=None, pk=_number(number)).first()
        if team is None:
            raise actions.Refused(_("There is no such team."))
        owner = None
    else:
        owner = member_or_404(_number(number), viewer=request.member) if kind == "member" else None
    actions.assign_case(case, owner=owner, team=team, by=request.user, now=now, version=version)


def _resolve(request: MemberRequest, case: Case, now: datetime, version: int | None) -> None:
    actions.resolve_case(case, by=request.user, now=now, version=version)


def _to(state: str) -> Verb:
    def change(request: MemberRequest, case: Case, now: datetime, version: int | None) -> None:
        actions.set_state(case, state=state, by=request.user, now=now, version=version)

    return change


def _snooze(request: MemberRequest, case: Case, now: datetime, version: int | None) -> None:
    told = parse_datetime(request.POST.get("until", "") or "")
    if told is not None:
        until = told if told.tzinfo else timezone.make_aware(told)
    elif case.state == Case.State.SNOOZED and _has_just(request, case, "snoozed_until", now):
        return  # the second of two clicks: its undo is that of the first
    else:
        until = now + timedelta(seconds=min(_number(request.POST.get("for", "")) or 86_400, 31_536_000))
    actions.snooze_case(case, until=until, by=request.user, now=now, version=version)


def _has_just(request: MemberRequest, case: Case, what: str, now: datetime) -> bool:
    rows = CaseChange.objects.filter(case=case, by=request.user, what=what, at__gt=now - SAME_CLICK)
    return rows.exists()


def _priority(request: MemberRequest, case: Case, now: datetime, version: int | None) -> None:
    actions.set_priority(case, priority=request.POST.get("to", ""), by=request.user, now=now, version=version)


def _tag(request: MemberRequest, case: Case, now: datetime, version: int | None) -> None:
    actions.tag_case(case, add=[request.POST.get("to", "")], by=request.user, now=now)


def _untag(request: MemberRequest, case: Case, now: datetime, version: int | None) -> None:
    actions.tag_case(case, take=[request.POST.get("to", "")], by=request.user, now=now)


def _role(request: MemberRequest, case: Case, now: datetime, version: int | None) -> None:
    member, role = _part(request)
    actions.give_role(case, member=member, role=role, by=request.user, now=now)


def _unrole(request: MemberRequest, case: Case, now: datetime, version: int | None) -> None:
    member, role = _part(request)
    held = CaseRole.objects.filter(case=case, member=member, role=role).first()
    if held is not None:
        actions.end_role(held, by=request.user, now=now)


def _link(request: MemberRequest, case: Case, now: datetime, version: int | None) -> None:
    other = case_or_404(_number(request.POST.get("to", "").strip().removeprefix("#")), viewer=request.member)
    kind = request.POST.get("kind", "")
    one, two = case.conversations.order_by("pk").first(), other.conversations.order_by("pk").first()
    if kind not in ConversationLink.Kind.values or one is None or two is None:
        raise actions.Refused(_("These two cannot be tied: one of them has no conversation."))
    actions.link_conversations(one, two, kind=kind, by=request.user, now=now)


VERBS: Mapping[str, Verb] = {
    "mine": _mine,
    "assign": _assign,
    "resolve": _resolve,
    "reopen": _to(Case.State.OPEN),
    "wait": _to(Case.State.WAITING),
    "wake": _to(Case.State.OPEN),
    "snooze": _snooze,
    "priority": _priority,
    "tag": _tag,
    "untag": _untag,
    "role": _role,
    "unrole": _unrole,
    "link": _link,
}
AT_ONCE = frozenset({"mine", "assign", "resolve", "wait", "snooze", "priority", "tag"})
"""What can be done with many."""


def _offer(request: MemberRequest, cases: list[Case], verb: str, now: datetime) -> None:
    """Say what was done, with its undo where there is one.

    The second of two clicks changes nothing, and its answer is the one that is read: its undo is that of the first.
    """
    what = f"#{cases[0].number}" if len(cases) == 1 else _("%(n)d cases") % {"n": len(cases)}
    text = str(_DONE[verb]) % {"what": what}
    if verb in ("role", "unrole", "link"):
        messages.success(request, text)
        return
    at = CaseChange.objects.filter(
        case__in=cases, by=request.user, what__in=_LEAVES.get(verb, _LEAVES_OF_STATES), at__gt=now - SAME_CLICK
    ).aggregate(last=Max("at"))["last"]
    if at is None:
        messages.success(request, text)
        return
    token = signing.dumps({"at": at.isoformat(), "member": request.member.pk}, salt=SALT)
    offer_undo(request, text, reverse("inbox:undo", args=[request.workspace.slug, token]))


_LEAVES_OF_STATES = ("state", "snoozed_until")
_LEAVES: Mapping[str, tuple[str, ...]] = {
    "mine": ("owner", "team", "state"),
    "assign": ("owner", "team"),
    "priority": ("priority",),
    "tag": ("tags",),
    "untag": ("tags",),
}
"""What a verb leaves in the history."""


_DONE = {
    "mine": gettext_lazy("%(what)s: yours now."),
    "assign": gettext_lazy("%(what)s: assigned."),
    "resolve": gettext_lazy("%(what)s: settled."),
    "reopen": gettext_lazy("%(what)s: open again."),
    "wait": gettext_lazy("%(what)s: waiting for them."),
    "wake": gettext_lazy("%(what)s: awake."),
    "snooze": gettext_lazy("%(what)s: snoozed."),
    "priority": gettext_lazy("%(what)s: another priority."),
    "tag": gettext_lazy("%(what)s: tagged."),
    "untag": gettext_lazy("%(what)s: tag taken away."),
    "role": gettext_lazy("%(what)s: they have the part."),
    "unrole": gettext_lazy("%(what)s: the part is taken away."),
    "link": gettext_lazy("%(what)s: tied."),
}


def _part(request: MemberRequest) -> tuple[Member, str]:
    role = request.POST.get("role", "")
    if role not in CaseRole.Role.values:
        raise actions.Refused(_("There is no such part."))
    return member_or_404(_number(request.POST.get("to", "")), viewer=request.member), role


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 18 else 0


def _back(request: MemberRequest, case: Case | None) -> str:
    """The page that one came from, as far as it is ours; else the case, or the inbox."""
    told = request.POST.get("back", "")
    if told.startswith("/") and url_has_allowed_host_and_scheme(told, allowed_hosts=None):
        return told
    carried = request.POST.get("carried", "")
    if case is not None:
        address = reverse("inbox:case", args=[request.workspace.slug, case.number])
        return f"{address}?{carried}" if carried else address
    return reverse("inbox:inbox", args=[request.workspace.slug])
