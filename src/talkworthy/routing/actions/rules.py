"""Verbs on rules: a rule is written switched off, tried on history, and switched on; every version is kept."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from talkworthy.query import parse
from talkworthy.routing.actions.problems import Outdated, Refused
from talkworthy.routing.actions.steps import refuse_unknown
from talkworthy.routing.models import Rule, RuleVersion
from talkworthy.routing.rules import BadEffect, read_effects
from talkworthy.routing.steps import Step
from talkworthy.routing.telling import bad_effect_words
from talkworthy.workspaces.audit import apply_changes, note_change
from talkworthy.workspaces.models import User, Workspace

STARTER = {
    "name": "What needs somebody",
    "condition": "intent:complaint OR intent:help OR intent:purchase OR urgency:>=50",
    "effects": [{"do": "triage"}],
}
"""The rule that an empty page offers: whatever asks for something is followed through the playbook."""


def create_rule(
    workspace: Workspace,
    *,
    name: str,
    condition: str,
    effects: Sequence[Any],
    stops: bool = False,
    by: User | None,
    now: datetime,
) -> Rule:
    """Add a rule at the end, switched off. Raises QueryError and Refused."""
    parse(condition, stage="search")
    read = _read(workspace.pk, effects)
    with transaction.atomic():
        last = Rule.objects.filter(workspace=workspace).aggregate(last=Max("position"))["last"]
        rule = Rule.objects.create(
            workspace=workspace,
            name=_named(name),
            condition=condition,
            effects=read,
            stops=stops,
            position=(last or 0) + 1,
            changed_at=now,
        )
        _keep_version(rule, by=by, now=now)
        after = {"name": rule.name, "condition": condition, "effects": read}
        note_change(workspace, verb="create", thing=rule, by=by, now=now, after=after)
    return rule


def change_rule(rule: Rule, *, by: User | None, now: datetime, seen: int | None = None, **changes: Any) -> Rule:
    """Change it; another condition or other effects are a new version. `seen` is the version that the writer saw."""
    if "condition" in changes:
        parse(changes["condition"], stage="search")
    if "effects" in changes:
        changes["effects"] = _read(rule.workspace_id, changes["effects"])
    if "name" in changes:
        changes["name"] = _named(changes["name"])
    with transaction.atomic():
        rule = Rule.objects.select_for_update().get(pk=rule.pk)
        if seen is not None and seen != rule.version:
            said = _("“%(name)s” was changed in the meantime. Look at it, then save again.")
            raise Outdated(said % {"name": rule}, rule.version)
        before, after = apply_changes(rule, changes)
        if not after:
            return rule
        if after.keys() & {"condition", "effects", "stops"}:
            rule.version += 1
            _keep_version(rule, by=by, now=now)
        rule.changed_at = now
        rule.save()
        note_change(rule.workspace, verb="change", thing=rule, by=by, now=now, before=before, after=after)
    return rule


def refuse_bad(workspace: int, condition: str, effects: Sequence[Any]) -> None:
    """Raises QueryError and Refused where such a rule could not be saved."""
    parse(condition, stage="search")
    _read(workspace, effects)


def switch_rule(rule: Rule, *, on: bool, by: User | None, now: datetime) -> Rule:
    """Let it hold of what arrives from now on, or no more."""
    return change_rule(rule, by=by, now=now, enabled=on)


def delete_rule(rule: Rule, *, by: User | None, now: datetime) -> None:
    """Take it away; it can be brought back, switched off."""
    with transaction.atomic():
        Rule.objects.filter(pk=rule.pk).update(deleted_at=now, enabled=False)
        note_change(rule.workspace, verb="delete", thing=rule, by=by, now=now)


def restore_rule(rule: Rule, *, by: User | None, now: datetime) -> None:
    """Bring a deleted rule back, switched off."""
    with transaction.atomic():
        Rule.objects.filter(pk=rule.pk).update(deleted_at=None)
        note_change(rule.workspace, verb="restore", thing=rule, by=by, now=now)


def move_rule(rule: Rule, *, up: bool, by: User | None, now: datetime) -> None:
    """One place up or down in the order in which rules are looked at."""
    with transaction.atomic():
        rules = list(Rule.objects.select_for_update().filter(workspace=rule.workspace_id, deleted_at=None))
        numbers = [held.pk for held in rules]
        here = numbers.index(rule.pk)
        there = here + (-1 if up else 1)
        if 0 <= there < len(rules):
            _put(rules, here, there, by=by, now=now)


def place_rule(rule: Rule, *, place: int, by: User | None, now: datetime) -> None:
    """At a place, from 1 on, in the order in which rules are looked at; beyond the last it is the last."""
    with transaction.atomic():
        rules = list(Rule.objects.select_for_update().filter(workspace=rule.workspace_id, deleted_at=None))
        here = [held.pk for held in rules].index(rule.pk)
        there = min(max(place, 1), len(rules)) - 1
        if here != there:
            _put(rules, here, there, by=by, now=now)


def _put(rules: list[Rule], here: int, there: int, *, by: User | None, now: datetime) -> None:
    rule = rules.pop(here)
    rules.insert(there, rule)
    for position, held in enumerate(rules, start=1):
        if held.position != position:
            Rule.objects.filter(pk=held.pk).update(position=position)
    note_change(
        rule.workspace,
        verb="move",
        thing=rule,
        by=by,
        now=now,
        before={"place": here + 1},
        after={"place": there + 1},
    )


def _keep_version(rule: Rule, *, by: User | None, now: datetime) -> None:
    RuleVersion.objects.create(
        rule=rule,
        version=rule.version,
        condition=rule.condition,
        effects=rule.effects,
        stops=rule.stops,
        by=by,
        at=now,
    )


def _read(workspace: int, effects: Sequence[Any]) -> list[dict[str, Any]]:
    try:
        for effect in read_effects(list(effects)):
            if isinstance(effect.value, Step):
                refuse_unknown(workspace, effect.value)
    except BadEffect as error:
        raise Refused(bad_effect_words(error)) from error
    if not effects:
        raise Refused(_("A rule needs at least one effect."))
    return [dict(effect) for effect in effects]


def _named(name: str) -> str:
    if not name.strip():
        raise Refused(_("A rule needs a name."))
    return name.strip()[:120]
