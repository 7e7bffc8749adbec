"""Queries that an independent linter judged (data/NOTICE), and the examples of the language's own table."""

import json
from pathlib import Path

import pytest

from talkworthy.query import Matcher, check, compile_query
from talkworthy.schema import posts_table

CASES = [
    json.loads(line)
    for line in (Path(__file__).parent / "data/query_syntax_cases.jsonl").read_text("utf-8").splitlines()
]
STRICTER = {"languag:e": "warning"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: repr(case["query"]))
def test_the_verdict_is_that_of_the_independent_linter(case: dict[str, str]) -> None:
    checked = check(case["query"])
    assert checked.verdict == STRICTER.get(case["query"], case["expect"]), str(checked)


EXAMPLES = [
    ("apple NEAR/0f juice", "Apple juice, please", True),
    ("apple NEAR/0f juice", "juice apple", False),
    ("apple NEAR/1 juice", "apple and juice", True),
    ("apple NEAR/1 juice", "apple and then juice", False),
    ("ONEAR/1 juice".replace("ONEAR", "apple ONEAR"), "juice and apple", False),
    ("apple NEAR juice", "apple one two three four juice", True),
    ("apple NEAR juice", "apple one two three four five juice", False),
    ("apple NEAR/3 apple", "one apple only", False),
    ("apple NEAR/3 apple", "apple after apple", True),
    ('"battery dies"~2', "dies so quickly, this battery", False),
    ('"battery dies"~3', "dies so quickly, this battery", True),
    ('"battery dies"', "the battery, dies", True),
    ('"battery dies"', "dies battery", False),
    ("(battery dies)~3", "dies so quickly, this battery", True),
    ("(battery dies)~2", "dies so quickly, this battery", False),
    ('(brand OR company)~3', "the company", False),
    ('(brand OR company)~3', "the company behind this brand", True),
    ('((cake OR "ice cream") AND birthday)~1', "ice cream for birthday", True),
    ('((cake OR "ice cream") AND birthday)~0', "ice cream for birthday", False),
    ('"aa aa"~3', "only one aa", False),
    ('(refund OR "money back") NEAR/5 (never OR slow)', "never got my money back", True),
    ("{US} AND visa", "tell us about the visa", False),
    ("{US} AND visa", "a US visa", True),
    ("{Brand Watch}", "Brand Watch", True),
    ("{Brand Watch}", "Brand watch", False),
    ("cafe", "a café nearby", True),
    ("café", "a cafe nearby", False),
    ("café", "a CAFÉ nearby", True),
    ("acme -authorVerified:true", "acme!", False),
    ("acme (-authorVerified:true OR -has:authorVerified)", "acme!", True),
    ("co-op", "the Co-op is open; coop is not", True),
    ("co-op", "coop is not", False),
    ("東京", "今日は東京タワー", True),
    ("東京", "京東", False),
    ("か", "が", False),
    ("#launch", "our launch", False),
    ("#launch", "our #Launch!", True),
    ("launch", "our #launch", True),
    ("@acme", "me@acme.com", False),
    ("@acme", "thanks @Acme", True),
    ("complain* NEAR/3 staff", "Complaining about the staff", True),
    ("complain*", "#complaints", True),
    ("customi?e", "we customise", True),
    ("customi?e", "we customie", False),
    ("#*launch", "a #prelaunch", True),
    ("#*launch", "a prelaunch", False),
    ("o'reilly", "by O’Reilly", True),
    ("O’Reilly", "by o'reilly", True),
    ("👍", "👍🏽", False),
    ("👨‍👩‍👧", "the 👨‍👩‍👧!", True),
    ("example", "see https://example.com/example", False),
    ("url:example.com/a", "see https://www.example.com/a?b", True),
    ("links:example.com", "see http://badexample.com", False),
    ("https://example.com/a", "see https://example.com/a.", True),
    ("a NOT (b AND c) OR d", "a b", True),
    ("a NOT (b AND c) OR d", "a b c", False),
    ("a NOT (b AND c) OR d", "a b c d", True),
    ("ATLEAST/2(refund)", "refund", False),
    ("ATLEAST/2(refund OR money)", "refund, money", True),
    ("SENTENCE(late refund)", "It was late. Refund me", False),
    ("SENTENCE(late refund)", "Ok. The refund was late! Bye", True),
    ("SENTENCE(late -refund)", "It was late. Refund me", True),
    ("apple^9 juice", "apple juice", True),
]  # fmt: skip


@pytest.mark.parametrize(("query", "text", "expected"), EXAMPLES)
def test_a_text_matches_as_the_language_says(query: str, text: str, expected: bool) -> None:
    compiled = compile_query(query)
    decoy = "nothing of the kind stands here"
    posts = posts_table(
        {"uid": f"feed:a:{n}", "text": t, "published_at": "2026-01-01"} for n, t in enumerate((decoy, text))
    )
    assert compiled.match(posts).to_pylist() == [False, expected]
    assert list(Matcher({"it": compiled}).match(posts).by_row()) == [[], ["it"] if expected else []]


def test_a_span_never_crosses_from_title_to_body() -> None:
    posts = posts_table([{"uid": "feed:a:1", "title": "apple", "text": "juice", "published_at": "2026-01-01"}])
    assert compile_query("apple AND juice").match(posts).to_pylist() == [True]
    assert compile_query("apple NEAR/9 juice").match(posts).to_pylist() == [False]
    assert compile_query('"apple juice"').match(posts).to_pylist() == [False]
