"""The editor of a rule: from the fields of its page to a rule, and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from talkworthy.query import QueryError, parse
from talkworthy.routing.models import Case, EscalationStep, Rule
from talkworthy.routing.playbook import LONGEST_SKILL
from talkworthy.routing.rules import NEEDS
from talkworthy.routing.steps import MOST_MINUTES
from talkworthy.workspaces.models import Member, Team, Workspace

LONGEST_CONDITION = 20_000
EMPTY_ROWS = 2
"""Rows for a further effect that the page shows."""

MOST_EFFECTS = 30

DOES: Mapping[str, Any] = {
    "open_case": gettext_lazy("open a case"),
    "triage": gettext_lazy("ask the playbook"),
    "assign_team": gettext_lazy("give it to the team"),
    "assign_member": gettext_lazy("give it to"),
    "assign_touchpoint_owner": gettext_lazy("give it to whoever owns the touchpoint"),
    "need_skill": gettext_lazy("ask for the skill"),
    "priority": gettext_lazy("set the class"),
    "tag": gettext_lazy("tag it"),
    "inform": gettext_lazy("keep informed of the case"),
    "notify": gettext_lazy("tell"),
    "escalate": gettext_lazy("escalate:"),
}
"""Every effect, as a person says it."""

ESCALATES: Mapping[str, Any] = {
    "escalate_inform": gettext_lazy("escalate: tell"),
    "escalate_reassign": gettext_lazy("escalate: give it to"),
    "escalate_raise": gettext_lazy("escalate: raise the class by one"),
}
"""The effect `escalate` in the editor, one choice for each thing that a step does."""

CHOICES: Mapping[str, Any] = {**{do: label for do, label in DOES.items() if do != "escalate"}, **ESCALATES}
LEAD = "lead"
"""Whom a step names by naming nobody: whoever leads the team of the case."""


@dataclass(frozen=True)
class EffectRow:
    """One effect, as the page shows it; `to` is written as team:3, member:4 or priority:risk, `tag` may be a skill."""

    place: int
    do: str = ""
    to: str = ""
    tag: str = ""
    fault: str = ""
    minutes: str = ""
    after: str = ""


@dataclass(frozen=True)
class Draft:
    """A rule as it stands in the editor, with what is wrong at its place."""

    name: str = ""
    condition: str = ""
    stops: bool = False
    rows: Sequence[EffectRow] = ()
    seen: int | None = None
    faults: Mapping[str, str] = field(default_factory=dict)

    @property
    def effects(self) -> list[dict[str, Any]]:
        """The effects as a rule keeps them."""
        return [_effect(row) for row in self.rows if row.do]

    @property
    def shown(self) -> Sequence[EffectRow]:
        """The rows with some to add."""
        return [*self.rows, *(EffectRow(len(self.rows) + more) for more in range(EMPTY_ROWS))]

    @property
    def is_good(self) -> bool:
        """Whether it can be saved."""
        return not self.faults and not any(row.fault for row in self.rows)


@dataclass(frozen=True)
class Named:
    """Whom and what the effects of a workspace may name."""

    teams: Mapping[int, str]
    members: Mapping[int, str]

    @property
    def groups(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """The choices of an effect, grouped as a select shows them."""
        return [
            (_("Escalation"), [(LEAD, _("Whoever leads the team of the case"))]),
            (_("Teams"), [(f"team:{number}", name) for number, name in self.teams.items()]),
            (_("Members"), [(f"member:{number}", name) for number, name in self.members.items()]),
            (_("Classes"), [(f"priority:{value}", str(label)) for value, label in Case.Priority.choices]),
        ]

    def words(self, effect: Mapping[str, Any]) -> str:
        """An effect in words."""
        do = str(effect.get("do", ""))
        name = NEEDS.get(do, "")
        if name == "step":
            return self._step(effect.get("step") or {})
        said = str(DOES.get(do, do))
        return f"{said} {self._value(name, effect.get(name))}" if name else said

    def _step(self, step: Mapping[str, Any]) -> str:
        said = str(ESCALATES.get(f"escalate_{step.get('does')}", DOES["escalate"]))
        whom = next((self._value(name, step[name]) for name in ("team", "member") if name in step), "")
        whom = whom or (_("whoever leads the team") if step.get("does") != "raise" else "")
        of = EscalationStep.After(step.get("after") or "unanswered").label
        return _("%(does)s %(whom)s after %(n)s min %(of)s") % {
            "does": said,
            "whom": whom,
            "n": step.get("minutes"),
            "of": of,
        }

    def _value(self, name: str, value: Any) -> str:
        if name in ("team", "member"):
            held = self.teams if name == "team" else self.members
            return held.get(value, _("(no longer here)"))
        return str(dict(Case.Priority.choices).get(value, value)) if name == "priority" else f"“{value}”"


def named_in(workspace: Workspace) -> Named:
    """The teams and members of a workspace; two statements."""
    teams = Team.objects.filter(workspace=workspace, deleted_at=None).order_by("name").values_list("pk", "name")
    members = Member.objects.filter(workspace=workspace).select_related("user").order_by("user__name", "pk")
    return Named(dict(teams), {member.pk: str(member.user) for member in members})


def draft_of(rule: Rule) -> Draft:
    """The editor of a rule as it stands."""
    return Draft(rule.name, rule.condition, rule.stops, rows_of(rule.effects), rule.version)


def rows_of(effects: Sequence[Mapping[str, Any]]) -> list[EffectRow]:
    """The rows of effects."""
    found = []
    for place, effect in enumerate(effects):
        do = str(effect.get("do", ""))
        name = NEEDS.get(do, "")
        if name == "step":
            found.append(_step_row(place, effect.get("step") or {}))
            continue
        value = effect.get(name, "") if name else ""
        to = f"{name}:{value}" if name in ("team", "member", "priority") else ""
        found.append(EffectRow(place, do, to, str(value) if name in ("tag", "skill") else ""))
    return found


def _step_row(place: int, step: Mapping[str, Any]) -> EffectRow:
    named = [f"{name}:{step[name]}" for name in ("team", "member") if name in step]
    whom = (named or [LEAD])[0] if step.get("does") != "raise" else ""
    minutes, after = str(step.get("minutes") or ""), str(step.get("after") or "")
    return EffectRow(place, f"escalate_{step.get('does')}", whom, minutes=minutes, after=after)


def read_draft(data: QueryDict, named: Named) -> Draft:
    """What the fields of the page say, with every fault at its place."""
    name = data.get("name", "").strip()[:120]
    condition = data.get("condition", "").strip()[:LONGEST_CONDITION]
    columns = [data.getlist(column) for column in ("to", "tag", "minutes", "after")]
    rows = [
        _read(place, do, named, *(column[at].strip() if at < len(column) else "" for column in columns))
        for place, (at, do) in enumerate((at, do) for at, do in enumerate(data.getlist("do")[:MOST_EFFECTS]) if do)
    ]
    faults: dict[str, str] = {}
    if not name:
        faults["name"] = _("A rule needs a name.")
    try:
        parse(condition, stage="search")
    except QueryError as error:
        faults["condition"] = str(error) if condition else _("Say when it holds.")
    if not rows:
        faults["effects"] = _("A rule needs at least one effect.")
    seen = data.get("seen", "")
    return Draft(name, condition, "stops" in data, rows, int(seen) if seen.isdecimal() else None, faults)


def _read(place: int, do: str, named: Named, to: str, tag: str, minutes: str, after: str) -> EffectRow:
    if do in ESCALATES:
        return _read_step(place, do, named, to, minutes, after)
    wanted = NEEDS.get(do)
    kind, _colon, value = to.partition(":")
    fault = ""
    if wanted is None:
        return EffectRow(place, "", to, tag, _("Choose what is done."))
    if wanted == "tag" and not tag:
        fault = _("Write the tag.")
    elif wanted == "skill" and not tag:
        fault = _("Write the skill.")
    elif wanted == "skill" and len(tag) > LONGEST_SKILL:
        fault = _("A skill has at most %(n)s characters.") % {"n": LONGEST_SKILL}
    elif wanted in ("team", "member"):
        held = named.teams if wanted == "team" else named.members
        if kind != wanted or not value.isdecimal() or int(value) not in held:
            fault = _("Choose a team.") if wanted == "team" else _("Choose a member.")
    elif wanted == "priority" and (kind != "priority" or value not in Case.Priority.values):
        fault = _("Choose a class.")
    return EffectRow(place, do, to, tag, fault)


def _read_step(place: int, do: str, named: Named, to: str, minutes: str, after: str) -> EffectRow:
    kind, _colon, value = to.partition(":")
    held = {"team": named.teams, "member": named.members}.get(kind, {})
    there = to in ("", LEAD) or (value.isdecimal() and int(value) in held)
    fault = ""
    if not minutes.isdecimal() or not 1 <= int(minutes) <= MOST_MINUTES:
        fault = _("Say after how many minutes.")
    elif do == "escalate_inform" and (kind == "team" or not there):
        fault = _("Members are told, not teams: choose a member, or whoever leads the team.")
    elif do == "escalate_reassign" and not there:
        fault = _("Choose a team or a member.")
    after = after if after in EscalationStep.After.values else ""
    return EffectRow(place, do, to, "", fault, minutes[:9], after)


def _step(row: EffectRow) -> dict[str, Any]:
    does = row.do.removeprefix("escalate_")
    step: dict[str, Any] = {"minutes": int(row.minutes) if row.minutes.isdecimal() else 0, "does": does}
    if row.after not in ("", EscalationStep.After.UNANSWERED):
        step["after"] = row.after
    kind, _colon, value = row.to.partition(":")
    if does != "raise" and kind in ("team", "member") and value.isdecimal():
        step[kind] = int(value)
    return {"do": "escalate", "step": step}


def _effect(row: EffectRow) -> dict[str, Any]:
    if row.do in ESCALATES:
        return _step(row)
    name = NEEDS.get(row.do, "")
    value = row.to.partition(":")[2]
    if not name:
        return {"do": row.do}
    if name in ("tag", "skill"):
        return {"do": row.do, name: row.tag}
    return {"do": row.do, name: int(value) if name in ("team", "member") and value.isdecimal() else value}
