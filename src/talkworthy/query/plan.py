"""What a row must hold before a query is worth evaluating on it, in parts that can be looked up for many queries."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from talkworthy.query.fields import FIELDS, Takes
from talkworthy.query.prefilter import commonness, rarest_group, required_groups
from talkworthy.query.spans import term_tokens
from talkworthy.query.tree import And, Field, Near, Node, Not, Or, Phrase, Word, bare, children, walk

Atom = tuple[str, ...]
"""Tokens side by side: a word is one of them, a phrase several."""


@dataclass(frozen=True, slots=True)
class Group:
    """A part that every match fulfils: by one of `sure` at once, or perhaps by what one of `maybe` belongs to."""

    sure: frozenset[Atom]
    maybe: frozenset[Atom] = frozenset()

    @property
    def atoms(self) -> frozenset[Atom]:
        """All of which a match has at least one."""
        return self.sure | self.maybe


@dataclass(frozen=True, slots=True)
class Beside:
    """`(a OR b) NEAR/n (c OR d)`: one of the left at most `distance` tokens from one of the right."""

    left: frozenset[Atom]
    right: frozenset[Atom]
    distance: int
    forward: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """A part that asks for metadata alone; `now` only where it depends on it. Equal ones are looked at once."""

    node: Node
    now: datetime | None


@dataclass(frozen=True, slots=True)
class Plan:
    """How to judge a row without evaluating the query.

    `anchors` is the rarest group: a row without any of it is never looked at. A row that holds none of some other
    group, or one of `excluded`, or at which a condition is not true, does not match. A row that holds a sure atom of
    every group, and both sides of every pair in `beside` close together, matches if the plan is `complete`; any other
    row needs the query evaluated.
    """

    anchors: frozenset[Atom]
    groups: tuple[Group, ...]
    excluded: frozenset[Atom]
    beside: tuple[Beside, ...]
    conditions: tuple[Condition, ...]
    complete: bool


def plan_of(root: Node, now: datetime | None) -> Plan | None:
    """The plan of a query; None where no token is required."""
    groups: list[Group] = []
    excluded: frozenset[Atom] = frozenset()
    beside: list[Beside] = []
    conditions: list[Condition] = []
    complete = True
    for part in _conjuncts(root):
        if _asks_for_metadata(part):
            conditions.append(Condition(part, now if _depends_on_now(part) else None))
        elif isinstance(part, Not):
            found = _atoms(part.operand)
            excluded |= found or frozenset()
            complete = complete and found is not None
        elif isinstance(part, Near) and (pair := _beside(part)) is not None:
            beside.append(pair)
            groups += [Group(pair.left), Group(pair.right)]
        else:
            required = _groups(part)
            groups += required
            complete = complete and bool(required)
    if not groups:
        return None
    ordered = sorted(dict.fromkeys(groups), key=lambda group: _common(group.atoms))
    return Plan(ordered[0].atoms, tuple(ordered), excluded, tuple(beside), tuple(dict.fromkeys(conditions)), complete)


def _conjuncts(node: Node) -> Iterable[Node]:
    """What must all hold, however it is bracketed."""
    node = bare(node)
    if isinstance(node, And):
        for operand in node.operands:
            yield from _conjuncts(operand)
    else:
        yield node


def rarer(some: frozenset[Atom], others: frozenset[Atom]) -> bool:
    """Whether fewer posts are likely to hold one of some atoms than one of others."""
    return _common(some) < _common(others)


def _common(atoms: Iterable[Atom]) -> float:
    """A guess at how many posts hold one of them: a phrase is a tenth of its rarest word."""
    return sum(min(map(commonness, atom)) / (10 if len(atom) > 1 else 1) for atom in atoms)


def _asks_for_metadata(node: Node) -> bool:
    node = bare(node)
    if isinstance(node, Field):
        return node.name not in ("title", "text")
    return isinstance(node, Not | And | Or) and all(_asks_for_metadata(child) for child in children(node))


def _depends_on_now(node: Node) -> bool:
    return any(isinstance(below, Field) and FIELDS[below.name].takes is Takes.TIME for below in walk(node))


def _atoms(node: Node) -> frozenset[Atom] | None:
    """A word, a phrase or an OR of them as atoms; None for anything else."""
    node = bare(node)
    if isinstance(node, Word | Phrase):
        found = term_tokens(node)
        return frozenset([found]) if found else None
    if isinstance(node, Or):
        sure, others = _single_atoms(node)
        return sure if not others else None
    return None


def _single_atoms(node: Or) -> tuple[frozenset[Atom], list[Node]]:
    """The operands of an OR that are atoms, and the others; an OR inside is taken apart."""
    sure: frozenset[Atom] = frozenset()
    others: list[Node] = []
    for operand in map(bare, node.operands):
        if isinstance(operand, Or):
            inner_sure, inner_others = _single_atoms(operand)
            sure |= inner_sure
            others += inner_others
        elif (found := _atoms(operand)) is not None:
            sure |= found
        else:
            others.append(operand)
    return sure, others


def _beside(node: Near) -> Beside | None:
    if len(node.operands) != 2:
        return None
    left, right = map(_atoms, node.operands)
    return None if left is None or right is None else Beside(left, right, node.distance, node.forward)


def _groups(part: Node) -> list[Group]:
    """The groups of one operand; none where it requires no token."""
    sure = _atoms(part)
    if sure:
        return [Group(sure)]
    if isinstance(part, Or):
        sure, others = _single_atoms(part)
        required = [required_groups(other) for other in others]
        if not all(required):
            return []
        return [Group(sure, _words(frozenset[str]().union(*map(rarest_group, required))))]
    return [Group(frozenset(), _words(group)) for group in required_groups(part)]


def _words(terms: frozenset[str]) -> frozenset[Atom]:
    return frozenset((term,) for term in terms)
