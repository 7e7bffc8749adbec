"""Pages of lists: links that are suggested, organisations, segments."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from talkworthy.people.labels import FIELDS, LEVELS, channel_title
from talkworthy.people.models import (
    CrmAccount,
    CrmConflict,
    Identity,
    LinkSuggestion,
    NeverMerge,
    Organisation,
    Person,
    Segment,
)
from talkworthy.people.segments import people_query
from talkworthy.query import QueryError
from talkworthy.workspaces.models import Member

LISTED = 25
"""Suggestions on a page: each wants to be read."""


@dataclass(frozen=True)
class Side:
    """One of the two that may be one."""

    key: str
    name: str
    person: int | None
    """The number of the person's page; None for a bare account."""
    about: str


@dataclass(frozen=True)
class Reason:
    """A piece of evidence in words."""

    field: str
    level: str
    left: str
    right: str
    bits: float


@dataclass(frozen=True)
class Suggestion:
    """A pair with both sides and the reasons."""

    row: LinkSuggestion
    left: Side
    right: Side
    reasons: Sequence[Reason]

    @property
    def needs_basis(self) -> bool:
        """Whether two bare accounts would make a new person."""
        return self.left.person is None and self.right.person is None


def suggestions(*, viewer: Member, state: str = "open", limit: int = LISTED) -> list[Suggestion]:
    """What was found, the likeliest first; pairs of which one is gone are left out."""
    rows = LinkSuggestion.objects.filter(workspace_id=viewer.workspace_id, state=state).select_related("by")
    rows = rows.order_by("-decided_at", "-pk") if state != LinkSuggestion.State.OPEN else rows
    found = list(rows[:limit])
    sides = _sides(viewer, [key for row in found for key in (row.left, row.right)])
    return [
        Suggestion(row, sides[row.left], sides[row.right], _reasons(row.evidence))
        for row in found
        if row.left in sides and row.right in sides
    ]


def suggestion_or_404(number: int, *, viewer: Member) -> LinkSuggestion:
    """A suggestion of the viewer's workspace."""
    rows = LinkSuggestion.objects.filter(workspace_id=viewer.workspace_id, pk=number)
    row = rows.select_related("workspace").first()
    if row is None:
        raise Http404(_("There is no such suggestion. A newer run may have replaced it."))
    return row


def counts_of_links(*, viewer: Member) -> Mapping[str, int]:
    """How many suggestions there are of each state, and pairs that are kept apart."""
    rows = LinkSuggestion.objects.filter(workspace_id=viewer.workspace_id).values_list("state").annotate(n=Count("pk"))
    apart = NeverMerge.objects.filter(workspace_id=viewer.workspace_id).count()
    return {"open": 0, "confirmed": 0, "denied": 0, **dict(rows), "apart": apart}


def kept_apart(*, viewer: Member, limit: int = 100) -> list[tuple[NeverMerge, Side | None, Side | None]]:
    """Those who are never one, with who they are as far as they are still known."""
    rows = list(
        NeverMerge.objects.filter(workspace_id=viewer.workspace_id).select_related("by").order_by("-at")[:limit]
    )
    sides = _sides(viewer, [key for row in rows for key in (row.left, row.right)])
    return [(row, sides.get(row.left), sides.get(row.right)) for row in rows]


def never_or_404(number: int, *, viewer: Member) -> NeverMerge:
    """A pair of the viewer's workspace that is kept apart."""
    row = NeverMerge.objects.filter(workspace_id=viewer.workspace_id, pk=number).select_related("workspace").first()
    if row is None:
        raise Http404
    return row


def organisations(*, viewer: Member, words: str = "") -> QuerySet[Organisation]:
    """Organisations with how many persons belong to them."""
    rows = Organisation.objects.filter(workspace_id=viewer.workspace_id)
    if words.strip():
        rows = rows.filter(Q(name__icontains=words.strip()) | Q(domain__icontains=words.strip()))
    counted = Count("persons", filter=Q(persons__deleted_at=None))
    return rows.annotate(known=counted).order_by("name", "pk")


def organisation_or_404(number: int, *, viewer: Member) -> Organisation:
    """An organisation of the viewer's workspace."""
    row = Organisation.objects.filter(workspace_id=viewer.workspace_id, pk=number).select_related("workspace").first()
    if row is None:
        raise Http404(_("There is no such organisation."))
    return row


def segments(*, viewer: Member, now: datetime) -> list[tuple[Segment, int | None]]:
    """Segments with how many persons they find; None where the query cannot be read any more."""
    rows = Segment.objects.filter(workspace_id=viewer.workspace_id, deleted_at=None).select_related("by", "workspace")
    return [(segment, size_of(segment, now=now)) for segment in rows]


def size_of(segment: Segment, *, now: datetime) -> int | None:
    """How many persons a segment finds."""
    try:
        condition = people_query(segment.workspace, segment.query, now=now, within=(segment.slug,))
    except QueryError:
        return None
    rows = Person.objects.filter(condition, workspace=segment.workspace, merged_into=None, deleted_at=None)
    return rows.count()


def segment_or_404(number: int, *, viewer: Member, is_deleted: bool = False) -> Segment:
    """A segment of the viewer's workspace."""
    rows = Segment.objects.filter(workspace_id=viewer.workspace_id, pk=number, deleted_at__isnull=not is_deleted)
    row = rows.select_related("workspace").first()
    if row is None:
        raise Http404(_("There is no such segment."))
    return row


def crm_accounts(*, viewer: Member) -> QuerySet[CrmAccount]:
    """The CRMs that persons are exchanged with, with how many contacts and open conflicts."""
    return CrmAccount.objects.filter(workspace_id=viewer.workspace_id).annotate(
        contacts=Count("links", distinct=True),
        open_conflicts=Count("links__conflicts", filter=Q(links__conflicts__decided_at=None), distinct=True),
    )


def crm_account_or_404(number: int, *, viewer: Member) -> CrmAccount:
    """A CRM of the viewer's workspace."""
    row = crm_accounts(viewer=viewer).filter(pk=number).select_related("workspace").first()
    if row is None:
        raise Http404(_("There is no such CRM."))
    return row


def conflicts(account: CrmAccount) -> list[CrmConflict]:
    """What was changed on both sides and is not decided yet."""
    rows = CrmConflict.objects.filter(link__account=account, decided_at=None)
    return list(rows.select_related("link__person")[:200])


def conflict_or_404(number: int, *, viewer: Member) -> CrmConflict:
    """An open conflict of the viewer's workspace."""
    rows = CrmConflict.objects.filter(link__account__workspace_id=viewer.workspace_id, pk=number, decided_at=None)
    row = rows.select_related("link__account__workspace", "link__person").first()
    if row is None:
        raise Http404(_("This was decided already."))
    return row


def _sides(viewer: Member, keys: Iterable[str]) -> dict[str, Side]:
    """Who stands behind the keys, in two statements."""
    numbers: dict[str, list[int]] = {"person": [], "identity": []}
    for key in keys:
        kind, _colon, number = key.partition(":")
        if kind in numbers and number.isdecimal():
            numbers[kind].append(int(number))
    workspace = viewer.workspace_id
    found: dict[str, Side] = {}
    people = Person.objects.filter(workspace_id=workspace, pk__in=numbers["person"], deleted_at=None)
    for person in people.select_related("organisation"):
        about = person.organisation.name if person.organisation else ""
        found[f"person:{person.pk}"] = Side(f"person:{person.pk}", person.name, person.root_id or person.pk, about)
    accounts = Identity.objects.filter(workspace_id=workspace, pk__in=numbers["identity"]).select_related("person")
    for identity in accounts:
        owner = identity.person
        about = f"{channel_title(identity.channel)} · {identity.handle or identity.account}"
        page = (owner.root_id or owner.pk) if owner else None
        found[f"identity:{identity.pk}"] = Side(f"identity:{identity.pk}", str(identity), page, about)
    return found


def _reasons(evidence: Iterable[Mapping[str, Any]]) -> list[Reason]:
    return [
        Reason(
            str(FIELDS.get(each["field"], each["field"])),
            str(LEVELS.get(each["level"], each["level"])),
            each["left"],
            each["right"],
            float(each["bits"]),
        )
        for each in evidence
    ]
