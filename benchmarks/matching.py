"""Posts per second when many monitors listen at once, ours beside what a user would take instead.

    python benchmarks/matching.py [--monitors 10 100 1000 10000] [--posts 20480] [--texts FILE] [--only ours …]

Monitors have 3 to 30 terms: an OR group of names (phrases and wildcards among them), mostly joined to a group of
common words by AND or NEAR, some with an exclusion. Texts are made from a word list with the frequencies of
natural language (a Zipf curve), with hashtags, handles, links, accents and emoji; `--texts` reads real ones instead,
one a line, and then takes the monitors' words from them. Everything is seeded. A figure is taken on posts not seen
before, after some that warm the caches: an automaton that is built as it goes looks a hundred times faster on posts
it has already read. Rivals:

- each in turn: tokenise a post once, evaluate every query on it (exact; also the check of our results)
- re2 unverified: one RE2 set of the terms of which each query needs one; what it finds is no match yet
- re2 verified: the same set, and each query that it names evaluated on the post: what one would have to run
- tantivy: index the batch in memory, run every query; it knows no NEAR (AND is taken) and other words than ours
- aho-corasick: one bare scan for all terms, no query evaluated: the limit of every automaton

With `--wrong` each rival also says how many results it finds that are none, and how many it misses, on the posts of
one part. Needs google-re2, tantivy and pyahocorasick (the dependency group `bench`); a rival that is missing is left
out.
"""

import argparse
import importlib
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa

from talkworthy.query import Matcher, Matches, compile_query
from talkworthy.query.spans import term_tokens
from talkworthy.query.tokens import is_wild, prefix_of, spellings, tokenise, wildcard
from talkworthy.query.tree import And, Cased, Near, Node, Not, Or, Phrase, Word, bare
from talkworthy.schema import posts_table

Find = Callable[[list[str]], Any]
"""Matches texts; what comes back says which, in the rival's own way."""

SYLLABLES = [consonant + vowel for consonant in "bdfghklmnprstvz" for vowel in "aeio"]


def words(count: int, chance: random.Random) -> list[str]:
    """Distinct pronounceable words, common ones short."""
    found: dict[str, None] = {}
    while len(found) < count:
        longest = 2 if len(found) < 300 else 4
        found["".join(chance.choices(SYLLABLES, k=chance.randint(1, longest)))] = None
        if len(found) > 40_000:
            break
    return list(found)


def made_texts(count: int, vocabulary: Sequence[str], length: int, chance: random.Random) -> list[str]:
    """Texts of about `length` characters."""
    weights = list(accumulate(1 / (rank + 2.7) for rank in range(len(vocabulary))))
    texts = []
    while len(texts) < count:
        chosen = chance.choices(vocabulary, cum_weights=weights, k=length // 4)
        text = " ".join(_dressed(word, chance) for word in chosen)[:length].capitalize() + chance.choice(
            (".", "!", "?", "", " 🎉", "…")
        )
        texts.append(text)
    return texts


def _dressed(word: str, chance: random.Random) -> str:
    lot = chance.random()
    if lot < 0.03:
        return f"#{word}"
    if lot < 0.05:
        return f"@{word}"
    if lot < 0.06:
        return f"https://t.co/{word}{chance.randint(100, 999)}"
    if lot < 0.063:
        return word.replace("e", "é")
    if lot < 0.14:
        return f"{word},"
    return word.capitalize() if lot < 0.2 else word


def made_queries(count: int, ranked: Sequence[str], chance: random.Random) -> list[str]:
    """Monitors of 3 to 30 terms over words ranked by frequency."""
    common, rare = ranked[20:400], ranked[400:]
    queries = []
    while len(queries) < count:
        size = chance.randint(3, 30)
        named = max(1, size // 3)
        names = " OR ".join(_name(rare, chance) for _ in range(named))
        context = " OR ".join(chance.choice(common) for _ in range(max(1, size - named - 1)))
        lot = chance.random()
        if lot < 0.15:
            query = f"({names}) NEAR/5 ({context})"
        elif lot < 0.85:
            query = f"({names}) AND ({context})"
        else:
            query = f"({names})"
        if lot > 0.6:
            query = f"({query}) NOT ({chance.choice(common)} OR {chance.choice(rare)})"
        queries.append(query)
    return queries


def _name(rare: Sequence[str], chance: random.Random) -> str:
    lot = chance.random()
    word = chance.choice(rare)
    if lot < 0.2:
        return f'"{word} {chance.choice(rare)}"'
    if lot < 0.3 and len(word) >= 4:
        return f"{word[:-1]}*"
    return f"#{word}" if lot < 0.35 else word


# rivals --------------------------------------------------------------------------------------------------------------


def ours(queries: list[str]) -> Callable[[pa.Table], Matches[int]]:
    return Matcher({position: compile_query(query) for position, query in enumerate(queries)}).match


def each_in_turn(queries: list[str]) -> Callable[[list[str]], list[list[int]]]:
    """The positions of the queries that match, post by post."""
    evaluate = [evaluator(compile_query(query).query.root) for query in queries]

    def run(texts: list[str]) -> list[list[int]]:
        found = []
        for text in texts:
            places = places_of(text)
            found.append([position for position, query in enumerate(evaluate) if query(places)])
        return found

    return run


def re2_set(queries: list[str]) -> Callable[[list[str]], list[list[int]]]:
    re2 = importlib.import_module("re2")
    options = re2.Options()
    options.max_mem = 2 << 30
    options.case_sensitive = False
    built = re2.Set.SearchSet(options)
    for query in queries:
        plan = compile_query(query).plan
        anchors = plan.anchors if plan else frozenset[tuple[str, ...]]()
        built.Add(rf"\b(?:{'|'.join(expression(atom) for atom in sorted(anchors))})\b")
    built.Compile()
    return lambda texts: [built.Match(text) or [] for text in texts]


def expression(atom: tuple[str, ...]) -> str:
    return r"\W+".join(re.escape(prefix_of(term)) + (r"\w*" if is_wild(term) else "") for term in atom)


def re2_verified(queries: list[str]) -> Callable[[list[str]], list[list[int]]]:
    candidates = re2_set(queries)
    evaluate = [evaluator(compile_query(query).query.root) for query in queries]

    def run(texts: list[str]) -> list[list[int]]:
        found = []
        for text, named in zip(texts, candidates(texts), strict=True):
            places = places_of(text) if named else {}
            found.append([position for position in named if evaluate[position](places)])
        return found

    return run


def aho_corasick(queries: list[str]) -> Callable[[list[str]], list[int]]:
    ahocorasick = importlib.import_module("ahocorasick")
    automaton = ahocorasick.Automaton()
    for query in queries:
        for term in compile_query(query).terms:
            automaton.add_word(prefix_of(term), 1)
    automaton.make_automaton()
    return lambda texts: [sum(1 for _ in automaton.iter(text.lower())) for text in texts]


def tantivy_index(queries: list[str]) -> Callable[[list[str]], list[Any]]:
    tantivy = importlib.import_module("tantivy")
    schema = tantivy.SchemaBuilder().add_text_field("text", stored=False).build()
    translated = [tantivy_query(tantivy, schema, compile_query(query).query.root) for query in queries]

    def run(texts: list[str]) -> list[Any]:
        index = tantivy.Index(schema)
        writer = index.writer(heap_size=64_000_000, num_threads=1)
        for text in texts:
            writer.add_document(tantivy.Document(text=[text]))
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        searcher = index.searcher()
        return [searcher.search(query, limit=len(texts), count=False).hits for query in translated]

    return run


def tantivy_query(tantivy: ModuleType, schema: Any, node: Node) -> Any:
    """The query as tantivy has it; distances are lost."""
    node = bare(node)
    occur, make = tantivy.Occur, tantivy.Query
    if isinstance(node, Word | Phrase | Cased):
        terms = [term.lstrip("#@") for term in term_tokens(node)]
        if len(terms) > 1:
            return make.phrase_query(schema, "text", terms)
        if is_wild(terms[0]):
            return make.regex_query(schema, "text", re.escape(prefix_of(terms[0])) + ".*")
        return make.term_query(schema, "text", terms[0])
    if isinstance(node, Or):
        return make.boolean_query([(occur.Should, tantivy_query(tantivy, schema, part)) for part in node.operands])
    if isinstance(node, And | Near):
        parts = []
        for part in node.operands:
            excluded = isinstance(part, Not)
            parts.append(
                (
                    occur.MustNot if excluded else occur.Must,
                    tantivy_query(tantivy, schema, part.operand if isinstance(part, Not) else part),
                )
            )
        return make.boolean_query(parts)
    raise TypeError(type(node).__name__)


RIVALS: dict[str, tuple[str | None, Callable[[list[str]], Find]]] = {
    "ours": (None, ours),
    "each in turn": (None, each_in_turn),
    "re2 unverified": ("re2", re2_set),
    "re2 verified": ("re2", re2_verified),
    "tantivy": ("tantivy", tantivy_index),
    "aho-corasick, scan only": ("ahocorasick", aho_corasick),
}


# each in turn --------------------------------------------------------------------------------------------------------


def places_of(text: str) -> dict[str, list[int]]:
    """Where each spelling of each token stands."""
    places: dict[str, list[int]] = {}
    for place, token in enumerate(tokenise(text)):
        for spelling in spellings(token):
            places.setdefault(spelling, []).append(place)
    return places


def evaluator(node: Node) -> Callable[[dict[str, list[int]]], bool]:
    """A query of words, phrases, NEAR and the boolean operators on the places of one post."""
    node = bare(node)
    if isinstance(node, And):
        parts = [evaluator(part) for part in node.operands]
        return lambda places: all(part(places) for part in parts)
    if isinstance(node, Or):
        parts = [evaluator(part) for part in node.operands]
        return lambda places: any(part(places) for part in parts)
    if isinstance(node, Not):
        inner = evaluator(node.operand)
        return lambda places: not inner(places)
    spans = spans_finder(node)
    return lambda places: bool(spans(places))


def spans_finder(node: Node) -> Callable[[dict[str, list[int]]], list[tuple[int, int]]]:
    node = bare(node)
    if isinstance(node, Or):
        parts = [spans_finder(part) for part in node.operands]
        return lambda places: [span for part in parts for span in part(places)]
    if isinstance(node, Near):
        left, right = (spans_finder(part) for part in node.operands)
        distance = node.distance
        return lambda places: [
            (min(a, c), max(b, d))
            for a, b in left(places)
            for c, d in right(places)
            if 0 <= c - b <= distance or 0 <= a - d <= distance
        ]
    if not isinstance(node, Word | Phrase):
        raise TypeError(type(node).__name__)
    terms = term_tokens(node)
    if is_wild(terms[0]):
        pattern = wildcard(terms[0])
        return lambda places: [(p, p + 1) for spelling, at in places.items() if pattern.fullmatch(spelling) for p in at]
    if len(terms) == 1:
        return lambda places: [(p, p + 1) for p in places.get(terms[0], ())]
    return lambda places: [
        (p, p + len(terms))
        for p in places.get(terms[0], ())
        if all(p + at in places.get(term, ()) for at, term in enumerate(terms))
    ]


# running -------------------------------------------------------------------------------------------------------------


def batch_of(texts: Iterable[str]) -> pa.Table:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [{"uid": f"bench::{number}", "text": text, "published_at": at} for number, text in enumerate(texts)]
    return posts_table(rows).combine_chunks()


def speed(find: Find, parts: Sequence[Any], sizes: Sequence[int]) -> float:
    """Posts a second on posts not seen before: the best of four parts, after a first part that warms the caches."""
    find(parts[0])
    return max(size / timed(find, part) for part, size in zip(parts[1:], sizes[1:], strict=True))


def timed(work: Callable[[Any], Any], given: Any) -> float:
    """Seconds of processor time that some work takes, all threads together: neighbours on the machine do not count."""
    start = time.process_time()
    work(given)
    return time.process_time() - start


def verified(queries: list[str], texts: list[str]) -> tuple[bool, float]:
    """Whether our matches equal those of each query in turn, and how many there are a post."""
    few = few_for(queries)
    wanted = each_in_turn(queries)(texts[:few])
    matcher = Matcher({position: compile_query(query) for position, query in enumerate(queries)})
    got = list(matcher.match(batch_of(texts[:few])).by_row())
    everything = matcher.match(batch_of(texts))
    return wanted == got, len(everything) / len(texts)


def few_for(queries: list[str]) -> int:
    """How many posts one can wait for when each query is evaluated in turn."""
    return max(20, 200_000 // len(queries))


def ranked_words(texts: Iterable[str]) -> list[str]:
    """The words of some texts, the most frequent first."""
    counted = Counter(token for text in texts for token in tokenise(text) if token.isascii() and token.isalpha())
    return [word for word, _ in counted.most_common()]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--monitors", type=int, nargs="+", default=[10, 100, 1_000, 10_000])
    parser.add_argument("--posts", type=int, default=20_480)
    parser.add_argument("--long-posts", type=int, default=2560, help="posts of 2 kB; 0 leaves them out")
    parser.add_argument("--texts", help="a file of real texts, one a line")
    parser.add_argument("--wrong", action="store_true", help="count wrong results as well")
    parser.add_argument("--only", nargs="+", choices=list(RIVALS), help="rivals to run")
    given = parser.parse_args()
    chance = random.Random(20260131)
    made = words(30_000, chance)
    if given.texts:
        real = [line.strip() for line in Path(given.texts).read_text("utf-8").splitlines() if line.strip()]
        short = [chance.choice(real) for _ in range(given.posts)]
        long = ["\n".join(chance.choices(real, k=20))[:2000] for _ in range(given.long_posts)]
        ranked = ranked_words(real)
    else:
        short = made_texts(given.posts, made, 100, chance)
        long = made_texts(given.long_posts, made, 2000, chance)
        ranked = made
    wrong = 0
    for title, texts in (("short posts", short), ("posts of 2 kB", long)):
        if texts:
            wrong += table(title, texts, ranked, given.monitors, given.only or list(RIVALS), given.wrong)
    return 1 if wrong else 0


def table(
    title: str, texts: list[str], ranked: list[str], sizes: list[int], rivals: list[str], count_wrong: bool
) -> int:
    """Print one table; the number of sizes at which our matches were not exact."""
    size = sum(len(text) for text in texts) / len(texts)
    print(f"\n{title}: {len(texts)} of {size:.0f} characters on average; posts per second, one core")
    print(
        f"{'monitors':>10} {'matches a post':>15} {'exact':>6}" + "".join(f"{name:>26}" for name in rivals), flush=True
    )
    wrong = 0
    for count in sizes:
        queries = made_queries(count, ranked, random.Random(count))
        exact, matches = verified(queries, texts)
        wrong += not exact
        figures = [figure(name, queries, texts, count_wrong) for name in rivals]
        print(
            f"{count:>10} {matches:>15.2f} {'yes' if exact else 'NO':>6}"
            + "".join(f"{value:>26}" for value in figures),
            flush=True,
        )
    return wrong


def figure(name: str, queries: list[str], texts: list[str], count_wrong: bool) -> str:
    module, build = RIVALS[name]
    if module is not None:
        try:
            importlib.import_module(module)
        except ImportError:
            return "not installed"
    size = len(texts) // 5
    few = few_for(queries) // 5 if build is each_in_turn else size
    parts = [texts[start : start + size][:few] for start in range(0, 5 * size, size)]
    find = build(queries)
    given = [batch_of(part) for part in parts] if build is ours else parts
    shown = f"{speed(find, given, [len(part) for part in parts]):,.0f}"
    if not count_wrong or build in (aho_corasick, each_in_turn):
        return shown
    extra, missing = wrong_results(find(given[0]), ours(queries)(batch_of(parts[0])), name)
    return f"{shown} (+{extra} -{missing})" if extra or missing else shown


def wrong_results(found: Any, right: Matches[int], name: str) -> tuple[int, int]:
    """How many results are none, and how many are missing; ours are checked against each query in turn beforehand."""
    wanted = {(row, position) for row, positions in enumerate(right.by_row()) for position in positions}
    if name == "tantivy":
        got = {(address.doc, position) for position, hits in enumerate(found) for _, address in hits}
    else:
        rows = found.by_row() if isinstance(found, Matches) else found
        got = {(row, position) for row, positions in enumerate(rows) for position in positions}
    return len(got - wanted), len(wanted - got)


if __name__ == "__main__":
    sys.exit(main())
