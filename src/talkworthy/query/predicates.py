"""Field terms over a whole batch: rows where they are true, and rows where they are true or unknown.

Each distinct field and value is looked at once a batch, however many queries ask for it.
"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import numpy as np

from talkworthy.query import fields, tokens
from talkworthy.query.batch import Batch, bits_from
from talkworthy.query.fields import FieldSpec, Takes
from talkworthy.query.spans import spelled_as, term_tokens
from talkworthy.query.tree import And, Cased, Comparison, Field, Node, Not, Or, Phrase, Range, Word, bare, walk
from talkworthy.schema.annotations import UNDECIDED

Knowledge = Callable[[Batch, int], tuple[int, int]]
Leaf = Word | Phrase | Cased

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_MEDIA = ("image", "video", "audio")


def predicate(node: Field, now: datetime | None) -> Knowledge:
    """A field term, its values joined by AND, OR and NOT, as a function of the batch."""
    spec = fields.FIELDS[node.name]
    if isinstance(node.value, Range | Comparison):
        return _cached((spec.name, node.value), _numeric(spec, node.value))
    return _joined(spec, node.value, now)


def columns_read(node: Field) -> tuple[str, ...]:
    """The paths of columns that a field term reads."""
    spec = fields.FIELDS[node.name]
    if spec.name == "is":
        return (*spec.reads, "owned")
    if spec.name != "has" or isinstance(node.value, Range | Comparison):
        return spec.reads
    leaves = (leaf for leaf in walk(node.value) if isinstance(leaf, Word | Phrase | Cased))
    return tuple(path for leaf in leaves for path in fields.PRESENCE[fields.read_choice(spec, leaf.text.strip())])


def _joined(spec: FieldSpec, value: Node, now: datetime | None) -> Knowledge:
    value = bare(value)
    if isinstance(value, Word | Phrase | Cased):
        return _leaf(spec, value, now)
    if isinstance(value, Not):
        inner = _joined(spec, value.operand, now)

        def negated(batch: Batch, alive: int) -> tuple[int, int]:
            true, possible = inner(batch, alive)
            return batch.all & ~possible, batch.all & ~true

        return negated
    if isinstance(value, And | Or):
        parts = [_joined(spec, operand, now) for operand in value.operands]
        every = isinstance(value, And)

        def joined(batch: Batch, alive: int) -> tuple[int, int]:
            true = possible = batch.all if every else 0
            for part in parts:
                part_true, part_possible = part(batch, alive)
                true = true & part_true if every else true | part_true
                possible = possible & part_possible if every else possible | part_possible
            return true, possible

        return joined
    raise TypeError(f"{spec.name}: takes no {type(value).__name__}")


def _leaf(spec: FieldSpec, leaf: Leaf, now: datetime | None) -> Knowledge:
    text = leaf.text.strip()
    key = (spec.name, type(leaf).__name__, text)
    match spec.takes:
        case Takes.ONE_OF:
            return _cached(key, _choice(spec, fields.read_choice(spec, text)))
        case Takes.TRUTH:
            return _cached(key, _truth(spec, fields.read_truth(spec, text)))
        case Takes.NUMBER | Takes.RANGE:
            number = fields.read_number(spec, text)
            return _cached(key, _numeric(spec, Range(number, number)))
        case Takes.ENTITY:
            return _cached(key, _equal(spec, fields.read_entity(spec, text)))
        case Takes.POST:
            return _cached(key, _post(spec, text))
        case Takes.LANGUAGE:
            return _cached(key, _language(fields.read_language(spec, text)[0]))
        case Takes.TIME:
            return _cached((*key, now), _time(spec, text, now))
        case Takes.WORDS:
            return _cached(key, _words(spec, leaf))
        case Takes.NAME:
            return _cached(key, _name(spec, leaf))
        case Takes.CODE:
            return _cached(key, _code(spec, text))
        case Takes.HOST:
            return _cached(key, _host(text))
        case Takes.ADDRESS:
            return _cached(key, _address(spec, text))
        case _:
            raise TypeError(f"{spec.name}: is no field of this kind")


def _cached(key: tuple[Any, ...], read: Callable[[Batch], tuple[int, int]]) -> Knowledge:
    key = ("field", *key)

    def run(batch: Batch, alive: int) -> tuple[int, int]:
        found = batch.cache.get(key)
        if found is None:
            found = batch.cache[key] = read(batch)
        true, possible = found
        return true, possible

    return run


def _known(batch: Batch, spec: FieldSpec) -> int:
    known = 0
    for path in spec.reads:
        known |= batch.known(path)
    return known


def _answer(batch: Batch, spec: FieldSpec, true: int) -> tuple[int, int]:
    """True where it was found, unknown where the post lacks the field."""
    return true, true | (batch.all & ~_known(batch, spec))


# values that are equal or not ----------------------------------------------------------------------------------------


def _choice(spec: FieldSpec, choice: str) -> Callable[[Batch], tuple[int, int]]:
    if spec.name == "has":
        return lambda batch: ((found := _has(batch, choice)), found)
    if spec.name == "is":
        return lambda batch: _is(batch, choice)
    if spec.name == "engagementType":
        return _engagement_type(spec, choice)

    def read(batch: Batch) -> tuple[int, int]:
        rows = batch.spelled(spec.reads[0], _lowered)
        true = rows.get(choice.casefold(), 0)
        undecided = rows.get(UNDECIDED, 0) if UNDECIDED in spec.choices and choice != UNDECIDED else 0
        return true, true | undecided | (batch.all & ~batch.known(spec.reads[0]))

    return read


def _lowered(value: str) -> tuple[str, ...]:
    return (value.casefold(),)


def _engagement_type(spec: FieldSpec, choice: str) -> Callable[[Batch], tuple[int, int]]:
    """A post without a type is an original one, so it is known; only a batch without the column is not."""

    def read(batch: Batch) -> tuple[int, int]:
        if batch.column("engagement_type") is None:
            return 0, batch.all
        rows = batch.spelled("engagement_type", _lowered)
        true = rows.get(choice.casefold(), 0)
        if choice == "REPOST":
            true |= rows.get("retweet", 0)
        return true, true

    return read


def _has(batch: Batch, choice: str) -> int:
    if choice in _MEDIA:
        return batch.strings("media").get(choice, 0)
    found = 0
    for path in fields.PRESENCE[choice]:
        found |= _present(batch, path)
    return found


def _present(batch: Batch, path: str) -> int:
    """Rows in which a column holds something: not null, not an empty text or list, not undecided."""
    key = ("present", path)
    if key not in batch.cache:
        if path in ("links", "hashtags", "mentions"):
            flags = [bool(values) for values in batch.lists(path)]
        else:
            column = batch.column(path)
            flags = [
                value is not None and value != "" and value != [] and value != UNDECIDED
                for value in column or [None] * batch.size
            ]
        batch.cache[key] = bits_from(np.array(flags, dtype=np.bool_))
    found: int = batch.cache[key]
    return found


def _is(batch: Batch, choice: str) -> tuple[int, int]:
    if choice == "owned":
        column = batch.column("owned")
        if column is None:
            return 0, batch.all
        true = bits_from(np.array([value is True for value in column], dtype=np.bool_))
        return true, true | (batch.all & ~batch.known("owned"))
    if batch.column("engagement_type") is None and batch.column("in_reply_to") is None:
        return 0, batch.all
    types = batch.spelled("engagement_type", _lowered)
    reply = types.get("reply", 0) | types.get("comment", 0) | _present(batch, "in_reply_to")
    repost = types.get("repost", 0) | types.get("retweet", 0)
    original = batch.all & ~(reply | repost | types.get("quote", 0))
    true = {"reply": reply, "repost": repost, "original": original}[choice]
    return true, true


def _truth(spec: FieldSpec, wanted: bool) -> Callable[[Batch], tuple[int, int]]:
    def read(batch: Batch) -> tuple[int, int]:
        column = batch.column(spec.reads[0]) or [None] * batch.size
        return _answer(batch, spec, bits_from(np.array([value is wanted for value in column], dtype=np.bool_)))

    return read


def _equal(spec: FieldSpec, wanted: str) -> Callable[[Batch], tuple[int, int]]:
    return lambda batch: _answer(batch, spec, batch.spelled(spec.reads[0], _uppered).get(wanted.upper(), 0))


def _uppered(value: str) -> tuple[str, ...]:
    upper = value.upper()
    return (upper,) if upper.startswith("Q") else (f"Q{upper}",)


def _post(spec: FieldSpec, wanted: str) -> Callable[[Batch], tuple[int, int]]:
    """A post by its uid or the channel's own id. A post that answers nothing is known to answer nothing."""

    def read(batch: Batch) -> tuple[int, int]:
        true = 0
        for path in spec.reads:
            true |= batch.spelled(path, _ids).get(wanted, 0)
        if spec.name == "guid" or batch.column(spec.reads[0]) is None:
            return _answer(batch, spec, true)
        return true, true

    return read


def _ids(value: str) -> tuple[str, ...]:
    parts = value.split(":", 2)
    return (value, parts[2]) if len(parts) == 3 and parts[2] != value else (value,)


def _language(code: str) -> Callable[[Batch], tuple[int, int]]:
    def read(batch: Batch) -> tuple[int, int]:
        rows = batch.languages()
        known = 0
        for found in rows.values():
            known |= found
        true = rows.get(code, 0)
        return true, true | (batch.all & ~known)

    return read


# numbers and times ---------------------------------------------------------------------------------------------------


def _numeric(spec: FieldSpec, wanted: Range | Comparison) -> Callable[[Batch], tuple[int, int]]:
    def read(batch: Batch) -> tuple[int, int]:
        if spec.name == "minuteOfDay":
            micros, known = batch.times()
            values = ((micros // 60_000_000) % 1440).astype(np.float64)
        else:
            found = batch.numbers_at(spec.reads[0])
            if found is None:
                return 0, batch.all
            values, known = found
        true = bits_from(_within(values, wanted)) & known
        return true, true | (batch.all & ~known)

    return read


def _within(
    values: "np.ndarray[Any, np.dtype[np.float64]]", wanted: Range | Comparison
) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    if isinstance(wanted, Range):
        return (values >= wanted.low) & (values <= wanted.high)
    match wanted.operator:
        case ">=":
            return values >= wanted.number
        case "<=":
            return values <= wanted.number
        case ">":
            return values > wanted.number
        case _:
            return values < wanted.number


def _time(spec: FieldSpec, text: str, now: datetime | None) -> Callable[[Batch], tuple[int, int]]:
    first, after = fields.read_time(spec, text).bounds(now)
    first_micros, after_micros = micros(first), micros(after)

    def read(batch: Batch) -> tuple[int, int]:
        times, known = batch.times()
        if spec.name == "since":
            flags = times >= first_micros
        else:
            flags = times < after_micros if after_micros > first_micros else times <= after_micros
        true = bits_from(flags) & known
        return true, true | (batch.all & ~known)

    return read


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    delta = at - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


# names, words, codes -------------------------------------------------------------------------------------------------


def _name(spec: FieldSpec, leaf: Leaf) -> Callable[[Batch], tuple[int, int]]:
    path = spec.reads[0]
    text = _shorn(spec.name, leaf.text.strip())
    if isinstance(leaf, Cased):
        wanted = tokens.cased(text)
        return lambda batch: _answer(batch, spec, batch.spelled(path, _SHAPES_CASED[spec.name]).get(wanted, 0))
    folded = tokens.fold(text)
    if isinstance(leaf, Word) and ("*" in text or "?" in text):
        pattern = re.compile(tokens.glob(folded), re.DOTALL)
        return lambda batch: _answer(
            batch,
            spec,
            _union(rows for value, rows in batch.spelled(path, _SHAPES[spec.name]).items() if pattern.fullmatch(value)),
        )
    return lambda batch: _answer(batch, spec, batch.spelled(path, _SHAPES[spec.name]).get(folded, 0))


def _shorn(name: str, text: str) -> str:
    """A value without what merely says its kind: # of a hashtag, @ of a handle, r/ of a subreddit."""
    if name == "hashtag":
        return text.lstrip("#＃")
    if name == "mention":
        return text.lstrip("@＠")
    if name == "subreddit":
        return re.sub(r"^/?r/", "", text, flags=re.IGNORECASE)
    return text


def _shape(name: str, fold: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    def shape(value: str) -> tuple[str, ...]:
        shorn = fold(_shorn(name, value))
        given = [shorn, tokens.plain(shorn)]
        if name == "mention" and "@" in shorn:
            given += [part.split("@")[0] for part in given]
        return tuple(dict.fromkeys(given))

    return shape


_SHAPES = {spec.name: _shape(spec.name, tokens.fold) for spec in fields.FIELDS.values() if spec.takes is Takes.NAME}
_SHAPES_CASED = {
    spec.name: _shape(spec.name, tokens.cased) for spec in fields.FIELDS.values() if spec.takes is Takes.NAME
}


def _union(parts: Iterable[int]) -> int:
    found = 0
    for part in parts:
        found |= part
    return found


def _words(spec: FieldSpec, leaf: Leaf) -> Callable[[Batch], tuple[int, int]]:
    terms = [term.lstrip("@#$") if spec.name in ("author", "tags") else term for term in term_tokens(leaf)]
    written = [tokens.cased(token) for token in _written_tokens(leaf.text)] if isinstance(leaf, Cased) else None

    def read(batch: Batch) -> tuple[int, int]:
        true = 0
        for path in spec.reads:
            true |= _rows_with_words(batch, path, terms, written)
        return _answer(batch, spec, true)

    return read


def _written_tokens(text: str) -> list[str]:
    return [text[token.start : token.end] for token in tokens.located(text)]


def _rows_with_words(batch: Batch, path: str, terms: list[str], written: list[str] | None) -> int:
    index = batch.words(path)
    found = 0
    for number in index.values_having(terms[0]):
        for start in range(len(index.tokens[number]) - len(terms) + 1):
            here = index.tokens[number][start : start + len(terms)]
            if not all(_answers(spellings, term) for spellings, term in zip(here, terms, strict=True)):
                continue
            if written is not None:
                have = _written_tokens(index.values[number])[start : start + len(terms)]
                if not all(spelled_as(want, got) for want, got in zip(written, have, strict=True)):
                    continue
            found |= index.rows[number]
            break
    return found


def _answers(spellings: tuple[str, ...], term: str) -> bool:
    if not tokens.is_wild(term):
        return term in spellings
    pattern = tokens.wildcard(term)
    return any(pattern.fullmatch(spelling) for spelling in spellings)


def _code(spec: FieldSpec, text: str) -> Callable[[Batch], tuple[int, int]]:
    wanted = tokens.fold(text).rstrip(".")
    if "*" in wanted:
        pattern = re.compile(tokens.glob(wanted, one=None) + r"(?:\..*)?", re.DOTALL)
    else:
        pattern = re.compile(re.escape(wanted) + r"(?:\..*)?", re.DOTALL)
    return lambda batch: _answer(
        batch,
        spec,
        _union(rows for value, rows in batch.spelled(spec.reads[0], _folded).items() if pattern.fullmatch(value)),
    )


def _folded(value: str) -> tuple[str, ...]:
    return (tokens.fold(value),)


# hosts and addresses -------------------------------------------------------------------------------------------------


def _host(text: str) -> Callable[[Batch], tuple[int, int]]:
    bare_text = _SCHEME.sub("", tokens.fold(text))
    host, slash, path = bare_text.partition("/")
    host = host.removeprefix("www.")
    hosts = re.compile(r"(?:.*\.)?" + tokens.glob(host), re.DOTALL)
    paths = (
        re.compile("/" + tokens.glob(path.rstrip("/"), one=None) + r"(?:[/?#].*)?", re.DOTALL)
        if slash and path.strip("/")
        else None
    )

    def read(batch: Batch) -> tuple[int, int]:
        if paths is None:
            true = _union(rows for value, rows in _hosts(batch).items() if hosts.fullmatch(value))
            return true, true | (batch.all & ~_union(_hosts(batch).values()))
        true = 0
        for value, rows in batch.strings("url").items():
            at, rest = _host_and_path(value)
            if hosts.fullmatch(at) and paths.fullmatch(rest):
                true |= rows
        return true, true | (batch.all & ~_present(batch, "url"))

    return read


def _hosts(batch: Batch) -> dict[str, int]:
    """Rows by host: the post's site, else the host of its address."""
    if "hosts" not in batch.cache:
        found: dict[str, int] = {}
        sited = _present(batch, "site")
        for value, rows in batch.strings("site").items():
            host = tokens.fold(value).removeprefix("www.")
            found[host] = found.get(host, 0) | rows
        for value, rows in batch.strings("url").items():
            host = _host_and_path(value)[0]
            if host and rows & ~sited:
                found[host] = found.get(host, 0) | rows & ~sited
        batch.cache["hosts"] = found
    hosts: dict[str, int] = batch.cache["hosts"]
    return hosts


def _host_and_path(url: str) -> tuple[str, str]:
    host, slash, path = _SCHEME.sub("", tokens.fold(url)).partition("/")
    return host.split("@")[-1].split(":")[0].removeprefix("www."), slash + path


def _address(spec: FieldSpec, text: str) -> Callable[[Batch], tuple[int, int]]:
    wanted = _SCHEME.sub("", tokens.fold(text)).removeprefix("www.").rstrip("/")
    part = tokens.glob(wanted, one=None, within=r"\S")
    pattern = re.compile(rf"(?<![a-z0-9]){part}(?![a-z0-9])", re.DOTALL)

    def read(batch: Batch) -> tuple[int, int]:
        true = 0
        for path in spec.reads:
            true |= _union(rows for value, rows in batch.spelled(path, _folded).items() if pattern.search(value))
        if spec.name == "links":
            return true, true
        return true, true | (batch.all & ~_present(batch, "url"))

    return read
