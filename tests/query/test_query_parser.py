"""Errors and warnings: codes, places, fixes; and that no input whatever breaks the reading."""

import time
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from talkworthy.query import CODES, QueryError, check, compile_query, format_query, parse

NOW = datetime(2026, 1, 10, tzinfo=UTC)

ERRORS = [
    ("", "E-EMPTY"),
    (" \n\t ", "E-EMPTY"),
    ("<<<only a comment>>>", "E-EMPTY"),
    ('""', "E-EMPTY"),
    ("acme AND ()", "E-EMPTY"),
    ("acme AND ...", "E-EMPTY"),
    ("NOT acme", "E-NEGATIVE"),
    ("-acme -corp", "E-NEGATIVE"),
    ("-(acme)", "E-NEGATIVE"),
    ("NOT acme OR NOT corp", "E-NEGATIVE"),
    ("acme OR", "E-SYNTAX"),
    ("AND acme", "E-SYNTAX"),
    ("acme NOT NOT corp", "E-SYNTAX"),
    ("acme NEAR/x corp", "E-SYNTAX"),
    ("acme NEAR/ corp", "E-SYNTAX"),
    ("ATLEAST/0(acme)", "E-SYNTAX"),
    ('"acme"-corp', "E-SYNTAX"),
    ("acme [1 TO 2]", "E-SYNTAX"),
    ("(acme", "E-BRACKET"),
    ("acme)", "E-BRACKET"),
    ('"acme', "E-BRACKET"),
    ("{acme", "E-BRACKET"),
    ("acme}", "E-BRACKET"),
    ("rating:[1 TO 2", "E-BRACKET"),
    ("acme <<<never closed", "E-BRACKET"),
    ("(" * 60 + "acme" + ")" * 60, "E-DEPTH"),
    ("acme " * 50_000, "E-LENGTH"),
    ("a AND b OR c", "E-MIX"),
    ("a b OR c", "E-MIX"),
    ("a NEAR/2 b AND c", "E-MIX"),
    ("a NEAR/2 b c", "E-MIX"),
    ("a NEAR/2 b NEAR/3 c", "E-MIX"),
    ("a NEAR/2 b NEAR/2f c", "E-MIX"),
    ("a NEAR/2 b OR c NEAR/3 d", "E-MIX"),
    ("(x y) OR (a AND b OR c)", "E-MIX"),
    ("(a AND b) NEAR/3 c", "E-NEAR"),
    ("acme NEAR/3 (NOT corp)", "E-NEAR"),
    ("acme NEAR/3 language:en", "E-NEAR"),
    ("(acme language:en)~3", "E-NEAR"),
    ("ATLEAST/2(acme AND corp)", "E-NEAR"),
    ("SENTENCE(acme language:en)", "E-NEAR"),
    ("acme~", "E-TILDE"),
    ("acme ~5", "E-TILDE"),
    ("acme~ 5", "E-TILDE"),
    ("acme~5t", "E-TILDE"),
    ("acme^", "E-TILDE"),
    ("*acme", "E-WILDCARD"),
    ("?acme", "E-WILDCARD"),
    ("a*", "E-WILDCARD"),
    ("#a*", "E-WILDCARD"),
    ("#*", "E-WILDCARD"),
    ("a?b", "E-WILDCARD"),
    ('"the *acme"', "E-WILDCARD"),
    ("{ac*}", "E-WILDCARD"),
    ("author:*x", "E-WILDCARD"),
    ("subreddit :nba", "E-FIELD"),
    ("subreddit : nba", "E-FIELD"),
    ("acme AND language:", "E-FIELD"),
    ("(language:) AND acme", "E-FIELD"),
    ("unheard:", "E-FIELD"),
    ("title:(language:en)", "E-FIELD"),
    ("language:(en NEAR/3 de)", "E-FIELD"),
    ("rating:6", "E-VALUE"),
    ("rating:x", "E-VALUE"),
    ("rating:[0 TO 6]", "E-VALUE"),
    ("rating:[4 TO 2]", "E-VALUE"),
    ("rating:[1 to 5]", "E-VALUE"),
    ("minuteOfDay:[0 TO 1440]", "E-VALUE"),
    ("minuteOfDay:5", "E-VALUE"),
    ("latitude:[-91 TO 0]", "E-VALUE"),
    ("longitude:[0 TO 181]", "E-VALUE"),
    ("authorFollowers:[1.5 TO 2]", "E-VALUE"),
    ("authorVerified:yes", "E-VALUE"),
    ("engagementType:LIKE", "E-VALUE"),
    ("sentiment:angry", "E-VALUE"),
    ("language:klingonese", "E-VALUE"),
    ("has:money", "E-VALUE"),
    ("is:funny", "E-VALUE"),
    ("since:yesterday", "E-VALUE"),
    ("since:2026-02-30", "E-VALUE"),
    ("entityId:Q0", "E-VALUE"),
    ("likes:>=many", "E-VALUE"),
    ("channel:[1 TO 2]", "E-VALUE"),
    ("similar:(acme OR corp)", "E-VALUE"),
    ("acme state:open", "E-STAGE"),
]

WARNINGS = [
    ("acme corp", "W-IMPLICIT-AND"),
    ("acme and corp", "W-IMPLICIT-AND"),
    ("languag:de", "W-FIELD"),
    ("acme~5", "W-DISTANCE"),
    ('"acme"~5', "W-DISTANCE"),
    ("(acme)~5", "W-DISTANCE"),
    ("#*acme", "W-WILDCARD"),
    ("@*x", "W-WILDCARD"),
    ("東京*", "W-WILDCARD"),
    ("language:German", "W-LANGUAGE"),
    ("language:EN", "W-LANGUAGE"),
    ("language:eng", "W-LANGUAGE"),
    ("“acme corp”", "W-QUOTES"),
]

VALID = [
    "a NOT b",
    "a AND NOT b",
    "a -b",
    "a -(b OR c)",
    'a -"b c"',
    "a -language:en",
    "(-a OR b) NOT c",
    "a OR b NOT c",
    "a NEAR/2 b NOT c",
    "a NEAR/2 b NEAR/2 c",
    "(a NEAR/2 b) AND c",
    "a NEAR b NEAR/4 c",
    "a ONEAR/2 b NEAR/2f c",
    "Language:EN".replace("EN", "en"),
    "SENTIMENT:Positive",
    "engagementType:retweet",
    "title:(a OR b)",
    "rating:[2 TO 4]",
    "rating:2.5",
    "likes:>=10",
    "authorFollowers:>=1000",
    "since:2026-01-01 AND until:7d",
    'similar:"the app is slow"~0.8',
    "guid:mastodon:example.org:1",
    "url:(https://example.com OR b.org)",
    "site:reddit.com/r/nba",
    "entityId:Q29",
    "co-op*",
    "t*est",
    "a^5",
    '"a b"~3^5',
    "ATLEAST/2(a OR b)",
    "SENTENCE(a b)",
    "https://example.com",
    "localhost:8080/x.y",
    "10:30",
    "a AND<<<why>>>b",
    "$ACME",
    "🎉",
    "AND".lower(),
    "language:haw",
    "language:(de OR -en)",
    "SENTENCE OR ATLEAST",
    "a\u00a0OR b",
]


@pytest.mark.parametrize(("text", "code"), ERRORS)
def test_what_is_wrong_is_named(text: str, code: str) -> None:
    checked = check(text)
    assert checked.verdict == "error"
    assert code in [error.code for error in checked.errors], str(checked)[:500]
    assert checked.tree is None


@pytest.mark.parametrize(("text", "code"), WARNINGS)
def test_what_is_odd_is_understood_and_named(text: str, code: str) -> None:
    checked = check(text)
    assert checked.verdict == "warning", str(checked)
    assert {warning.code for warning in checked.warnings} == {code}


@pytest.mark.parametrize("text", VALID)
def test_what_is_right_passes_in_silence(text: str) -> None:
    checked = check(text)
    assert checked.verdict == "valid", str(checked)


def test_every_code_that_can_be_met_is_listed_and_every_listed_one_can_be_met() -> None:
    met = {code for _, code in [*ERRORS, *WARNINGS]}
    assert met == CODES.keys()


def test_an_error_says_line_column_and_fix_and_points_a_caret_at_it() -> None:
    with pytest.raises(QueryError) as raised:
        parse("acme AND\n  rating:[4 TO 2]")
    (problem,) = raised.value.errors
    assert (problem.code, problem.line, problem.column, problem.end) == ("E-VALUE", 2, 10, 18)
    assert problem.fix == "rating:[2 TO 4]"
    assert str(raised.value).splitlines()[1:] == [
        "    rating:[4 TO 2]",
        "           ^^^^^^^^",
        "  write: rating:[2 TO 4]",
    ]


def test_a_mixture_is_answered_with_the_bracketed_forms_to_choose_from() -> None:
    (problem,) = check("a AND b OR c AND d").errors
    assert "(a AND b) OR (c AND d)" in problem.message
    assert "a AND (b OR c) AND d" in problem.message
    for form in ("(a AND b) OR (c AND d)", "a AND (b OR c) AND d"):
        assert check(form).verdict == "valid"


def test_the_forms_of_different_nears_are_both_possible_readings() -> None:
    (problem,) = check("a NEAR/2 b NEAR/3 c").errors
    assert "(a NEAR/2 b) NEAR/3 c" in problem.message
    assert "a NEAR/2 (b NEAR/3 c)" in problem.message


def test_the_lenient_dialect_reads_not_before_near_before_and_before_or() -> None:
    assert parse("a AND b OR c NEAR/2 d", dialect="lenient") == parse("(a AND b) OR (c NEAR/2 d)")
    assert parse("a NOT b OR c", dialect="lenient") == parse("(a NOT b) OR c")


def test_three_ways_to_exclude_are_one() -> None:
    assert parse("a NOT b") == parse("a AND NOT b") == parse("a -b")


def test_onear_is_near_with_an_f_and_a_bare_near_is_four() -> None:
    assert parse("a ONEAR/3 b") == parse("a NEAR/3f b")
    assert parse("a NEAR b") == parse("a NEAR/4 b")


def test_a_mistyped_field_is_met_with_the_nearest_known_one() -> None:
    (problem,) = check("languag:de").warnings
    assert problem.fix == "language:de"


def test_a_desk_field_in_a_monitor_is_told_where_it_belongs_and_taken_on_the_desk() -> None:
    (problem,) = check("assignee:alice").errors
    assert "routing rule" in problem.message
    assert check("assignee:alice", stage="desk").verdict == "valid"
    assert check("assignee:alice", stage="search").verdict == "error"


def test_all_wrong_values_are_named_at_once() -> None:
    assert [error.column for error in check("rating:9 AND language:xx AND has:money").errors] == [8, 23, 34]


def test_the_verdict_as_json_holds_plain_values() -> None:
    assert check("rating:9").as_json() == {
        "verdict": "error",
        "errors": [
            {
                "code": "E-VALUE",
                "message": "rating: takes numbers from 0 to 5, not 9",
                "line": 1,
                "column": 8,
                "end": 9,
                "fix": None,
            }
        ],
        "warnings": [],
    }


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(), st.text(alphabet='ab:"(){}[]~^-*?# ANDORNEAR/3<>\n“”', max_size=60)))
def test_no_input_breaks_the_reading(text: str) -> None:
    for dialect in ("strict", "lenient"):
        checked = check(text, dialect=dialect)
        assert (checked.tree is None) == (checked.verdict == "error") == bool(checked.errors)
        for problem in (*checked.errors, *checked.warnings):
            assert problem.code in CODES
            assert 1 <= problem.line <= text.count("\n") + 1
            assert 1 <= problem.column < problem.end
        assert isinstance(str(checked), str)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "-" * 100_000,
        "a NEAR/1 " * 20_000,
        '"' * 99_999,
        "a " * 90_000,
        "a OR " * 40_000 + "a",
        "title:" * 30_000,
    ],
)
def test_huge_and_deep_input_is_answered(text: str) -> None:
    assert check(text).verdict in ("error", "warning", "valid")


def test_a_long_row_of_different_nears_is_refused_in_the_lenient_dialect() -> None:
    assert check("a" + " NEAR/1 b NEAR/2 c" * 200, dialect="lenient").errors[0].code == "E-DEPTH"


def test_of_a_very_long_line_only_the_part_around_the_problem_is_printed() -> None:
    shown = str(check("acme OR " * 500 + "rating:9 OR " + "corp OR " * 500 + "corp"))
    assert len(shown) < 600
    line, carets = shown.splitlines()[1:3]
    assert line[carets.index("^")] == "9"


@pytest.mark.parametrize(
    "text",
    [
        " NEAR/3 ".join("abcdefghijk"),
        '"a b c d e f g h i j k"~3',
        "(a b c d e f g h i j k)~3",
    ],
)
def test_more_parts_than_can_be_placed_in_time_are_refused(text: str) -> None:
    assert [error.code for error in check(text).errors] == ["E-LENGTH"]
    assert check(text.replace(" NEAR/3 k", "").replace(" k", "")).verdict != "error"


@pytest.mark.parametrize(
    "text",
    [
        " OR ".join(f"word{number}" for number in range(4000)),
        "languag:de " * 2000,
        "(" * 50_000,
        ")" * 50_000,
        "NOT " * 5000,
        '"' * 49_999,
        "<<<" * 9000,
        "ab" + "*c" * 5000,
        "👨\u200d👩\u200d👧" * 4000,
        "a NEAR/3 b OR c AND " * 500 + "d",
        "a NEAR/1 b NEAR/2 " * 500 + "d",
    ],
    ids=range(11),
)
def test_long_and_strange_queries_are_judged_soon(text: str) -> None:
    started = time.process_time()
    found = check(text)
    if found.tree is not None:
        compile_query(found.tree)
    assert time.process_time() - started < 5


STRANGE = [
    *[
        "a",
        "ab*",
        "東",
        "🎉",
        "#",
        "@",
        "*",
        "?",
        "\u0301",
        "\x00",
        "\n",
        "true",
        "since:7d",
        "https://a.b/c",
        "/x",
        ":",
    ],
    *[" ", " ", " AND ", " OR ", " NOT ", " -", " NEAR/2 ", " NEAR", "~", "^", "~2", "^3", "<<<", ">>>", "[1 TO 3]"],
    *["(", ")", '"', "“", "{", "}", "[", "]", ">=2", "title:", "rating:", "similar:", "ATLEAST/2(", "SENTENCE("],
]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(STRANGE),
        max_size=14,
    ).map("".join)
)
def test_whatever_is_typed_gets_a_verdict_and_what_is_valid_can_be_compiled(text: str) -> None:
    for dialect in ("strict", "lenient"):
        found = check(text, dialect=dialect)  # type: ignore[arg-type]
        assert (found.tree is None) == (found.verdict == "error") == bool(found.errors)
        str(found)
        if found.tree is not None:
            compile_query(found.tree, now=NOW).match(pa.table({"text": ["a ab", text]}))
            assert parse(format_query(found.tree), stage="desk") == found.tree
