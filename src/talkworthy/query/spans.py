"""Where terms stand inside one segment: the spans behind NEAR, ~n, ATLEAST, SENTENCE and highlights.

A span is (start, end) in places of the batch, the end not included.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence

from talkworthy.query import tokens
from talkworthy.query.batch import Segment
from talkworthy.query.parser import window_terms
from talkworthy.query.tree import And, Cased, Comparison, Field, Near, Node, Not, Or, Phrase, Range, Window, Word, bare

Span = tuple[int, int]
Spans = Callable[[Segment], list[Span]]
Holds = Callable[[Segment], bool]


def spans_of(node: Node) -> Spans:
    """A function that finds all spans of a node in a segment, in order and without doubles."""
    node = bare(node)
    if isinstance(node, Word | Phrase):
        return _run(term_tokens(node))
    if isinstance(node, Cased):
        return _cased(node)
    if isinstance(node, Or):
        singles, others = single_terms(node)
        return _any(singles, [spans_of(operand) for operand in others])
    if isinstance(node, Near):
        return _near([spans_of(operand) for operand in node.operands], node.distance, node.forward)
    if isinstance(node, Window):
        return _window(*window_parts(node.operand), node.slack)
    if isinstance(node, Field) and not isinstance(node.value, Range | Comparison):
        return _in_field(spans_of(node.value), node.name)
    raise TypeError(f"{type(node).__name__} has no place in the text")


def holds_in(node: Node) -> Holds:
    """A function that says whether an expression of words holds within one segment."""
    node = bare(node)
    if isinstance(node, And):
        parts = [holds_in(operand) for operand in node.operands]
        return lambda segment: all(part(segment) for part in parts)
    if isinstance(node, Or):
        parts = [holds_in(operand) for operand in node.operands]
        return lambda segment: any(part(segment) for part in parts)
    if isinstance(node, Not):
        inner = holds_in(node.operand)
        return lambda segment: not inner(segment)
    if isinstance(node, Field) and not isinstance(node.value, Range | Comparison):
        name, inner = node.name, holds_in(node.value)
        return lambda segment: segment.name == name and inner(segment)
    spans = spans_of(node)
    return lambda segment: bool(spans(segment))


def term_tokens(node: Word | Phrase | Cased) -> tuple[str, ...]:
    """The query tokens of a term; the `*` after a Chinese, Japanese or Thai character adds nothing."""
    found = tokens.query_tokens(node.text, wild=not isinstance(node, Cased))
    return tuple(token for token in found if token != tokens.ANY) or found


def window_parts(operand: Node) -> tuple[list[Spans], list[str]]:
    """The terms of a window as span functions, and a key for each: equal keys are equal terms."""
    terms = window_terms(operand)
    if len(terms) == 1:
        term = bare(terms[0])
        if isinstance(term, Word | Phrase):
            singles = term_tokens(term)
            return [_run((token,)) for token in singles], list(singles)
        if isinstance(term, Cased):
            pieces = cased_tokens(term.text)
            return [_cased(Cased(piece)) for piece in pieces], pieces
    return [spans_of(term) for term in terms], [repr(term) for term in terms]


def cased_tokens(text: str) -> list[str]:
    """The tokens of a braced term as they are compared: capitals kept."""
    return [tokens.cased(text[token.start : token.end]) for token in tokens.located(text)]


def _run(terms: tuple[str, ...]) -> Spans:
    if len(terms) == 1:
        only = terms[0]
        return lambda segment: [(place, place + 1) for place in segment.at(only)]

    def run(segment: Segment) -> list[Span]:
        first = segment.at(terms[0])
        if not first:
            return []
        others = [set(segment.at(term)) for term in terms[1:]]
        return [
            (place, place + len(terms))
            for place in first
            if all(place + at in other for at, other in enumerate(others, 1))
        ]

    return run


def _cased(node: Cased) -> Spans:
    wanted = cased_tokens(node.text)
    folded = _run(term_tokens(node))

    def run(segment: Segment) -> list[Span]:
        candidates = folded(segment)
        if not candidates:
            return []
        text, located, first = segment.batch.original(segment)
        found = []
        for start, end in candidates:
            written = [text[token.start : token.end] for token in located[start - first : end - first]]
            if all(spelled_as(want, have) for want, have in zip(wanted, written, strict=True)):
                found.append((start, end))
        return found

    return run


def spelled_as(wanted: str, written: str) -> bool:
    """Whether a token as written is a braced token: same capitals, the sign only where it is asked for."""
    have = tokens.cased(written)
    if have[:1] in "#@$" and wanted[:1] not in "#@$":
        have = have[1:]
    return have == wanted or tokens.plain(have) == wanted


def single_terms(node: Or) -> tuple[frozenset[str], list[Node]]:
    """The operands of an OR that are one token each, as tokens, and the others."""
    singles: set[str] = set()
    others: list[Node] = []
    for operand in node.operands:
        inner = bare(operand)
        found = term_tokens(inner) if isinstance(inner, Word | Phrase) else ()
        if len(found) == 1:
            singles.add(found[0])
        else:
            others.append(operand)
    return frozenset(singles), others


def _any(singles: frozenset[str], parts: Sequence[Spans]) -> Spans:
    def run(segment: Segment) -> list[Span]:
        found = {(place, place + 1) for term in singles for place in segment.at(term)}
        for part in parts:
            found.update(part(segment))
        return sorted(found)

    return run


def _in_field(part: Spans, name: str) -> Spans:
    return lambda segment: part(segment) if segment.name == name else []


def _near(parts: Sequence[Spans], distance: int, forward: bool) -> Spans:
    def run(segment: Segment) -> list[Span]:
        left = parts[0](segment)
        for part in parts[1:]:
            if not left:
                return []
            left = _pairs(left, part(segment), distance, forward)
        return left

    return run


def _pairs(left: list[Span], right: list[Span], distance: int, forward: bool) -> list[Span]:
    """The spans that cover a left and a right span at most `distance` tokens apart; overlapping spans are no pair."""
    starts = [start for start, _ in right]
    longest = max((end - start for start, end in right), default=0)
    found: set[Span] = set()
    for start, end in left:
        at = bisect_left(starts, start - distance - longest if not forward else end)
        while at < len(right) and starts[at] <= end + distance:
            other_start, other_end = right[at]
            if other_start >= end:
                found.add((start, other_end))
            elif not forward and other_end <= start and start - other_end <= distance:
                found.add((other_start, end))
            at += 1
    return sorted(found)


def _window(parts: list[Spans], keys: list[str], slack: int) -> Spans:
    def run(segment: Segment) -> list[Span]:
        options = [part(segment) for part in parts]
        if not all(options):
            return []
        order = sorted(range(len(options)), key=lambda at: (len(options[at]), keys[at]))
        return _covers([options[at] for at in order], [keys[at] for at in order], slack)

    return run


def _covers(options: list[list[Span]], keys: list[str], slack: int) -> list[Span]:
    """The spans that cover one of each option, none overlapping, with at most `slack` tokens that belong to none."""
    longest = [max(end - start for start, end in option) for option in options]
    room = [slack + sum(longest[at:]) for at in range(len(options) + 1)]
    found: set[Span] = set()

    def place(at: int, low: int, high: int, chosen: list[Span]) -> None:
        if at == len(options):
            if high - low - sum(end - start for start, end in chosen) <= slack:
                found.add((low, high))
            return
        used = sum(end - start for start, end in chosen)
        same = at > 0 and keys[at] == keys[at - 1]
        for span in options[at]:
            start, end = span
            if same and span <= chosen[-1]:
                continue
            lowest, highest = min(low, start), max(high, end)
            if highest - lowest - used > room[at]:
                if start > high:
                    break
                continue
            if all(end <= other_start or start >= other_end for other_start, other_end in chosen):
                place(at + 1, lowest, highest, [*chosen, span])

    for first in options[0]:
        place(1, first[0], first[1], [first])
    return sorted(found)
