"""What every match of a query must have: a sound and cheap first sieve for searches over the archive."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from talkworthy.query import fields, tokens
from talkworthy.query.spans import term_tokens
from talkworthy.query.tree import (
    And,
    AtLeast,
    Cased,
    Comparison,
    Field,
    Near,
    Node,
    Or,
    Phrase,
    Range,
    Sentence,
    Window,
    Word,
    bare,
)


@dataclass(frozen=True, slots=True)
class Prefilter:
    """A conjunction that every match fulfils; an empty part asks for nothing.

    `words`: each group names substrings of which the `folded` column holds at least one. `since` is the first
    instant, `until` the one after the last. `values` maps a column to its allowed values, spelled as the schema
    spells them. `at_least` and `at_most` bound numeric columns.
    """

    words: tuple[tuple[str, ...], ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    values: tuple[tuple[str, tuple[str, ...]], ...] = ()
    at_least: tuple[tuple[str, float], ...] = ()
    at_most: tuple[tuple[str, float], ...] = ()


def required_terms(node: Node) -> frozenset[str] | None:
    """Query tokens of which every match has at least one in title or text; None where there are none."""
    groups = required_groups(node)
    return rarest_group(groups) if groups else None


def rarest_group(groups: Sequence[frozenset[str]]) -> frozenset[str]:
    """The group that the fewest posts are likely to hold."""
    return min(groups, key=lambda group: sum(map(commonness, group)))


def commonness(term: str) -> float:
    """A guess at how many posts hold a term: short words are common ones."""
    return 1.0 / max(len(_longest_piece(term)), 1) ** 3


def _longest_piece(term: str) -> str:
    pieces = term.replace(tokens.ONE, tokens.ANY).split(tokens.ANY)
    return max(pieces, key=len)


def required_groups(node: Node) -> list[frozenset[str]]:
    """Any-of groups of tokens, all of which every match has."""
    node = bare(node)
    match node:
        case Word() | Phrase() | Cased():
            return [frozenset([term]) for term in term_tokens(node)]
        case And() | Near():
            return [group for operand in node.operands for group in required_groups(operand)]
        case Or():
            return _either(node.operands)
        case Window():
            inner = bare(node.operand)
            operands = inner.operands if isinstance(inner, And | Or) else (inner,)
            return [group for operand in operands for group in required_groups(operand)]
        case AtLeast() | Sentence():
            return required_groups(node.operand)
        case Field(name="title" | "text") if not isinstance(node.value, Range | Comparison):
            return required_groups(node.value)
        case _:
            return []


def _either(operands: tuple[Node, ...]) -> list[frozenset[str]]:
    """One group from the rarest group of each operand; nothing where an operand requires nothing."""
    chosen: frozenset[str] = frozenset()
    for operand in operands:
        groups = required_groups(operand)
        if not groups:
            return []
        chosen |= rarest_group(groups)
    return [chosen]


def prefilter_of(node: Node, now: datetime | None) -> Prefilter | None:
    """The sieve of a query; None where nothing can be required."""
    words = _literal_groups(required_groups(node))
    bounds = _bounds(node, now)
    found = Prefilter(words, bounds.since, bounds.until, bounds.values, bounds.at_least, bounds.at_most)
    return None if found == Prefilter() else found


def _literal_groups(groups: list[frozenset[str]]) -> tuple[tuple[str, ...], ...]:
    literals = []
    for group in groups:
        pieces = {tokens.substring_form(_longest_piece(term)) for term in group}
        if all(pieces):
            literals.append(tuple(sorted(_shortest(pieces))))
    return tuple(dict.fromkeys(literals))


def _shortest(pieces: set[str]) -> set[str]:
    """The pieces in which no other piece stands: whoever holds a longer one holds the shorter one, too."""
    lengths = sorted({len(piece) for piece in pieces})

    def holds_another(piece: str) -> bool:
        return any(
            piece[at : at + length] in pieces
            for length in lengths[: bisect_left(lengths, len(piece))]
            for at in range(len(piece) - length + 1)
        )

    return {piece for piece in pieces if not holds_another(piece)}


def _bounds(node: Node, now: datetime | None) -> Prefilter:
    """Times, values and numbers that every match must have."""
    node = bare(node)
    if isinstance(node, And):
        return _both([_bounds(operand, now) for operand in node.operands])
    if isinstance(node, Field):
        return _field_bounds(node, now)
    return Prefilter()


def _both(parts: list[Prefilter]) -> Prefilter:
    since = max((part.since for part in parts if part.since), default=None)
    until = min((part.until for part in parts if part.until), default=None)
    return Prefilter(
        (),
        since,
        until,
        tuple(value for part in parts for value in part.values),
        tuple(bound for part in parts for bound in part.at_least),
        tuple(bound for part in parts for bound in part.at_most),
    )


_EQUAL = {"sentiment": "sentiment", "intent": "intent", "channel": "channel", "source": "source"}
_NUMERIC = {
    "rating": "rating",
    "urgency": "urgency",
    "likes": "engagement.likes",
    "shares": "engagement.shares",
    "replies": "engagement.replies",
    "authorFollowers": "author.followers",
}


def _field_bounds(node: Field, now: datetime | None) -> Prefilter:
    spec = fields.FIELDS[node.name]
    value = node.value
    if isinstance(value, Range | Comparison):
        return _number_bounds(_NUMERIC.get(spec.name), value)
    if spec.takes is fields.Takes.TIME:
        return _time_bounds(spec, bare(value), now)
    if spec.name in _EQUAL:
        allowed = _allowed(spec, value)
        if allowed:
            return Prefilter(values=((_EQUAL[spec.name], allowed),))
    return Prefilter()


def _allowed(spec: fields.FieldSpec, value: Node) -> tuple[str, ...]:
    """The values of a plain choice such as `(positive OR neutral)`; empty where it is anything more."""
    value = bare(value)
    leaves = value.operands if isinstance(value, Or) else (value,)
    found = []
    for leaf in leaves:
        leaf = bare(leaf)
        if not isinstance(leaf, Word | Phrase):
            return ()
        text = leaf.text.strip()
        if spec.choices:
            found.append(fields.read_choice(spec, text))
        else:
            return ()
    return tuple(sorted(set(found)))


def _number_bounds(column: str | None, value: Range | Comparison) -> Prefilter:
    if column is None:
        return Prefilter()
    if isinstance(value, Range):
        return Prefilter(at_least=((column, value.low),), at_most=((column, value.high),))
    if value.operator in (">=", ">"):
        return Prefilter(at_least=((column, value.number),))
    return Prefilter(at_most=((column, value.number),))


def _time_bounds(spec: fields.FieldSpec, value: Node, now: datetime | None) -> Prefilter:
    if not isinstance(value, Word | Phrase):
        return Prefilter()
    first, after = fields.read_time(spec, value.text.strip()).bounds(now)
    if spec.name == "since":
        return Prefilter(since=first)
    return Prefilter(until=after if after > first else after + fields.INSTANT)
