"""Verbs on segments: saved queries over people."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from talkworthy.people.actions.problems import Refused
from talkworthy.people.models import Segment
from talkworthy.people.segments import people_query
from talkworthy.query import QueryError
from talkworthy.workspaces.audit import apply_changes, note_change
from talkworthy.workspaces.models import User, Workspace


def create_segment(workspace: Workspace, *, name: str, query: str, by: User | None, now: datetime) -> Segment:
    """Keep a query over people under a name."""
    slug = _slug(name)
    _check(workspace, query, slug)
    try:
        with transaction.atomic():
            segment = Segment.objects.create(
                workspace=workspace, name=name.strip()[:80], slug=slug, query=query.strip(), by=by, created_at=now
            )
            note_change(workspace, verb="create", thing=segment, by=by, now=now, after={"query": segment.query})
    except IntegrityError as error:
        raise _taken(name) from error
    return segment


def change_segment(segment: Segment, *, name: str, query: str, by: User | None, now: datetime) -> Segment:
    """Change name or query; the word by which queries know it stays."""
    if not name.strip():
        raise Refused(_("A segment needs a name."))
    _check(segment.workspace, query, segment.slug)
    with transaction.atomic():
        before, after = apply_changes(segment, {"name": name.strip()[:80], "query": query.strip()})
        if after:
            segment.save()
            note_change(segment.workspace, verb="change", thing=segment, by=by, now=now, before=before, after=after)
    return segment


def delete_segment(segment: Segment, *, by: User | None, now: datetime) -> None:
    """Take it away; it can be restored."""
    _set(segment, "delete", now, by=by, now=now)


def restore_segment(segment: Segment, *, by: User | None, now: datetime) -> None:
    """Bring it back."""
    try:
        with transaction.atomic():
            _set(segment, "restore", None, by=by, now=now)
    except IntegrityError as error:
        raise _taken(segment.name) from error


def _set(segment: Segment, verb: str, deleted_at: datetime | None, *, by: User | None, now: datetime) -> None:
    with transaction.atomic():
        Segment.objects.filter(pk=segment.pk).update(deleted_at=deleted_at)
        note_change(segment.workspace, verb=verb, thing=segment, by=by, now=now)


def _check(workspace: Workspace, query: str, slug: str) -> None:
    try:
        people_query(workspace, query, within=(slug,))
    except QueryError as error:
        raise Refused(str(error)) from error


def _slug(name: str) -> str:
    from talkworthy.analysis.names import latin_name

    slug = slugify(name, allow_unicode=False) or slugify(latin_name(name))
    if not slug:
        raise Refused(_("A segment needs a name with letters or numbers."))
    return slug[:60]


def _taken(name: str) -> Refused:
    return Refused(_("There is a segment called “%(name)s” already. Choose another name.") % {"name": name})
