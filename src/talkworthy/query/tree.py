"""The typed tree of a query. Every node knows the characters of the query it was read from."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Source:
    """Where in the query's text a node stands: offsets in characters, the end not included."""

    start: int
    end: int


_NOWHERE = Source(0, 0)


@dataclass(frozen=True, slots=True)
class Word:
    """A word as typed, signs and wildcards included."""

    text: str
    source: Source = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words in double quotes: side by side, in order."""

    text: str
    source: Source = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Cased:
    """Words in braces: side by side, in order, capitals as typed."""

    text: str
    source: Source = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Range:
    """`[low TO high]`, both ends included."""

    low: float
    high: float
    source: Source = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """`>=n` and the like; `operator` is one of >=, <=, >, <."""

    operator: str
    number: float
    source: Source = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Field:
    """`name:value`, the name in its canonical spelling.

    A text field holds an expression, any other one values joined by AND, OR and NOT.
    """

    name: str
    value: "Node | Range | Comparison"
    source: Source = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Similar:
    """`similar:"text"~0.8`; without a threshold the one of the embedding's owner."""

    text: str
    threshold: float | None = None
    source: Source = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    """What must not hold."""

    operand: "Node"
    source: Source = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class And:
    """All of two or more."""

    operands: tuple["Node", ...]
    source: Source = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Or:
    """Any of two or more."""

    operands: tuple["Node", ...]
    source: Source = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Near:
    """Two or more, read from the left: each with at most `distance` tokens from the span before it."""

    operands: tuple["Node", ...]
    distance: int
    forward: bool
    source: Source = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Window:
    """`"a b"~n` or `(group)~n`: all terms in any order, at most `slack` other tokens among them."""

    operand: "Node"
    slack: int
    source: Source = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Weighted:
    """`term^n`: counts n times when an excerpt is chosen; changes no match."""

    operand: "Node"
    weight: int
    source: Source = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class AtLeast:
    """`ATLEAST/n(term)`: n occurrences in title and text together."""

    count: int
    operand: "Node"
    source: Source = field(default=_NOWHERE, compare=False)


@dataclass(frozen=True, slots=True)
class Sentence:
    """`SENTENCE(a b)`: the operand holds inside one sentence."""

    operand: "Node"
    source: Source = field(default=_NOWHERE, compare=False)


Node = Word | Phrase | Cased | Field | Similar | Not | And | Or | Near | Window | Weighted | AtLeast | Sentence
Term = Word | Phrase | Cased


@dataclass(frozen=True, slots=True)
class Query:
    """A query that passed its checks. Equal queries have equal trees, wherever the blanks stand."""

    root: Node
    text: str = field(default="", compare=False)


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below; a field's range or comparison is no node."""
    if isinstance(node, And | Or | Near):
        return node.operands
    if isinstance(node, Not | Window | Weighted | AtLeast | Sentence):
        return (node.operand,)
    if isinstance(node, Field) and not isinstance(node.value, Range | Comparison):
        return (node.value,)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and all below it, in the order of reading."""
    yield node
    for child in children(node):
        yield from walk(child)


def bare(node: Node) -> Node:
    """The node without the weights around it."""
    while isinstance(node, Weighted):
        node = node.operand
    return node
