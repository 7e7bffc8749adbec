"""Reads of a workspace's people, tokens and trail, asked as a viewer."""

from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from talkworthy.workspaces.models import AuditEntry, Member, Token

ENTRIES = 50
"""Entries of the trail on one page."""


@dataclass(frozen=True)
class Trail:
    """One page of the audit trail, newest first."""

    entries: list[AuditEntry]
    older: int | None
    """Number of the entry before which the next page begins; None at the end."""


@dataclass(frozen=True)
class TrailFilter:
    """What of the trail is looked at; an empty field lets everything through."""

    verb: str = ""
    noun: str = ""
    by: int | None = None
    words: str = ""


def members(*, viewer: Member) -> QuerySet[Member]:
    """The members, by name."""
    return (
        Member.objects.filter(workspace_id=viewer.workspace_id)
        .select_related("user")
        .order_by("user__name", "user__email")
    )


def member_or_404(member_id: int, *, viewer: Member) -> Member:
    """A member of the viewer's workspace."""
    member = (
        Member.objects.filter(workspace_id=viewer.workspace_id, pk=member_id)
        .select_related("user", "workspace")
        .first()
    )
    if member is None:
        raise Http404(_("There is no such member."))
    return member


def tokens(*, viewer: Member) -> QuerySet[Token]:
    """Tokens that were not revoked, newest first."""
    return (
        Token.objects.filter(workspace_id=viewer.workspace_id, revoked_at=None)
        .select_related("member__user")
        .order_by("-created_at")
    )


def token_or_404(token_id: int, *, viewer: Member) -> Token:
    """A token of the viewer's workspace."""
    token = tokens(viewer=viewer).filter(pk=token_id).select_related("workspace").first()
    if token is None:
        raise Http404(_("There is no such token."))
    return token


def trail(asked: TrailFilter, *, viewer: Member, before: int | None = None) -> Trail:
    """A page of the trail."""
    entries = entries_of(asked, viewer=viewer)
    if before is not None:
        entries = entries.filter(pk__lt=before)
    page = list(entries[: ENTRIES + 1])
    return Trail(page[:ENTRIES], page[ENTRIES - 1].pk if len(page) > ENTRIES else None)


def entries_of(asked: TrailFilter, *, viewer: Member) -> QuerySet[AuditEntry]:
    """Every entry that a filter lets through, newest first."""
    entries = AuditEntry.objects.filter(workspace_id=viewer.workspace_id).select_related("by").order_by("-id")
    if asked.verb:
        entries = entries.filter(verb=asked.verb)
    if asked.noun:
        entries = entries.filter(noun=asked.noun)
    if asked.by is not None:
        entries = entries.filter(by_id=asked.by)
    if asked.words:
        entries = entries.filter(Q(label__icontains=asked.words) | Q(why__icontains=asked.words) | Q(key=asked.words))
    return entries


def trail_words(*, viewer: Member) -> tuple[list[str], list[str]]:
    """The verbs and the nouns that occur in the trail."""
    entries = AuditEntry.objects.filter(workspace_id=viewer.workspace_id).order_by()
    verbs = sorted(entries.values_list("verb", flat=True).distinct())
    nouns = sorted(entries.values_list("noun", flat=True).distinct())
    return verbs, nouns
