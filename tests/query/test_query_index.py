"""Many queries over many posts: common words, several slices, growing vocabularies; and the columns a query reads."""

import random
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from talkworthy.query import Matcher, compile_query
from talkworthy.query.batch import CHARACTERS, ROWS, batches
from talkworthy.query.layout import BIG
from talkworthy.schema import POST, posts_table

COMMON = [f"c{number}" for number in range(12)]
RARE = [f"rare{number}" for number in range(700)]


def texts(count: int, chance: random.Random) -> list[str]:
    return [
        " ".join([*chance.choices(COMMON, k=5), *chance.choices(RARE, k=2), *chance.choices(COMMON, k=2)])
        for _ in range(count)
    ]


def queries(count: int, chance: random.Random) -> list[str]:
    found = []
    for _ in range(count):
        names = " OR ".join(chance.choice([RARE, RARE, COMMON])[chance.randrange(12)] for _ in range(3))
        shape = chance.choice(
            [
                "({n}) AND ({c} OR {r})",
                "({n})",
                "({n}) NEAR/2 ({c} OR {r})",
                '"{c} {r}" OR ({n})',
                "({n}) NOT ({c} OR {r})",
                "(NOT {c}) OR {r}",
                '({n}) AND rare1* NOT "{c} {c}"',
            ]
        )
        found.append(shape.format(n=names, c=chance.choice(COMMON), r=chance.choice(RARE)))
    return found


def test_common_and_rare_words_over_several_slices_match_as_one_query_does_alone() -> None:
    chance = random.Random(5)
    batch = posts_table(
        {"uid": f"feed:a:{n}", "text": text, "title": chance.choice([None, "c1 rare2"]), "published_at": "2026-01-01"}
        for n, text in enumerate(texts(ROWS + 200, chance))
    )
    compiled = {number: compile_query(text) for number, text in enumerate(queries(40, chance))}
    together = Matcher(compiled).match(batch)
    found: dict[int, set[int]] = {number: set() for number in compiled}
    for row, position in zip(together.row_indices.tolist(), together.key_positions.tolist(), strict=True):
        found[together.keys[position]].add(row)
    assert len(together) == sum(len(rows) for rows in found.values()) > ROWS
    for number, query in compiled.items():
        assert found[number] == {row for row, matched in enumerate(query.match(batch).to_pylist()) if matched}
    assert any(len(rows) > ROWS // 8 for rows in found.values())


def test_groups_of_many_words_match_as_they_do_alone() -> None:
    many = [f"word{number}" for number in range(BIG + 30)]
    group = " OR ".join(many)
    asked = [
        f"uncommonname AND ({group})",
        f"uncommonname NOT ({group} OR other)",
        f"({group}) AND (uncommonname OR other)",
        f'uncommonname AND ({group} OR (other NEAR/1 thing) OR "two words")',
    ]
    compiled = {text: compile_query(text) for text in asked}
    written = ["uncommonname", "uncommonname word3", "word5 word70 other", "uncommonname other thing", "two words"]
    posts = posts_table(
        {"uid": f"feed:a:{n}", "text": text, "published_at": "2026-01-01"} for n, text in enumerate(written)
    )
    together = list(Matcher(compiled).match(posts).by_row())
    for text, query in compiled.items():
        assert [text in names for names in together] == query.match(posts).to_pylist()
    assert together == [[asked[1]], [asked[0], asked[2], asked[3]], [asked[2]], [asked[3]], []]


def test_long_posts_are_looked_at_in_smaller_batches() -> None:
    long = posts_table({"uid": f"feed:a:{n}", "text": "acme " * 400, "published_at": "2026-01-01"} for n in range(1000))
    parts = list(batches(long))
    assert [start for start, _ in parts] == [sum(part.num_rows for _, part in parts[:n]) for n in range(len(parts))]
    assert sum(part.num_rows for _, part in parts) == 1000
    assert all(part.num_rows * 2000 <= CHARACTERS for _, part in parts)


def test_conditions_on_metadata_are_true_false_or_unknown_row_by_row() -> None:
    queries = {
        text: compile_query(text, now=datetime(2026, 1, 2, tzinfo=UTC))
        for text in (
            "acme language:en",
            "acme -language:en",
            "acme (language:en OR -has:rating)",
            "acme since:36h",
            "acme since:6h",
            "acme NOT (language:de rating:>3)",
        )
    }
    posts = posts_table(
        {"uid": f"feed:a:{n}", "text": "acme", "published_at": "2026-01-01T12:00:00Z", **more}
        for n, more in enumerate([{"language": "en"}, {"language": "de", "rating": 4.0}, {}, {"rating": 2.0}])
    )
    together = list(Matcher(queries).match(posts).by_row())
    for text, query in queries.items():
        assert [text in names for names in together] == query.match(posts).to_pylist()
    assert [len(names) for names in together] == [4, 2, 2, 2]


def test_a_matcher_remembers_tokens_from_batch_to_batch() -> None:
    matcher = Matcher({"a": compile_query("rare*"), "b": compile_query("café OR other")})
    for text, expected in [
        ("rare1", ["a"]),
        ("rarely cafe", ["a"]),
        ("CAFÉ", ["b"]),
        ("rare1 other", ["a", "b"]),
        ("", []),
    ]:
        posts = posts_table([{"uid": "feed:a:1", "text": text, "published_at": "2026-01-01"}])
        assert matcher.match(posts).names(0) == expected


def test_a_matcher_without_queries_and_a_batch_without_posts_give_nothing() -> None:
    posts = posts_table([{"uid": "feed:a:1", "text": "acme", "published_at": "2026-01-01"}])
    assert list(Matcher({}).match(posts).by_row()) == [[]]
    assert list(Matcher({"a": compile_query("acme")}).match(posts.slice(0, 0)).by_row()) == []


def test_record_batches_and_tables_of_several_chunks_are_both_taken() -> None:
    posts = posts_table([{"uid": "feed:a:1", "text": "acme", "published_at": "2026-01-01"}])
    chunked = pa.concat_tables([posts, posts])
    matcher = Matcher({"a": compile_query("acme -author:bob OR acme")})
    assert list(matcher.match(chunked).by_row()) == [["a"], ["a"]]
    assert list(matcher.match(posts.to_batches()[0]).by_row()) == [["a"]]


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("acme", {"title", "text"}),
        ("https://example.com", {"title", "text", "links"}),
        ("author:jane AND likes:>3", {"title", "text", "author", "engagement"}),
        ("has:(image OR rating)", {"title", "text", "media", "rating"}),
        ("language:en", {"title", "text", "language", "detected_language"}),
    ],
)
def test_a_query_names_the_columns_it_reads(query: str, columns: set[str]) -> None:
    assert compile_query(query).columns == columns


def test_a_query_answers_the_same_from_the_columns_it_names() -> None:
    posts = posts_table(
        [
            {
                "uid": "feed:a:1",
                "text": "acme",
                "links": ["https://example.com/x"],
                "language": "en",
                "published_at": "2026-01-01",
            },
            {"uid": "feed:a:2", "text": "decoy", "published_at": "2026-01-01"},
        ]
    )
    for text in ("https://example.com/x", "language:en", "has:link", "is:original AND acme", "site:a.b OR acme"):
        query = compile_query(text)
        kept = posts.select([name for name in POST.names if name in query.columns])
        assert query.match(kept).to_pylist() == query.match(posts).to_pylist() == [True, False]
