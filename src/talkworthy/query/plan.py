"""What a row must hold before a query is worth evaluating on it, as sets of query tokens."""

from dataclasses import dataclass

from talkworthy.query.prefilter import rarest_group, required_groups
from talkworthy.query.spans import single_terms, term_tokens
from talkworthy.query.tree import And, Node, Not, Or, Phrase, Word, bare


@dataclass(frozen=True, slots=True)
class Group:
    """A part that every match fulfils: by one of `sure` at once, or perhaps by what one of `maybe` belongs to."""

    sure: frozenset[str]
    maybe: frozenset[str]

    @property
    def terms(self) -> frozenset[str]:
        """All tokens of which a match has at least one."""
        return self.sure | self.maybe


@dataclass(frozen=True, slots=True)
class Plan:
    """How to judge a row by its tokens alone.

    `anchors` is the rarest group's tokens: a row without any of them is never looked at. A row that holds none of
    some other group, or one of `excluded`, does not match. A row that holds a sure token of every group matches,
    if the plan is `complete`; any other row needs the query evaluated.
    """

    anchors: frozenset[str]
    groups: tuple[Group, ...]
    excluded: frozenset[str]
    complete: bool


def plan_of(root: Node) -> Plan | None:
    """The plan of a query; None where no token is required."""
    root = bare(root)
    groups: list[Group] = []
    excluded: frozenset[str] = frozenset()
    complete = True
    for operand in root.operands if isinstance(root, And) else (root,):
        part = bare(operand)
        if isinstance(part, Not):
            terms = _single_terms(part.operand)
            excluded |= terms or frozenset()
            complete = complete and terms is not None
        else:
            found = _groups(part)
            groups += found
            complete = complete and bool(found)
    if not groups:
        return None
    anchors = rarest_group([group.terms for group in groups])
    return Plan(anchors, tuple(groups), excluded, complete)


def _single_terms(node: Node) -> frozenset[str] | None:
    """The tokens of a word or of an OR of words; None for anything else."""
    node = bare(node)
    if isinstance(node, Word | Phrase):
        found = term_tokens(node)
        return frozenset(found) if len(found) == 1 else None
    if isinstance(node, Or):
        singles, others = single_terms(node)
        return singles if not others else None
    return None


def _groups(part: Node) -> list[Group]:
    """The groups of one operand; none where it requires no token."""
    singles = _single_terms(part)
    if singles:
        return [Group(singles, frozenset())]
    if isinstance(part, Or):
        sure, others = single_terms(part)
        required = [required_groups(other) for other in others]
        if not all(required):
            return []
        return [Group(sure, frozenset[str]().union(*(rarest_group(groups) for groups in required)))]
    return [Group(frozenset(), group) for group in required_groups(part)]
