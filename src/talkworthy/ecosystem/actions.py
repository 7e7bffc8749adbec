"""Verbs on touchpoints and promises. Each writes in a transaction and leaves a row in the audit trail."""

from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.dispatch import Signal
from django.utils.text import slugify
from django.utils.translation import gettext as _

from talkworthy.ecosystem.models import Promise, Touchpoint
from talkworthy.query import QueryError, compile_query, parse
from talkworthy.workspaces.audit import apply_changes, note_change
from talkworthy.workspaces.models import Member, Team, User, Workspace

LONGEST_SLUG = 60
ATTEMPTS = 5

touchpoint_changed = Signal()
"""Sent with `touchpoint`, `by` and `now` after one was made, changed, deleted or restored, in the same transaction.

The room that listens keeps the monitor that carries its query in step.
"""


promise_changed = Signal()
"""The same of a promise, with `promise`, `by` and `now`: a monitor carries its query, where it has one."""


class Refused(ValueError):
    """It was not done; the message says why and what can be done."""


def create_touchpoint(
    workspace: Workspace,
    *,
    name: str,
    kind: str,
    query: str,
    about: str = "",
    colour: str = "teal",
    owner: Member | None = None,
    team: Team | None = None,
    by: User | None,
    now: datetime,
) -> Touchpoint:
    """Add a touchpoint; stored mentions are tied to it in the background."""
    _check_query(query, now=now)
    for _attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                touchpoint = Touchpoint.objects.create(
                    workspace=workspace,
                    name=name.strip(),
                    slug=free_slug(workspace, name),
                    kind=kind,
                    query=query,
                    about=about,
                    colour=colour,
                    owner=owner,
                    team=team,
                    created_at=now,
                )
                after = {"name": touchpoint.name, "slug": touchpoint.slug, "kind": kind, "query": query}
                note_change(workspace, verb="create", thing=touchpoint, by=by, now=now, after=after)
                touchpoint_changed.send(Touchpoint, touchpoint=touchpoint, by=by, now=now)
        except IntegrityError:  # the slug was taken in between
            continue
        return touchpoint
    raise _no_slug()


def change_touchpoint(touchpoint: Touchpoint, *, by: User | None, now: datetime, **changes: Any) -> Touchpoint:
    """Change fields; its slug stays, so that queries which name it go on to find it."""
    if "query" in changes:
        _check_query(changes["query"], now=now)
    with transaction.atomic():
        touchpoint = Touchpoint.objects.select_for_update().get(pk=touchpoint.pk)
        before, after = apply_changes(touchpoint, changes)
        if after:
            touchpoint.save(update_fields=[*after])
            note_change(
                touchpoint.workspace, verb="change", thing=touchpoint, by=by, now=now, before=before, after=after
            )
            touchpoint_changed.send(Touchpoint, touchpoint=touchpoint, by=by, now=now)
    return touchpoint


def delete_touchpoint(touchpoint: Touchpoint, *, by: User | None, now: datetime) -> None:
    """Take it away; it can be restored with its promises and its mentions."""
    with transaction.atomic():
        before, after = apply_changes(touchpoint, {"deleted_at": now})
        touchpoint.save(update_fields=["deleted_at"])
        note_change(touchpoint.workspace, verb="delete", thing=touchpoint, by=by, now=now, before=before, after=after)
        touchpoint_changed.send(Touchpoint, touchpoint=touchpoint, by=by, now=now)


def restore_touchpoint(touchpoint: Touchpoint, *, by: User | None, now: datetime) -> None:
    """Bring a deleted one back; under another slug where its own was given away in between."""
    for _attempt in range(ATTEMPTS):
        try:
            with transaction.atomic():
                touchpoint.refresh_from_db()
                slug = free_slug(touchpoint.workspace, touchpoint.slug)
                before, after = apply_changes(touchpoint, {"deleted_at": None, "slug": slug})
                if "deleted_at" not in after:
                    return
                touchpoint.save(update_fields=["deleted_at", "slug"])
                note_change(
                    touchpoint.workspace, verb="restore", thing=touchpoint, by=by, now=now, before=before, after=after
                )
                touchpoint_changed.send(Touchpoint, touchpoint=touchpoint, by=by, now=now)
        except IntegrityError:  # the slug was taken in between
            continue
        return
    raise _no_slug()


def add_promise(
    touchpoint: Touchpoint,
    *,
    words: str,
    made_in: str,
    address: str = "",
    valid_from: date,
    valid_to: date | None = None,
    query: str = "",
    by: User | None,
    now: datetime,
) -> Promise:
    """Write down what was promised at a touchpoint."""
    _check_promise(valid_from, valid_to, query, now=now)
    with transaction.atomic():
        promise = Promise.objects.create(
            workspace=touchpoint.workspace,
            touchpoint=touchpoint,
            words=words,
            made_in=made_in,
            address=address,
            valid_from=valid_from,
            valid_to=valid_to,
            query=query,
            by=by,
            created_at=now,
        )
        after = {"words": words, "made_in": made_in, "valid_from": str(valid_from)}
        note_change(touchpoint.workspace, verb="create", thing=promise, by=by, now=now, after=after)
        promise_changed.send(Promise, promise=promise, by=by, now=now)
    return promise


def change_promise(promise: Promise, *, by: User | None, now: datetime, **changes: Any) -> Promise:
    """Change its words, where it was made, or while it holds."""
    with transaction.atomic():
        promise = Promise.objects.select_for_update().get(pk=promise.pk)
        before, after = apply_changes(promise, changes)
        _check_promise(promise.valid_from, promise.valid_to, promise.query, now=now)
        if after:
            promise.save(update_fields=[*after])
            note_change(promise.workspace, verb="change", thing=promise, by=by, now=now, before=before, after=after)
            promise_changed.send(Promise, promise=promise, by=by, now=now)
    return promise


def delete_promise(promise: Promise, *, by: User | None, now: datetime) -> None:
    """Take it away; it can be restored."""
    _set_promise(promise, "delete", deleted_at=now, by=by, now=now)


def restore_promise(promise: Promise, *, by: User | None, now: datetime) -> None:
    """Bring a deleted promise back."""
    _set_promise(promise, "restore", deleted_at=None, by=by, now=now)


def free_slug(workspace: Workspace, name: str) -> str:
    """The name as one word of a query, numbered where a touchpoint has it already."""
    base = slugify(name)[:LONGEST_SLUG].strip("-_") or "touchpoint"
    taken = set(Touchpoint.objects.filter(workspace=workspace, deleted_at=None).values_list("slug", flat=True))
    slug, number = base, 1
    while slug in taken:
        number += 1
        slug = f"{base[: LONGEST_SLUG - len(str(number)) - 1]}-{number}"
    return slug


def _check_query(query: str, *, now: datetime) -> None:
    try:
        compiled = compile_query(parse(query, stage="monitor"), now=now)
    except QueryError as error:
        raise Refused(str(error)) from error
    if "touchpoint" in compiled.columns:
        raise Refused(_("A touchpoint cannot be told by touchpoint: itself. Write the words that speak of it."))


def _check_promise(valid_from: date, valid_to: date | None, query: str, *, now: datetime) -> None:
    if valid_to is not None and valid_to < valid_from:
        raise Refused(_("A promise ends on the day it begins, or later."))
    if query:
        _check_query(query, now=now)


def _set_promise(promise: Promise, verb: str, *, deleted_at: datetime | None, by: User | None, now: datetime) -> None:
    with transaction.atomic():
        before, after = apply_changes(promise, {"deleted_at": deleted_at})
        if after:
            promise.save(update_fields=["deleted_at"])
            note_change(promise.workspace, verb=verb, thing=promise, by=by, now=now, before=before, after=after)
            promise_changed.send(Promise, promise=promise, by=by, now=now)


def _no_slug() -> Refused:
    return Refused(_("No free short name was found. Choose another name."))
