"""Looks among everybody who is known for those who may be one person; nothing is written but suggestions."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db.models import Q

from talkworthy.analysis import linkage
from talkworthy.people import actions
from talkworthy.people.actions.links import Suggested
from talkworthy.people.models import Attribute, Identity, Person
from talkworthy.people.pairing import linked
from talkworthy.workspaces.models import Workspace

MODEL = "splink-5 fellegi-sunter 1"
Told = Callable[[int, int | None], None]


def suggest_links(workspace: Workspace, *, now: datetime, told: Told = lambda done, total: None) -> Mapping[str, int]:
    """Compare everybody who is known here and put what may be one before people; returns figures of the run."""
    records = list(records_of(workspace))
    told(0, len(records))
    joined = _joined(workspace)
    pairs = [
        pair
        for pair in (linked(records, scratch=scratch_of(workspace)) if len(records) > 1 else [])
        if joined.get(pair.left, pair.left) != joined.get(pair.right, pair.right)
    ]
    kept = actions.keep_suggestions(
        workspace,
        [
            Suggested(pair.left, pair.right, pair.probability, [asdict(each) for each in pair.evidence])
            for pair in pairs
        ],
        model=MODEL,
        now=now,
    )
    told(len(records), len(records))
    return {"records": len(records), "pairs": len(pairs), "suggested": kept}


def scratch_of(workspace: Workspace) -> Path:
    """Where a comparison puts what does not fit into memory: beside the archive, never where the program was started.

    It holds names and addresses while a comparison runs, and nothing afterwards.
    """
    return Path(settings.DATA) / "scratch" / str(workspace.uid)


def records_of(workspace: Workspace) -> Iterator[dict[str, str | None]]:
    """Every person, with all that their records and accounts say, and every account behind which nobody is known."""
    members = {
        number: root or number
        for number, root in Person.objects.filter(workspace=workspace, deleted_at=None).values_list("pk", "root")
    }
    known: dict[int, dict[str, list[str]]] = {root: {} for root in members.values()}
    names = Person.objects.filter(workspace=workspace, deleted_at=None).order_by("root_id", "pk")
    for number, name in names.values_list("pk", "name"):
        known[members[number]].setdefault("name", []).append(name)
    attributes = Attribute.objects.filter(person__workspace=workspace).order_by("-at")
    for number, name, value in attributes.values_list("person", "name", "value").iterator(2000):
        if number in members:
            known[members[number]].setdefault(name, []).append(value)
    accounts = Identity.objects.filter(Q(person=None) | Q(person__deleted_at=None), workspace=workspace, is_ours=False)
    rows = accounts.values_list("pk", "person", "handle", "name").order_by("pk")
    for number, owner, handle, name in rows.iterator(2000):
        told = {"handle": [handle] if handle else [], "name": [name] if name else []}
        if owner in members:
            for key, values in told.items():
                known[members[owner]].setdefault(key, []).extend(values)
        else:
            yield linkage.comparable(f"identity:{number}", told)
    for root, told in known.items():
        yield linkage.comparable(f"person:{root}", told)


def _joined(workspace: Workspace) -> dict[str, str]:
    """Accounts that have a person, and that person."""
    rows = Identity.objects.filter(workspace=workspace, person__isnull=False).values_list(
        "pk", "person", "person__root"
    )
    return {f"identity:{number}": f"person:{root or person}" for number, person, root in rows}
