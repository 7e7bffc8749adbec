"""Who must approve a draft, who may, and whether it is enough. Pure.

Each rule that holds of a draft asks for its own number of approvals; one approval can serve several rules. What was
said of an earlier version counts for nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

FACTS = ("visibility", "priority", "channel", "outcome")
"""Parts of a condition that list values."""


@dataclass(frozen=True, kw_only=True)
class DraftFacts:
    """What the rules look at."""

    visibility: str
    priority: str
    channel: str
    outcome: str = ""
    machine: bool = False
    """A machine wrote it, or wrote in it."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An approval rule. `team` None: anybody who may approve."""

    id: int
    name: str
    condition: Mapping[str, Any] = field(default_factory=dict)
    team: int | None = None
    count: int = 1
    by_another: bool = True


@dataclass(frozen=True)
class Approver:
    """A member as far as approval is concerned."""

    id: int
    may_approve: bool
    teams: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Word:
    """What somebody said of one version."""

    by: Approver
    version: int
    approved: bool


@dataclass(frozen=True)
class Lacking:
    """A rule that is not met yet, and how many approvals it lacks."""

    rule: Rule
    missing: int


@dataclass(frozen=True)
class Standing:
    """Where a version stands: what is lacking, and who said no."""

    lacking: tuple[Lacking, ...] = ()
    refused_by: tuple[int, ...] = ()

    @property
    def enough(self) -> bool:
        """Whether it may go out."""
        return not self.lacking and not self.refused_by


class BadCondition(ValueError):
    """A condition with a part that no rule knows; `part` names it."""

    def __init__(self, part: str) -> None:
        super().__init__(part)
        self.part = part


def check_condition(condition: Mapping[str, Any]) -> None:
    """Raise BadCondition for what could never hold, because a misspelt rule would let everything through."""
    for name, value in condition.items():
        if name == "machine":
            if not isinstance(value, bool):
                raise BadCondition(name)
        elif name not in FACTS or not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise BadCondition(name)


def rules_for(rules: Iterable[Rule], facts: DraftFacts) -> tuple[Rule, ...]:
    """The rules that hold of a draft, in their order."""
    return tuple(rule for rule in rules if holds(rule.condition, facts))


def holds(condition: Mapping[str, Any], facts: DraftFacts) -> bool:
    """Whether every part of the condition holds; an empty list asks for nothing."""
    if "machine" in condition and condition["machine"] != facts.machine:
        return False
    return all(not condition.get(name) or getattr(facts, name) in condition[name] for name in FACTS)


def counts_for(who: Approver, rule: Rule, writers: frozenset[int]) -> bool:
    """Whether somebody's word counts for a rule: they may approve, are of its team, and did not write it."""
    if not who.may_approve or (rule.by_another and who.id in writers):
        return False
    return rule.team is None or rule.team in who.teams


def may_approve(who: Approver, rules: Sequence[Rule], writers: frozenset[int]) -> bool:
    """Whether somebody's word counts for any of the rules that ask for one."""
    return any(counts_for(who, rule, writers) for rule in rules)


def standing(rules: Sequence[Rule], words: Iterable[Word], *, version: int, writers: frozenset[int]) -> Standing:
    """What the rules still lack for this version."""
    said = [word for word in words if word.version == version]
    lacking = []
    for rule in rules:
        given = {word.by.id for word in said if word.approved and counts_for(word.by, rule, writers)}
        if len(given) < rule.count:
            lacking.append(Lacking(rule, rule.count - len(given)))
    return Standing(tuple(lacking), tuple(sorted({word.by.id for word in said if not word.approved})))
