"""A person knows better: corrections of what analysis said."""

from datetime import datetime

import pyarrow as pa
from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.archive import CHANGED, Archive, Scan
from talkworthy.hooks.manager import call
from talkworthy.listening import cube
from talkworthy.listening.actions.problems import Refused
from talkworthy.listening.models import Correction
from talkworthy.listening.stores import archive_of
from talkworthy.schema import INTENTS, SENTIMENTS
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.models import User, Workspace

TASKS = {"sentiment": SENTIMENTS, "intent": INTENTS, "detected_language": None, "urgency": None}
"""What can be corrected, and to what; None: any code, or a number from 0 to 100."""

SAID = ("urgency", "sentiment_probability", "intent_probability", "language_probability", "analysed_by")
"""What is read of a post besides what is counted."""


def correct_annotation(
    workspace: Workspace, *, uid: str, task: str, new: str, by: User | None, now: datetime
) -> Correction:
    """Replace an annotation of a post: at once on pages and in the counts, kept as a label for training."""
    new = _checked(task, new)
    archive = archive_of(workspace)
    with transaction.atomic():
        cube.hold(workspace)
        before = _row(archive, uid)
        values = before.to_pylist()[0]
        old = "" if values[task] is None else str(values[task])
        correction = Correction.objects.create(
            workspace=workspace,
            uid=uid,
            post_id=values["id"],
            task=task,
            old=old,
            new=new,
            model=(values["analysed_by"] or "")[:80],
            by=by,
            at=now,
        )
        note_change(workspace, verb="correct", thing=correction, by=by, now=now, before={task: old}, after={task: new})
        call("annotation_corrected", workspace=workspace, correction=correction, post=values, now=now)
        _apply(workspace, archive, before, task, new, name=f"correction {correction.pk}", by=by, now=now)
    return correction


def undo_correction(correction: Correction, *, by: User | None, now: datetime) -> None:
    """Give the post back the answer it had before."""
    if correction.undone_at is not None:
        return
    archive = archive_of(correction.workspace)
    with transaction.atomic():
        cube.hold(correction.workspace)
        before = _row(archive, correction.uid)
        correction.undone_at = now
        correction.save(update_fields=["undone_at"])
        note_change(
            correction.workspace,
            verb="undo",
            thing=correction,
            by=by,
            now=now,
            before={correction.task: correction.new},
            after={correction.task: correction.old},
        )
        call("correction_undone", workspace=correction.workspace, correction=correction, now=now)
        name = f"correction {correction.pk} undone"
        _apply(
            correction.workspace, archive, before, correction.task, correction.old or None, name=name, by=by, now=now
        )


def _apply(
    workspace: Workspace,
    archive: Archive,
    before: pa.Table,
    task: str,
    value: str | None,
    *,
    name: str,
    by: User | None,
    now: datetime,
) -> None:
    row = before.to_pylist()[0]
    who = f"user {by.pk}" if by else None
    change = {
        "id": row["id"],
        "uid": row["uid"],
        "published_at": row["published_at"],
        "column": task,
        "value": value,
        "seq": None,
        "by": who,
    }
    archive.change(pa.Table.from_pylist([change], schema=pa.schema([field.with_nullable(True) for field in CHANGED])))
    cube.count_changes(workspace, name, added=[_row(archive, row["uid"])], removed=[before], now=now)


def _row(archive: Archive, uid: str) -> pa.Table:
    post = archive.get(uid)
    if post is None:
        raise Refused(_("This post is not in the archive any more."))
    return archive.table(Scan(columns=(*cube.COLUMNS, *SAID), ids=(post["id"],)))


def _checked(task: str, new: str) -> str:
    if task not in TASKS:
        raise Refused(_("“%(task)s” cannot be corrected.") % {"task": task})
    allowed = TASKS[task]
    if allowed is not None and new not in allowed:
        raise Refused(_("“%(new)s” is none of: %(allowed)s.") % {"new": new, "allowed": ", ".join(allowed)})
    if task == "urgency" and not (new.isdecimal() and int(new) <= 100):
        raise Refused(_("Urgency is a number from 0 to 100."))
    return new
