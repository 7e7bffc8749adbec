"""Verbs on playbooks: a tree is written as a version, tried, and switched on; no version is ever changed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from talkworthy.routing.actions.problems import Refused
from talkworthy.routing.actions.steps import refuse_unknown
from talkworthy.routing.models import Playbook, PlaybookVersion
from talkworthy.routing.playbook import BadPlaybook, Fault, default_tree, differences
from talkworthy.routing.triage import known
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.models import User, Workspace

MOST_DIFFERENCES = 200
"""Differences that one line of the trail holds."""


class NewerVersion(ValueError):
    """Somebody saved a version in between: look at it first. `newest` is its number."""

    def __init__(self, newest: int) -> None:
        words = _("Somebody saved version %(n)s in the meantime. Look at it, then save again.")
        super().__init__(words % {"n": newest})
        self.newest = newest


def playbook_of(workspace: Workspace, *, now: datetime) -> Playbook:
    """The playbook of a workspace; one that has none yet gets the default, switched on."""
    found = Playbook.objects.filter(workspace=workspace, deleted_at=None).select_related("active").first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            playbook = Playbook.objects.create(workspace=workspace, name=str(default_tree()["name"]))
            version = PlaybookVersion.objects.create(
                playbook=playbook, version=1, tree=default_tree(), at=now, activated_at=now
            )
            playbook.active = version
            playbook.save(update_fields=["active"])
            note_change(workspace, verb="create", thing=playbook, by=None, now=now, after={"version": 1})
    except IntegrityError:  # another process made it at the same moment
        return Playbook.objects.select_related("active").get(workspace=workspace, deleted_at=None)
    return playbook


def save_version(
    playbook: Playbook, *, tree: Mapping[str, Any], note: str, seen: int, by: User | None, now: datetime
) -> PlaybookVersion:
    """Keep a tree as a new version; it is not switched on by that. `seen` is the newest version that the writer saw.

    Raises BadPlaybook with every fault, and NewerVersion where somebody else was first.
    """
    _refuse_strangers(playbook, tree)
    with transaction.atomic():
        playbook = Playbook.objects.select_for_update().get(pk=playbook.pk)
        newest = playbook.versions.aggregate(newest=Max("version"))["newest"] or 0
        if newest != seen:
            raise NewerVersion(newest)
        before = playbook.versions.get(version=newest).tree if newest else {}
        version = PlaybookVersion.objects.create(
            playbook=playbook, version=newest + 1, tree=tree, note=note.strip(), by=by, at=now
        )
        changed = differences(before, tree)[:MOST_DIFFERENCES]
        note_change(
            playbook.workspace,
            verb="save",
            thing=version,
            by=by,
            now=now,
            before={path: old for path, old, _new in changed},
            after={path: new for path, _old, new in changed},
            why=note.strip(),
        )
    return version


def activate_version(version: PlaybookVersion, *, by: User | None, now: datetime) -> None:
    """Let mentions follow this version from now on; what was decided before stays as it was."""
    known(version.tree)
    with transaction.atomic():
        playbook = Playbook.objects.select_for_update().get(pk=version.playbook_id)
        before = playbook.active.version if playbook.active else None
        if playbook.active_id == version.pk:
            return
        playbook.active = version
        playbook.save(update_fields=["active"])
        PlaybookVersion.objects.filter(pk=version.pk).update(activated_at=now)
        note_change(
            playbook.workspace,
            verb="activate",
            thing=playbook,
            by=by,
            now=now,
            before={"version": before},
            after={"version": version.version},
        )


def _refuse_strangers(playbook: Playbook, tree: Mapping[str, Any]) -> None:
    """Raises BadPlaybook where the tree cannot be followed, or escalates to somebody who is not here."""
    faults = []
    for outcome in known(tree).outcomes.values():
        for step in outcome.escalation:
            try:
                refuse_unknown(playbook.workspace_id, step)
            except Refused as error:
                faults.append(Fault(outcome.name, str(error)))
    if faults:
        raise BadPlaybook(faults)
