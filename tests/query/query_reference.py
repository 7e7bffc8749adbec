"""The language evaluated slowly and obviously: one query, one post, one rule after another."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import pairwise, product
from typing import Any

from talkworthy.query import tokens
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
    Weighted,
    Window,
    Word,
)

Truth = bool | None


class Text:
    """A title or body as tokens with their places in the original; or one sentence of it."""

    def __init__(self, name: str, original: str, located: list[tokens.Token]) -> None:
        self.name = name
        self.original = original
        self.located = located


def matches(query: Query, post: Mapping[str, Any]) -> bool:
    return truth(query.root, post, texts_of(post)) is True


def texts_of(post: Mapping[str, Any]) -> list[Text]:
    return [Text(name, post[name], tokens.located(post[name])) for name in ("title", "text") if post.get(name)]


def truth(node: Node, post: Mapping[str, Any], texts: list[Text]) -> Truth:
    match node:
        case Weighted():
            return truth(node.operand, post, texts)
        case Not():
            inner = truth(node.operand, post, texts)
            return None if inner is None else not inner
        case And():
            found = [truth(operand, post, texts) for operand in node.operands]
            return False if False in found else None if None in found else True
        case Or():
            found = [truth(operand, post, texts) for operand in node.operands]
            return True if True in found else None if None in found else False
        case Field(name="title"):
            return (
                None if post.get("title") is None else truth(node.value, post, [t for t in texts if t.name == "title"])
            )
        case Field(name="text"):
            return truth(node.value, post, [t for t in texts if t.name == "text"])
        case Field():
            return field_truth(node, post)
        case AtLeast():
            return sum(len(spans(node.operand, text)) for text in texts) >= node.count
        case Sentence():
            return any(truth(node.operand, post, [sentence]) is True for text in texts for sentence in sentences(text))
        case _:
            return any(spans(node, text) for text in texts)


def sentences(text: Text) -> list[Text]:
    return [
        Text(text.name, text.original, text.located[a:b]) for a, b in tokens.sentence_spans(text.original, text.located)
    ]


def spans(node: Node, text: Text) -> set[tuple[int, int]]:
    match node:
        case Weighted():
            return spans(node.operand, text)
        case Word() | Phrase() | Cased():
            terms = term_tokens(node)
            last = len(text.located) - len(terms)
            return {
                (at, at + len(terms))
                for at in range(last + 1)
                if all(same(node, i, text, at + i) for i in range(len(terms)))
            }
        case Or():
            return {span for operand in node.operands for span in spans(operand, text)}
        case Near():
            found = spans(node.operands[0], text)
            for operand in node.operands[1:]:
                right = spans(operand, text)
                found = {
                    (min(a, c), max(b, d))
                    for (a, b), (c, d) in product(found, right)
                    if 0 <= c - b <= node.distance or (not node.forward and 0 <= a - d <= node.distance)
                }
            return found
        case Window():
            return window(node, text)
        case Field():
            return spans(node.value, text) if text.name == node.name else set()
    raise TypeError(node)


def window(node: Window, text: Text) -> set[tuple[int, int]]:
    inner = node.operand
    while isinstance(inner, Weighted):
        inner = inner.operand
    if isinstance(inner, And | Or):
        options = [spans(operand, text) for operand in inner.operands]
    elif isinstance(inner, Word | Phrase | Cased):
        terms = term_tokens(inner)
        options = [
            {(at, at + 1) for at in range(len(text.located)) if same(inner, i, text, at)} for i in range(len(terms))
        ]
    else:
        options = [spans(inner, text)]
    found = set()
    for chosen in product(*options):
        ordered = sorted(chosen)
        if any(b > c for (_, b), (c, _) in pairwise(ordered)):
            continue
        low, high = ordered[0][0], max(b for _, b in ordered)
        if high - low <= sum(b - a for a, b in chosen) + node.slack:
            found.add((low, high))
    return found


def term_tokens(node: Word | Phrase | Cased) -> list[str]:
    found = tokens.query_tokens(node.text, wild=not isinstance(node, Cased))
    return [token for token in found if token != tokens.ANY] or found


def same(node: Word | Phrase | Cased, number: int, text: Text, at: int) -> bool:
    """Whether one token of a term is one token of the text."""
    token = text.located[at]
    wanted = term_tokens(node)[number]
    if not any(
        re.fullmatch(re.escape(wanted).replace(tokens.ANY, ".*").replace(tokens.ONE, "."), s)
        for s in spellings(token.text)
    ):
        return False
    if not isinstance(node, Cased):
        return True
    piece = tokens.located(node.text)[number]
    typed = node.text[piece.start : piece.end].replace("’", "'")
    written = text.original[token.start : token.end].replace("’", "'")
    if written[0] in "#@$" and typed[0] not in "#@$":
        written = written[1:]
    return typed in (written, tokens.plain(written))


def spellings(token: str) -> set[str]:
    bare = token[1:] if token[0] in "#@$" else token
    return {token, bare, tokens.plain(token), tokens.plain(bare)}


def field_truth(node: Field, post: Mapping[str, Any]) -> Truth:
    value = node.value
    if isinstance(value, Or):
        found = [field_truth(Field(node.name, part), post) for part in value.operands]
        return True if True in found else None if None in found else False
    author = post.get("author") or {}
    match node.name:
        case "authorVerified":
            verified = author.get("verified")
            return None if verified is None else verified is (value.text.lower() == "true")
        case "authorFollowers":
            return between(author.get("followers"), value)
        case "rating":
            return between(post.get("rating"), value)
        case "likes":
            return between((post.get("engagement") or {}).get("likes"), value)
        case "urgency":
            return between(post.get("urgency"), value)
        case "language":
            detected = post.get("detected_language")
            spoken = post.get("language") or (None if detected == "undecided" else detected)
            return None if spoken is None else spoken.split("-")[0] == value.text
        case "sentiment":
            tone = post.get("sentiment")
            return None if tone in (None, "undecided") else tone == value.text.lower()
        case "channel":
            return post["channel"] == value.text
        case "since":
            return post["published_at"] >= datetime.fromisoformat(value.text).replace(tzinfo=UTC)
        case "hashtag":
            return (
                value.text.lower() in [tag.lower() for tag in post["hashtags"]]
                if post.get("hashtags") is not None
                else False
            )
        case "has":
            present = {
                "authorVerified": author.get("verified"),
                "rating": post.get("rating"),
                "title": post.get("title") or None,
            }
            return present[value.text] is not None
    raise TypeError(node)


def between(number: float | None, value: Any) -> Truth:
    if number is None:
        return None
    if isinstance(value, Range):
        return value.low <= number <= value.high
    if isinstance(value, Comparison):
        return {
            ">=": number >= value.number,
            "<=": number <= value.number,
            ">": number > value.number,
            "<": number < value.number,
        }[value.operator]
    return number == float(value.text)
