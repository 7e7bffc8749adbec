"""The matcher, one compiled query and the reference evaluator agree, and the prefilter loses nothing."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import query_reference as reference
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from talkworthy.query import Matcher, check, compile_query, folded, format_query, highlights, parse
from talkworthy.query.batch import SHORT, Vocabulary
from talkworthy.query.explain import post_batch
from talkworthy.query.prefilter import Prefilter
from talkworthy.query.tokens import fold_joined, query_tokens, spellings, tokenise

PIECES = [
    "aa",
    "ab",
    "abc",
    "cafe",
    "café",
    "Café",
    "CAFE",
    "resume",
    "résumé",
    "bt",
    "BT",
    "Bt",
    "co-op",
    "coop",
    "co",
    "op",
    "o'reilly",
    "O’Reilly",
    "#launch",
    "launch",
    "#Launch",
    "@acme",
    "acme",
    "Acme™",
    "acme®",
    "$acme",
    "東京",
    "京",
    "東",
    "タワー",
    "か",
    "が",
    "ไทย",
    "🎉",
    "👍🏽",
    "👍",
    "👨\u200d👩\u200d👧",
    "🇪🇺",
    "❤️",
    "❤",
    "straße",
    "STRASSE",
    "İstanbul",
    "istanbul",
    "3.14",
    "https://t.co/aa",
    "www.aa.com/ab",
    "a_b",
    "snake_case",
    "foo:bar",
    "e.g.",
    "ｆｕｌｌ",
    "com\xadpany",
    "и",
    "й",
    "ё",
]
WORDS = [
    "aa",
    "ab",
    "abc",
    "cafe",
    "café",
    "BT",
    "co-op",
    "coop",
    "co",
    "op",
    "O'Reilly",
    "#launch",
    "launch",
    "@acme",
    "acme",
    "東京",
    "京",
    "か",
    "が",
    "ไทย",
    "🎉",
    "👍🏽",
    "👍",
    "🇪🇺",
    "❤",
    "strasse",
    "istanbul",
    "3.14",
    "ab*",
    "ab?",
    "ca*fe",
    "co-o*",
    "#la*",
    "company",
    "й",
]
GLUE = st.sampled_from([" ", " ", " ", " ", ", ", ". ", "! ", "-", "", "\n", " and ", "…", "。"])

texts = st.lists(st.tuples(st.sampled_from(PIECES), GLUE), max_size=14).map(
    lambda parts: "".join(a + b for a, b in parts)
)

words = st.sampled_from(WORDS)
phrases = st.lists(st.sampled_from([w for w in WORDS if "#la*" not in w]), min_size=1, max_size=3).map(
    lambda parts: f'"{" ".join(parts)}"'
)
cased = st.lists(st.sampled_from(["BT", "Bt", "cafe", "Café", "acme", "aa", "O'Reilly"]), min_size=1, max_size=2).map(
    lambda parts: f"{{{' '.join(parts)}}}"
)
terms = st.one_of(words, words, phrases, cased)
windows = st.one_of(
    st.tuples(phrases, st.integers(0, 4)).map(lambda p: f"{p[0]}~{p[1]}"),
    st.tuples(terms, terms, st.sampled_from([" ", " OR ", " AND "]), st.integers(0, 4)).map(
        lambda p: f"({p[0]}{p[2]}{p[1]})~{p[3]}"
    ),
    st.tuples(terms, terms, terms, st.integers(0, 3)).map(lambda p: f"(({p[0]} OR {p[1]}) AND {p[2]})~{p[3]}"),
)
groups = st.lists(st.one_of(terms, windows), min_size=1, max_size=3).map(lambda parts: f"({' OR '.join(parts)})")
nears = st.tuples(
    groups, st.sampled_from(["NEAR/0", "NEAR/2f", "NEAR/3", "ONEAR/1", "NEAR"]), groups, st.booleans(), groups
).map(lambda p: f"({p[0]} {p[1]} {p[2]} {p[1]} {p[4]})" if p[3] else f"({p[0]} {p[1]} {p[2]})")
metadata = st.sampled_from(
    [
        "authorVerified:true",
        "has:authorVerified",
        "authorFollowers:[10 TO 100]",
        "rating:[2 TO 4]",
        "rating:>3",
        "likes:>=5",
        "language:en",
        "language:(de OR en)",
        "sentiment:negative",
        "channel:feed",
        "since:2026-01-02",
        "hashtag:launch",
        "has:title",
        "urgency:<50",
    ]
)
leaves = st.one_of(
    terms,
    terms,
    windows,
    nears,
    metadata,
    st.tuples(st.sampled_from(["title", "text"]), groups).map(lambda p: f"{p[0]}:{p[1]}"),
    st.tuples(st.integers(1, 3), groups).map(lambda p: f"ATLEAST/{p[0]}{p[1]}"),
    st.tuples(terms, terms).map(lambda p: f"SENTENCE({p[0]} {p[1]})"),
    st.tuples(terms, st.integers(0, 9)).map(lambda p: f"{p[0]}^{p[1]}"),
)


def joined(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    negated = st.tuples(inner, st.booleans()).map(lambda p: f"NOT ({p[0]})" if p[1] else p[0])
    return st.tuples(st.sampled_from([" AND ", " OR ", " "]), st.lists(negated, min_size=2, max_size=3)).map(
        lambda p: f"({p[0].join(p[1])})"
    )


queries = st.recursive(leaves, joined, max_leaves=5)

posts = st.fixed_dictionaries(
    {
        "uid": st.just("feed:example.org:1"),
        "text": texts,
        "title": st.one_of(st.none(), texts),
        "channel": st.sampled_from(["feed", "mastodon"]),
        "published_at": st.sampled_from([datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)]),
        "author": st.one_of(
            st.none(),
            st.fixed_dictionaries(
                {"verified": st.sampled_from([None, True, False]), "followers": st.sampled_from([None, 5, 50])}
            ),
        ),
        "rating": st.sampled_from([None, 1.0, 3.0, 4.5]),
        "engagement": st.sampled_from([None, {"likes": None}, {"likes": 4}, {"likes": 5}]),
        "language": st.sampled_from([None, "en", "en-US", "de"]),
        "detected_language": st.sampled_from([None, "undecided", "en", "fr"]),
        "sentiment": st.sampled_from([None, "undecided", "positive", "negative"]),
        "urgency": st.sampled_from([None, 20, 80]),
        "hashtags": st.sampled_from([[], ["Launch"], ["other", "launch"]]),
    }
)

slow = settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))


def table_of(some: list[dict[str, Any]]) -> pa.Table:
    return pa.concat_tables([post_batch(post) for post in some], promote_options="permissive")


@slow
@given(st.lists(queries, min_size=1, max_size=6), st.lists(posts, min_size=1, max_size=6))
def test_many_at_once_one_at_a_time_and_the_reference_agree(asked: list[str], some: list[dict[str, Any]]) -> None:
    parsed = {text: found.tree for text in asked if (found := check(text)).tree is not None}
    compiled = {text: compile_query(tree) for text, tree in parsed.items()}
    table = table_of(some)
    together = Matcher(compiled).match(table)
    for text, tree in parsed.items():
        wanted = [reference.matches(tree, post) for post in some]
        assert compiled[text].match(table).to_pylist() == wanted
        assert [text in together.names(row) for row in range(len(some))] == wanted


FILLER = {
    "uid": "feed:example.org:2",
    "text": "zz it's, " * SHORT,
    "channel": "feed",
    "published_at": datetime(2026, 1, 1, tzinfo=UTC),
}


@slow
@given(st.lists(queries, min_size=1, max_size=6), st.lists(posts, min_size=1, max_size=6))
def test_much_text_read_by_arrays_matches_as_little_text_does(asked: list[str], some: list[dict[str, Any]]) -> None:
    compiled = {text: compile_query(found.tree) for text in asked if (found := check(text)).tree is not None}
    little, much = table_of(some), table_of([*some, FILLER])
    matcher = Matcher(compiled)
    assert list(matcher.match(much).by_row())[: len(some)] == list(matcher.match(little).by_row())
    for query in compiled.values():
        assert query.match(much).to_pylist()[: len(some)] == query.match(little).to_pylist()


signs = st.text(alphabet="ab1_'.:,;#@$w/h<\"- \x00\n\x1ctpséя東🎉\u200d\u0301’", max_size=40)


@slow
@given(st.lists(st.one_of(texts, signs, st.sampled_from(["http://a.b/c", "www.ab", "#www.ab", "ftp://x", "aa_b"]))))
def test_arrays_and_expressions_find_the_same_tokens(parts: list[str]) -> None:
    folded_text = fold_joined("".join(parts))
    words = [word for word in WORDS for word in query_tokens(word)]
    vocabulary = Vocabulary(words)
    assert vocabulary.numbers_scanned(folded_text).tolist() == vocabulary.numbers_found(folded_text).tolist()
    everything = Vocabulary(spelling for token in tokenise("".join(parts)) for spelling in spellings(token))
    assert everything.numbers_scanned(folded_text).tolist() == everything.numbers_found(folded_text).tolist()


only_words = st.recursive(
    st.sampled_from([word for word in WORDS if word.isascii()] + ["a", "p*", "1", "http", "www", "s*"]),
    joined,
    max_leaves=5,
)


@slow
@given(only_words, st.lists(st.tuples(st.one_of(st.none(), texts), st.one_of(texts, signs)), min_size=1, max_size=6))
def test_a_first_look_says_nothing_that_the_words_gainsay(text: str, written: list[tuple[str | None, str]]) -> None:
    tree = check(text).tree
    if tree is None:
        return
    compiled = compile_query(tree)
    table = pa.table({"title": [title for title, _ in written], "text": [body for _, body in written]})
    assert compiled.match(table) == replace(compiled, glance=None).match(table)


@slow
@given(queries, st.lists(posts, min_size=1, max_size=4))
def test_the_prefilter_loses_no_match(text: str, some: list[dict[str, Any]]) -> None:
    tree = check(text).tree
    if tree is None:
        return
    compiled = compile_query(tree)
    for post, matched in zip(some, compiled.match(table_of(some)).to_pylist(), strict=True):
        if matched and compiled.prefilter is not None:
            assert passes(compiled.prefilter, post)


def passes(sieve: Prefilter, post: dict[str, Any]) -> bool:
    held = folded(post["title"], post["text"])
    flat = {
        **post,
        **{f"author.{k}": v for k, v in (post["author"] or {}).items()},
        **{f"engagement.{k}": v for k, v in (post["engagement"] or {}).items()},
    }
    return (
        all(any(word in held for word in group) for group in sieve.words)
        and (sieve.since is None or post["published_at"] >= sieve.since)
        and (sieve.until is None or post["published_at"] < sieve.until)
        and all(flat[column] in allowed for column, allowed in sieve.values)
        and all(flat[column] is not None and flat[column] >= bound for column, bound in sieve.at_least)
        and all(flat[column] is not None and flat[column] <= bound for column, bound in sieve.at_most)
    )


@slow
@given(queries)
def test_a_formatted_query_is_the_same_query_and_formatting_again_changes_nothing(text: str) -> None:
    tree = check(text).tree
    if tree is None:
        return
    once = format_query(tree)
    again = parse(once)
    assert again == tree
    assert format_query(again) == once


@slow
@given(queries, posts)
def test_highlights_lie_inside_the_text_and_never_overlap(text: str, post: dict[str, Any]) -> None:
    tree = check(text).tree
    if tree is None:
        return
    last: dict[str, int] = {}
    for name, start, end in highlights(tree, post):
        assert last.get(name, 0) <= start < end <= len(post[name])
        last[name] = end
