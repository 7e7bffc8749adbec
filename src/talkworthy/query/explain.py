"""Why a query matches a post or does not: which terms stand where, which branch failed, what to show of the post."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from talkworthy.query.batch import Batch, Segment, Vocabulary
from talkworthy.query.format import piece
from talkworthy.query.match import CompiledQuery, Similarity, compile_part, compile_query, likeness
from talkworthy.query.spans import Span, holds_in, spans_of
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
    Weighted,
    Window,
    Word,
    bare,
    children,
)
from talkworthy.schema import ANNOTATIONS, POST, posts_table


@dataclass(frozen=True, slots=True)
class Hit:
    """Characters of a post that a term stands on: `field` is title or text, offsets are those of the original."""

    field: str
    start: int
    end: int
    text: str
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Branch:
    """One part of the query. `verdict` is None where the post lacks what it asks for."""

    text: str
    verdict: bool | None
    hits: tuple[Hit, ...]
    branches: tuple["Branch", ...]
    negated: bool = False
    likeness: float | None = None
    nearest: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The branch as plain values; a part that asks for meaning also has its likeness and the nearest words."""
        alike = (
            {"likeness": round(self.likeness, 4), "nearest": list(self.nearest)} if self.likeness is not None else {}
        )
        return {
            "text": self.text,
            "verdict": self.verdict,
            "hits": [{"field": hit.field, "start": hit.start, "end": hit.end, "text": hit.text} for hit in self.hits],
            "branches": [branch.as_json() for branch in self.branches],
            **alike,
        }


@dataclass(frozen=True, slots=True)
class Explanation:
    """Whether the query matches, the verdict on each of its parts, and the parts that decided against the post."""

    matches: bool
    root: Branch
    failed: tuple[Branch, ...]

    def as_json(self) -> dict[str, Any]:
        """The explanation as plain values."""
        return {
            "matches": self.matches,
            "failed": [branch.text for branch in self.failed],
            "query": self.root.as_json(),
        }

    def __str__(self) -> str:
        return "\n".join(_lines(self.root, 0))


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The part of a post that shows most of what was looked for; `marks` are offsets into `text`."""

    field: str
    text: str
    marks: tuple[tuple[int, int], ...]


def explain(
    query: Query | CompiledQuery | str,
    post: Mapping[str, Any],
    *,
    now: datetime | None = None,
    similarity: Similarity | None = None,
) -> Explanation:
    """Which terms hit where, and which branch failed, for one post given by its columns."""
    compiled = _compiled(query, now, similarity)
    reader = _Reader(compiled, post, now, similarity)
    root = reader.branch(compiled.query.root, None)
    return Explanation(root.verdict is True, root, () if root.verdict else tuple(_failed(root, wanted=True)))


def highlights(
    query: Query | CompiledQuery | str,
    post: Mapping[str, Any],
    *,
    now: datetime | None = None,
    similarity: Similarity | None = None,
) -> list[tuple[str, int, int]]:
    """What to mark in a post that matches: (title or text, start, end), in order, none overlapping; else nothing."""
    hits = _hits(query, post, now, similarity)
    return [(name, start, end) for name in ("title", "text") for start, end in _merged(hits, name)]


def excerpt(
    query: Query | CompiledQuery | str,
    post: Mapping[str, Any],
    length: int = 240,
    *,
    now: datetime | None = None,
    similarity: Similarity | None = None,
) -> Excerpt:
    """The `length` characters of the body (of the title where nothing in the body was hit) with the heaviest hits.

    A term weighs what its ^n says; the same term again adds a tenth. Cut ends are shown by an ellipsis.
    """
    hits = _hits(query, post, now, similarity)
    in_text = [hit for hit in hits if hit.field == "text"]
    in_title = [hit for hit in hits if hit.field == "title"]
    name = "title" if in_title and not in_text else "text"
    text = str(post.get(name) or "")
    chosen = in_title if name == "title" else in_text
    start, end = _best_part(text, chosen, max(length, 1))
    return _cut(name, text, start, end, _merged(chosen, name))


def _compiled(query: Query | CompiledQuery | str, now: datetime | None, similarity: Similarity | None) -> CompiledQuery:
    return query if isinstance(query, CompiledQuery) else compile_query(query, now=now, similarity=similarity)


def post_batch(post: Mapping[str, Any]) -> pa.Table:
    """One post's columns as a table of one row; columns that the schemas do not know are added as they are."""
    row = {name: post[name] for name in POST.names if name in post}
    table = posts_table([{"uid": "", **row}])
    for name, value in post.items():
        if name not in POST.names:
            kind = ANNOTATIONS.field(name).type if name in ANNOTATIONS.names else None
            table = table.append_column(name, pa.array([value], type=kind))
    return table


class _Reader:
    """One post, one query: verdicts and hits of any part."""

    def __init__(
        self,
        compiled: CompiledQuery,
        post: Mapping[str, Any],
        now: datetime | None,
        similarity: Similarity | None,
    ) -> None:
        self.batch = Batch(post_batch(post), Vocabulary(compiled.terms))
        self.now = now
        self.similarity = similarity or compiled.similarity

    def verdict(self, node: Node, name: str | None) -> bool | None:
        true, possible = compile_part(node, name, now=self.now, similarity=self.similarity)(self.batch, 1)
        return True if true & 1 else None if possible & 1 else False

    def branch(self, node: Node, name: str | None) -> Branch:
        within = node.name if isinstance(node, Field) and node.name in ("title", "text") else name
        nested = () if _is_leaf(node) else tuple(self.branch(child, within) for child in children(node))
        hits = (
            tuple(self.hits(node, name, 1))
            if isinstance(node, Word | Phrase | Cased | Near | Window | Sentence)
            else ()
        )
        found, nearest = self.alike(node)
        return Branch(piece(node), self.verdict(node, name), hits, nested, isinstance(node, Not), found, nearest)

    def alike(self, node: Node) -> tuple[float | None, tuple[str, ...]]:
        """How like the post is to a part that asks for meaning, and the words that lie nearest to it."""
        node = bare(node)
        if not isinstance(node, Similar) or self.similarity is None:
            return None, ()
        (found,) = likeness(node, self.batch, [0], self.similarity)
        return found, () if found is None else tuple(self.similarity.nearest(node.text, self.batch.written(0)))

    def hits(self, node: Node, name: str | None, weight: int) -> list[Hit]:
        """What the terms of a part stand on, as far as the part is true; what is excluded has no hits."""
        if isinstance(node, Not) or self.verdict(node, name) is not True:
            return []
        if isinstance(node, Weighted):
            return self.hits(node.operand, name, node.weight)
        if isinstance(node, Field) and (
            node.name not in ("title", "text") or isinstance(node.value, Range | Comparison)
        ):
            return []
        if isinstance(node, Field):
            return [hit for child in children(node) for hit in self.hits(child, node.name, weight)]
        if isinstance(node, And | Or | AtLeast):
            return [hit for child in children(node) for hit in self.hits(child, name, weight)]
        return [
            hit
            for segment in self.batch.segments(0)
            if name in (None, segment.name)
            for leaf, spans in self._leaf_spans(node, segment)
            for span in spans
            for hit in [self._hit(segment, span, _weight_within(node, leaf, weight))]
        ]

    def _leaf_spans(self, node: Node, segment: Segment) -> Iterator[tuple[Node, list[Span]]]:
        """The spans of each term of a part that take part in making it true."""
        if isinstance(node, Word | Phrase | Cased):
            yield node, spans_of(node)(segment)
            return
        if isinstance(node, Sentence):
            covers = [(s.start, s.end) for s in self.batch.sentences(segment) if holds_in(node.operand)(s)]
        elif isinstance(node, Near | Window):
            covers = spans_of(node)(segment)
        else:
            return
        for leaf in _wanted_leaves(node):
            inside = [
                span
                for span in spans_of(leaf)(segment)
                if any(low <= span[0] and span[1] <= high for low, high in covers)
            ]
            yield leaf, inside

    def _hit(self, segment: Segment, span: Span, weight: int) -> Hit:
        text, located, first = self.batch.original(segment)
        start, end = located[span[0] - first].start, located[span[1] - 1 - first].end
        return Hit(segment.name, start, end, text[start:end], weight)


def _is_leaf(node: Node) -> bool:
    return isinstance(node, Field) and node.name not in ("title", "text")


def _wanted_leaves(node: Node) -> Iterator[Word | Phrase | Cased]:
    """The terms below a node that are wanted; a window over one phrase wants each of its words."""
    inner = bare(node)
    if isinstance(inner, Not):
        return
    if isinstance(inner, Window) and isinstance(bare(inner.operand), Word | Phrase | Cased):
        term = bare(inner.operand)
        if isinstance(term, Cased):
            yield from (Cased(word) for word in term.text.split())
        elif isinstance(term, Word | Phrase):
            yield from (Word(word) for word in term.text.split())
        return
    if isinstance(inner, Word | Phrase | Cased):
        yield inner
        return
    for child in children(inner):
        yield from _wanted_leaves(child)


def _weight_within(node: Node, leaf: Node, weight: int) -> int:
    """The weight that stands around a leaf somewhere below a node."""
    if isinstance(node, Weighted):
        weight = node.weight
        if bare(node) == leaf:
            return weight
    for child in children(node):
        found = _weight_within(child, leaf, weight)
        if found != weight:
            return found
    return weight


def _hits(
    query: Query | CompiledQuery | str, post: Mapping[str, Any], now: datetime | None, similarity: Similarity | None
) -> list[Hit]:
    compiled = _compiled(query, now, similarity)
    return _Reader(compiled, post, now, similarity).hits(compiled.query.root, None, 1)


def _merged(hits: list[Hit], name: str) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted((hit.start, hit.end) for hit in hits if hit.field == name):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _best_part(text: str, hits: list[Hit], length: int) -> tuple[int, int]:
    """The start and end of the part to show."""
    if len(text) <= length or not hits:
        return 0, min(len(text), length)
    ordered = sorted(hits, key=lambda hit: hit.start)
    best, best_score = (ordered[0].start, ordered[0].end), -1.0
    for at, first in enumerate(ordered):
        inside = [hit for hit in ordered[at:] if hit.end <= first.start + length] or [first]
        score = _score(inside)
        if score > best_score:
            best, best_score = (first.start, inside[-1].end), score
    spare = max(length - (best[1] - best[0]), 0) // 2
    start = max(min(best[0] - spare, len(text) - length), 0)
    return start, min(start + length, len(text))


def _score(hits: list[Hit]) -> float:
    seen: set[str] = set()
    score = 0.0
    for hit in hits:
        word = hit.text.casefold()
        score += hit.weight if word not in seen else hit.weight / 10
        seen.add(word)
    return score


def _cut(name: str, text: str, start: int, end: int, marks: list[tuple[int, int]]) -> Excerpt:
    """The part between start and end, moved to the borders of words, with its marks."""
    inside = [(low, high) for low, high in marks if low < end and high > start]
    if start > 0:
        blank = text.find(" ", start, inside[0][0] if inside else end)
        start = blank + 1 if blank >= 0 else start
    if end < len(text):
        blank = text.rfind(" ", inside[-1][1] if inside else start, end)
        end = blank if blank > start else end
    before, after = "…" if start > 0 else "", "…" if end < len(text) else ""
    shift = len(before) - start
    shown = tuple(
        (max(low, start) + shift, min(high, end) + shift) for low, high in inside if low < end and high > start
    )
    return _without_blank_lines(Excerpt(name, f"{before}{text[start:end]}{after}", shown))


_BLANK_LINES = re.compile(r"[^\S\n]*\n(?:[^\S\n]*\n)+")


def _without_blank_lines(shown: Excerpt) -> Excerpt:
    """The excerpt with one line break where blank lines stood, its marks moved with the words."""
    gone = [(match.start() + 1, match.end()) for match in _BLANK_LINES.finditer(shown.text)]
    if not gone:
        return shown

    def moved(place: int) -> int:
        return place - sum(min(max(place - start, 0), end - start) for start, end in gone)

    marks = tuple((moved(start), moved(end)) for start, end in shown.marks)
    return Excerpt(shown.field, _BLANK_LINES.sub("\n", shown.text), marks)


def _failed(branch: Branch, *, wanted: bool) -> Iterator[Branch]:
    """The smallest parts that kept the query from being true."""
    if branch.negated:
        inner = branch.branches[0]
        yield from _failed(inner, wanted=not wanted)
        return
    blamed = [child for child in branch.branches if _stands_against(child, wanted)]
    if not blamed:
        yield branch
        return
    for child in blamed:
        yield from _failed(child, wanted=wanted)


def _stands_against(branch: Branch, wanted: bool) -> bool:
    return branch.verdict is not True if wanted else branch.verdict is not False


def _lines(branch: Branch, depth: int) -> Iterator[str]:
    sign = {True: "yes    ", False: "no     ", None: "unknown"}[branch.verdict]
    found = "; ".join(f"{hit.field} {hit.start}-{hit.end} {hit.text!r}" for hit in branch.hits)
    if branch.likeness is not None:
        found = f"likeness {branch.likeness:.2f}; nearest words: {', '.join(branch.nearest) or 'none'}"
    yield f"{sign} {'  ' * depth}{branch.text}{f'   [{found}]' if found else ''}"
    for child in branch.branches:
        yield from _lines(child, depth + 1)
