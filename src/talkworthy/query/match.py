"""One query compiled: which rows of a batch it matches, with unknowns as Kleene's third value.

A part of a query becomes a function from (batch, alive rows) to rows. Parts that may be unknown give two sets:
the rows where they are true, and those where they are true or unknown. Bits outside `alive` mean nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol

import numpy as np
import pyarrow as pa

from talkworthy.query.batch import Batch, Vocabulary, batches, rows_in
from talkworthy.query.glance import Glance, Written, glance_of
from talkworthy.query.parser import parse
from talkworthy.query.plan import Plan, plan_of
from talkworthy.query.predicates import columns_read, predicate
from talkworthy.query.prefilter import Prefilter, prefilter_of, required_terms
from talkworthy.query.spans import holds_in, single_terms, spans_of, term_tokens
from talkworthy.query.tree import (
    And,
    AtLeast,
    Cased,
    Comparison,
    Field,
    Near,
    Node,
    Not,
    Or,
    Phrase,
    Query,
    Range,
    Sentence,
    Similar,
    Window,
    Word,
    bare,
    children,
    walk,
)


class Similarity(Protocol):
    """What makes vectors of texts for `similar:`. It comes from outside; the same text always has the same vector."""

    def vectors(self, texts: Sequence[str], /) -> "np.ndarray[Any, np.dtype[np.float32]]":
        """A vector of length one a text; all zeros where nothing can be said of the text."""
        ...

    def nearest(self, text: str, other: str, /) -> list[str]:
        """The words of another text that lie nearest to what a text means."""
        ...


Rows = Callable[[Batch, int], int]
Knowledge = Callable[[Batch, int], tuple[int, int]]

LIKENESS = 0.7
"""What `similar:` asks for where it names no likeness; chosen on pairs of related questions and duplicate reports."""


@dataclass(frozen=True, slots=True)
class CompiledQuery:
    """A query ready to match.

    `terms` are its query tokens; `plan` says which rows are worth a look (None where it can be any); `columns` are
    those that must be there for a right answer: a column that is left out makes its fields unknown.
    """

    query: Query
    knowledge: Knowledge = field(repr=False, compare=False)
    terms: frozenset[str] = field(repr=False, compare=False)
    plan: Plan | None = field(repr=False, compare=False)
    prefilter: Prefilter | None = field(repr=False, compare=False)
    columns: frozenset[str] = field(repr=False, compare=False)
    similarity: Similarity | None = field(default=None, repr=False, compare=False)
    glance: Glance | None = field(default=None, repr=False, compare=False)
    _vocabulary: list[Vocabulary] = field(default_factory=list, repr=False, compare=False)

    def match(self, posts: pa.RecordBatch | pa.Table) -> pa.BooleanArray:
        """For each post whether the query matches: one true or false a row, never null."""
        if self.glance is None:
            return pa.array(self._matched(posts))
        sure, possible = self.glance(Written.of(posts))
        left = np.flatnonzero(possible & ~sure)
        sure[left] = self._matched(posts.select([n for n in ("title", "text") if n in posts.schema.names]).take(left))
        return pa.array(sure)

    def apart(self) -> "CompiledQuery":
        """The same for another thread: what it remembers of words is not shared."""
        return replace(self, _vocabulary=[])

    def _matched(self, posts: pa.RecordBatch | pa.Table) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        if not self._vocabulary:
            self._vocabulary.append(Vocabulary(self.terms))
        parts = [self._mask(some) for _, some in batches(posts)]
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.bool_)

    def _mask(self, posts: pa.RecordBatch | pa.Table) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        batch = Batch(posts, self._vocabulary[0])
        mask = np.zeros(batch.size, dtype=np.bool_)
        mask[rows_in(self.rows(batch))] = True
        return mask

    def rows(self, batch: Batch) -> int:
        """The rows of a prepared batch that match; its vocabulary must hold this query's terms."""
        true, _ = self.knowledge(batch, batch.all)
        matched: int = true & batch.all
        return matched


def compile_query(
    query: Query | str, *, now: datetime | None = None, similarity: Similarity | None = None
) -> CompiledQuery:
    """Make a query ready to match.

    A relative time such as `since:7d` needs `now` (ValueError without it); `similar:` without `similarity` is unknown.
    """
    parsed = parse(query, stage="desk") if isinstance(query, str) else query
    knowledge = _Compiler(now, similarity).knowledge(parsed.root, None)
    return CompiledQuery(
        parsed,
        knowledge,
        frozenset(_text_terms(parsed.root)),
        plan_of(parsed.root, now),
        prefilter_of(parsed.root, now),
        _columns(parsed.root),
        similarity,
        glance_of(parsed.root),
    )


def _text_terms(node: Node) -> Iterator[str]:
    """The query tokens that are looked for in title and text: not the values of other fields."""
    if isinstance(node, Word | Phrase | Cased):
        yield from term_tokens(node)
    elif not isinstance(node, Field) or node.name in ("title", "text"):
        for child in children(node):
            yield from _text_terms(child)


def _columns(root: Node) -> frozenset[str]:
    """The top-level columns that a query reads; title and text always."""
    paths = {"title", "text"}
    for node in walk(root):
        if isinstance(node, Field):
            paths |= set(columns_read(node))
        elif isinstance(node, Word | Phrase | Cased) and not term_tokens(node):
            paths.add("links")
    return frozenset(path.partition(".")[0] for path in paths)


def compile_part(
    node: Node, name: str | None, *, now: datetime | None = None, similarity: Similarity | None = None
) -> Knowledge:
    """One part of a query, inside a text field of that name or outside of any."""
    return _Compiler(now, similarity).knowledge(node, name)


class _Compiler:
    """From nodes to functions; `name` is the text field around a node, None for title and text."""

    def __init__(self, now: datetime | None, similarity: Similarity | None) -> None:
        self.now = now
        self.similarity = similarity

    def knowledge(self, node: Node, name: str | None) -> Knowledge:
        """True rows, and true or unknown rows."""
        node = bare(node)
        if not _may_be_unknown(node):
            rows = self.rows(node, name)
            return lambda batch, alive: ((found := rows(batch, alive)), found)
        if isinstance(node, Not):
            return _negated(self.knowledge(node.operand, name))
        if isinstance(node, And):
            sure = [operand for operand in node.operands if not _may_be_unknown(operand)]
            unsure = sorted(filter(_may_be_unknown, node.operands), key=_needs_vectors)
            return _all_known(self.conjoined(sure, name), [self.knowledge(operand, name) for operand in unsure])
        if isinstance(node, Or):
            return _any_known([self.knowledge(operand, name) for operand in sorted(node.operands, key=_needs_vectors)])
        if isinstance(node, Similar):
            return _similar(node, self.similarity)
        if not isinstance(node, Field):
            raise TypeError(f"{type(node).__name__} is never unknown")
        if node.name == "title" and not isinstance(node.value, Range | Comparison):
            return _titled(self.rows(node.value, "title"))
        return predicate(node, self.now)

    def rows(self, node: Node, name: str | None) -> Rows:
        """Rows where a node that cannot be unknown is true."""
        node = bare(node)
        match node:
            case Word() | Phrase():
                return self.term(node, name)
            case Cased():
                return _by_spans(node, _approximate(node, name), name)
            case And():
                return self.conjoined(list(node.operands), name) or _everything
            case Or():
                return self.disjoined(node, name)
            case Not():
                inner = self.rows(node.operand, name)
                return lambda batch, alive: alive & ~inner(batch, alive)
            case Near() | Window():
                return _by_spans(node, _approximate(node, name), name)
            case AtLeast():
                return _at_least(node, name)
            case Sentence():
                return _in_sentence(node, name)
            case Field() if not isinstance(node.value, Range | Comparison):
                return self.rows(node.value, node.name)
            case _:
                raise TypeError(f"{type(node).__name__} is no part of a text")

    def term(self, node: Word | Phrase, name: str | None) -> Rows:
        found = term_tokens(node)
        if not found:
            return _address(node)
        return _one(found[0], name) if len(found) == 1 else _run(found, name)

    def conjoined(self, operands: list[Node], name: str | None) -> Rows | None:
        """All of the operands, the cheap ones first; None for no operands."""
        if not operands:
            return None
        parts = [self.rows(operand, name) for operand in sorted(operands, key=_cost)]
        if len(parts) == 1:
            return parts[0]

        def run(batch: Batch, alive: int) -> int:
            for part in parts:
                alive &= part(batch, alive)
                if not alive:
                    return 0
            return alive

        return run

    def disjoined(self, node: Or, name: str | None) -> Rows:
        singles, parts = [], []
        for operand in node.operands:
            inner = bare(operand)
            found = term_tokens(inner) if isinstance(inner, Word | Phrase) else ()
            if len(found) == 1 and name is None:
                singles.append(found[0])
            else:
                parts.append(self.rows(operand, name))

        terms = frozenset(singles)
        if not parts:
            return lambda batch, alive: batch.rows_with_any(terms, alive)

        def run(batch: Batch, alive: int) -> int:
            found = batch.rows_with_any(terms, alive)
            for part in parts:
                found |= part(batch, alive)
            return found & alive

        return run


def _everything(batch: Batch, alive: int) -> int:
    return alive


def _may_be_unknown(node: Node) -> bool:
    """Whether a node reads metadata that a post may lack."""
    node = bare(node)
    if isinstance(node, Field):
        return node.name != "text"
    if isinstance(node, Near | Window | AtLeast | Sentence):
        return False
    return isinstance(node, Similar) or any(_may_be_unknown(child) for child in children(node))


def _needs_vectors(node: Node) -> bool:
    """Whether a node asks for meaning: that is looked at last, for as few posts as can be."""
    return any(isinstance(below, Similar) for below in walk(node))


def _cost(node: Node) -> int:
    """An order of work: words, then phrases, then what looks at places, and what is excluded last."""
    node = bare(node)
    match node:
        case Not():
            return 10
        case Word() | Phrase():
            return min(len(term_tokens(node)), 2)
        case Or():
            return 1 + max(_cost(operand) for operand in node.operands)
        case And():
            return max(_cost(operand) for operand in node.operands)
        case Field() if not isinstance(node.value, Range | Comparison):
            return _cost(node.value)
        case _:
            return 5


def _one(term: str, name: str | None) -> Rows:
    if name is None:
        return lambda batch, alive: batch.bits[term] & alive
    return lambda batch, alive: batch.term_rows(term, name) & alive


def _run(terms: tuple[str, ...], name: str | None) -> Rows:
    def run(batch: Batch, alive: int) -> int:
        bits = batch.bits
        for term in terms:
            alive &= bits[term]
            if not alive:
                return 0
        return batch.phrase_rows(terms, name) & alive

    return run


def _address(node: Word | Phrase) -> Rows:
    """A term that is a link: links are no tokens, so it is looked for where links are."""
    links = predicate(Field("links", node), None)
    return lambda batch, alive: links(batch, alive)[0] & alive


def _approximate(node: Node, name: str | None) -> Rows:
    """Rows that hold the words of a node with spans somewhere: none that match is missing."""
    node = bare(node)
    if isinstance(node, Word | Phrase | Cased):
        terms = term_tokens(node)

        def run(batch: Batch, alive: int) -> int:
            for term in terms:
                alive &= batch.term_rows(term, name)
            return alive

        return run
    if isinstance(node, Or):
        singles, others = single_terms(node)
        parts = [_approximate(operand, name) for operand in others]

        def run_any(batch: Batch, alive: int) -> int:
            found = batch.rows_with_any(singles, alive)
            for part in parts:
                found |= part(batch, alive)
            return found

        return run_any
    if isinstance(node, Field) and not isinstance(node.value, Range | Comparison):
        return _approximate(node.value, node.name if name in (None, node.name) else name)
    operands: tuple[Node, ...] = ()
    if isinstance(node, Near):
        operands = node.operands
    elif isinstance(node, Window):
        inner = bare(node.operand)
        operands = inner.operands if isinstance(inner, And | Or) else (inner,)
    parts = [_approximate(operand, name) for operand in operands]

    def run_all(batch: Batch, alive: int) -> int:
        for part in parts:
            alive = part(batch, alive)
            if not alive:
                return 0
        return alive

    return run_all


def _by_spans(node: Node, approximate: Rows, name: str | None) -> Rows:
    spans = spans_of(node)

    def run(batch: Batch, alive: int) -> int:
        found = 0
        for row in rows_in(approximate(batch, alive) & alive):
            if any(spans(segment) for segment in batch.segments(row) if name in (None, segment.name)):
                found |= 1 << row
        return found

    return run


def _at_least(node: AtLeast, name: str | None) -> Rows:
    approximate, spans, wanted = _approximate(node.operand, name), spans_of(node.operand), node.count

    def run(batch: Batch, alive: int) -> int:
        found = 0
        for row in rows_in(approximate(batch, alive) & alive):
            if sum(len(spans(segment)) for segment in batch.segments(row) if name in (None, segment.name)) >= wanted:
                found |= 1 << row
        return found

    return run


def _in_sentence(node: Sentence, name: str | None) -> Rows:
    holds = holds_in(node.operand)
    anchors = required_terms(node.operand)

    def run(batch: Batch, alive: int) -> int:
        if anchors is not None:
            near = 0
            for term in anchors:
                near |= batch.bits[term]
            alive &= near
        found = 0
        for row in rows_in(alive):
            segments = [segment for segment in batch.segments(row) if name in (None, segment.name)]
            if any(holds(sentence) for segment in segments for sentence in batch.sentences(segment)):
                found |= 1 << row
        return found

    return run


def _negated(inner: Knowledge) -> Knowledge:
    def run(batch: Batch, alive: int) -> tuple[int, int]:
        true, possible = inner(batch, alive)
        return alive & ~possible, alive & ~true

    return run


def _all_known(sure: Rows | None, unsure: list[Knowledge]) -> Knowledge:
    def run(batch: Batch, alive: int) -> tuple[int, int]:
        if sure is not None:
            alive &= sure(batch, alive)
        true = alive
        for part in unsure:
            if not alive:
                return 0, 0
            part_true, part_possible = part(batch, alive)
            alive &= part_possible
            true &= part_true
        return true & alive, alive

    return run


def _any_known(parts: list[Knowledge]) -> Knowledge:
    def run(batch: Batch, alive: int) -> tuple[int, int]:
        true = possible = 0
        for part in parts:
            open_rows = alive & ~true
            if not open_rows:
                break
            part_true, part_possible = part(batch, open_rows)
            true |= part_true & open_rows
            possible |= part_possible & open_rows
        return true, possible

    return run


def _titled(inner: Rows) -> Knowledge:
    """`title:` is unknown where a post has no title."""

    def run(batch: Batch, alive: int) -> tuple[int, int]:
        known = batch.known("title")
        true = inner(batch, alive) & known
        return true & alive, (true | ~known) & alive

    return run


def _similar(node: Similar, similarity: Similarity | None) -> Knowledge:
    """Vectors are made for the rows asked for, once a batch; a text without a vector is unknown."""
    if similarity is None:
        return lambda batch, alive: (0, alive)
    threshold = LIKENESS if node.threshold is None else node.threshold

    def run(batch: Batch, alive: int) -> tuple[int, int]:
        true = unknown = 0
        for row, value in zip(rows_in(alive), likeness(node, batch, rows_in(alive), similarity), strict=True):
            if value is None:
                unknown |= 1 << row
            elif value >= threshold:
                true |= 1 << row
        return true, true | unknown

    return run


def likeness(node: Similar, batch: Batch, rows: Sequence[int], similarity: Similarity) -> list[float | None]:
    """How like some rows are to what is asked for, from -1 to 1; None where nothing can be said."""
    known: dict[int, np.ndarray[Any, np.dtype[np.float32]]] = batch.cache.setdefault(("vectors", id(similarity)), {})
    unread = [row for row in rows if row not in known]
    if unread:
        known.update(zip(unread, similarity.vectors([batch.written(row) for row in unread]), strict=True))
    wanted = similarity.vectors([node.text])[0]
    if not wanted.any():
        return [None] * len(rows)
    return [float(known[row] @ wanted) if known[row].any() else None for row in rows]
