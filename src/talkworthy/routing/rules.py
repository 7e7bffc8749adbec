"""What rules say of a mention: their effects in order, put together into one plan. Pure.

Rules are looked at in their order. A later rule adds to an earlier one (tags, skills, people informed) and overrules it
where only one can hold (team, person, class); a rule that stops keeps the later ones from being looked at.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from talkworthy.query import Query
from talkworthy.query.tree import Field, Phrase, Word, walk
from talkworthy.routing.playbook import LONGEST_SKILL, PRIORITIES
from talkworthy.routing.steps import BadStep, Step, read_step

NEEDS: Mapping[str, str] = {
    "open_case": "",
    "triage": "",
    "assign_team": "team",
    "assign_member": "member",
    "assign_touchpoint_owner": "",
    "need_skill": "skill",
    "priority": "priority",
    "tag": "tag",
    "inform": "member",
    "notify": "member",
    "escalate": "step",
}
"""Every effect, with the one thing that it needs to be told."""


class BadEffect(ValueError):
    """An effect that cannot be carried out: `what` is wrong, with its `facts`; `telling.py` says it to people."""

    def __init__(self, what: str, **facts: object) -> None:
        super().__init__(f"{what}: {facts}")
        self.what, self.facts = what, facts


@dataclass(frozen=True)
class Effect:
    """One thing that a rule does; `value` is a number (team, member), a skill, a class, a tag or a step."""

    do: str
    value: int | str | Step = ""

    def as_json(self) -> dict[str, Any]:
        """The effect as a decision keeps it."""
        value = self.value.as_json() if isinstance(self.value, Step) else self.value
        return {"do": self.do, **({"value": value} if value != "" else {})}


@dataclass(frozen=True)
class Ruling:
    """A rule as it stands: its number and version, what it does, and whether it is the last."""

    rule: int
    version: int
    effects: tuple[Effect, ...]
    stops: bool = False

    @property
    def escalates(self) -> bool:
        """Whether it gives steps of escalation."""
        return any(effect.do == "escalate" for effect in self.effects)


@dataclass(frozen=True)
class RoutingPlan:
    """What is to be done with one mention."""

    opens: bool = False
    triage: bool = False
    """The playbook decides whether it becomes a case."""
    team: int | None = None
    member: int | None = None
    touchpoint_owner: bool = False
    skills: tuple[str, ...] = ()
    """What whoever gets it must know, all of it."""
    priority: str = ""
    tags: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    """Of escalation, which its case carries besides those of its class."""
    informed: tuple[int, ...] = ()
    notified: tuple[int, ...] = ()
    rules: tuple[Ruling, ...] = ()
    """Those that held and were looked at."""

    def as_json(self) -> list[dict[str, Any]]:
        """The rules that held, as a decision keeps them."""
        return [
            {
                "rule": ruling.rule,
                "version": ruling.version,
                "effects": [effect.as_json() for effect in ruling.effects],
            }
            for ruling in self.rules
        ]


def plan(rulings: Iterable[Ruling]) -> RoutingPlan:
    """The plan of the rules that hold for a mention, given in their order."""
    found = RoutingPlan()
    for ruling in rulings:
        found = replace(found, rules=(*found.rules, ruling))
        for effect in ruling.effects:
            found = _with(found, effect)
        if ruling.stops:
            break
    return found


def read_effects(rows: Sequence[Mapping[str, Any]]) -> tuple[Effect, ...]:
    """Effects from their rows, read strictly. Raises BadEffect."""
    return tuple(_read(row) for row in rows)


def kept_effect(row: Mapping[str, Any]) -> Effect:
    """An effect as a decision keeps it."""
    value = row.get("value", "")
    return Effect(row["do"], read_step(value) if isinstance(value, dict) else value)


def sources_named(condition: Query) -> frozenset[str]:
    """The sources that a condition names: of these every post is looked at, also one that no monitor finds."""
    fields = [node for node in walk(condition.root) if isinstance(node, Field) and node.name == "source"]
    return frozenset(
        word.text
        for field in fields
        if isinstance(field.value, Word | Phrase) or hasattr(field.value, "operands")
        for word in walk(field.value)  # type: ignore[arg-type] # a range is no source
        if isinstance(word, Word | Phrase)
    )


def _read(row: Mapping[str, Any]) -> Effect:
    do = str(row.get("do", ""))
    if do not in NEEDS:
        raise BadEffect("unknown", value=do, known=", ".join(NEEDS))
    name = NEEDS[do]
    unknown = ", ".join(sorted(row.keys() - {"do", name}))
    if unknown:
        raise BadEffect("too much", do=do, unknown=unknown)
    if name and row.get(name) in (None, ""):
        raise BadEffect("too little", do=do, name=name)
    if name == "step":
        return Effect(do, _step(row[name]))
    if name in ("team", "member"):
        try:
            return Effect(do, int(row[name]))
        except (TypeError, ValueError):
            raise BadEffect(name, do=do, value=row[name]) from None
    if name == "skill" and not (isinstance(row[name], str) and 0 < len(row[name].strip()) <= LONGEST_SKILL):
        raise BadEffect("skill", do=do, value=row[name], n=LONGEST_SKILL)
    if name == "priority" and row[name] not in PRIORITIES:
        raise BadEffect("unknown", value=row[name], known=", ".join(PRIORITIES))
    return Effect(do, str(row[name]).strip().casefold()[:60] if name else "")


def _step(row: Any) -> Step:
    """A step whose team or member is a number: names in rules are. Raises BadEffect."""
    if not isinstance(row, Mapping):
        raise BadEffect("step", value=row)
    try:
        step = read_step(row)
    except BadStep as error:
        raise BadEffect(f"step {error.what}", **error.facts) from error
    for name, value in (("team", step.team), ("member", step.member)):
        if isinstance(value, str):
            raise BadEffect(name, do="escalate", value=value)
    return step


def _with(found: RoutingPlan, effect: Effect) -> RoutingPlan:
    match effect:
        case Effect("open_case"):
            return replace(found, opens=True)
        case Effect("triage"):
            return replace(found, triage=True)
        case Effect("assign_team", int(team)):
            return replace(found, team=team, member=None, touchpoint_owner=False)
        case Effect("assign_member", int(member)):
            return replace(found, member=member, touchpoint_owner=False)
        case Effect("assign_touchpoint_owner"):
            return replace(found, touchpoint_owner=True, member=None)
        case Effect("need_skill", str(skill)):
            return replace(found, skills=_added(found.skills, skill))
        case Effect("priority", str(priority)):
            return replace(found, priority=priority)
        case Effect("tag", str(tag)):
            return replace(found, tags=_added(found.tags, tag))
        case Effect("escalate", Step() as step):
            return replace(found, steps=_added(found.steps, step))
        case Effect("inform", int(member)):
            return replace(found, informed=_added(found.informed, member))
        case Effect("notify", int(member)):
            return replace(found, notified=_added(found.notified, member))
    raise BadEffect("unknown", value=effect.do, known=", ".join(NEEDS))


def _added(values: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    return values if value in values else (*values, value)
