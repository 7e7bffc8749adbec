"""The query language over people."""

import re
import time
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talkworthy.people import actions, selectors
from talkworthy.people.fields import PEOPLE
from talkworthy.people.models import Person
from talkworthy.people.segments import wildcards
from talkworthy.query import QueryError
from talkworthy.workspaces.models import Member


@pytest.fixture
def found(workspace: Any, alice: Any, now: Any) -> Any:
    viewer = Member.objects.get(workspace=workspace, user=alice)

    def names(query: str) -> set[str]:
        return {person.name for person in selectors.persons(viewer=viewer, query=query, now=now)}

    return names


@pytest.fixture
def people(person: Any, account: Any, elsewhere: Any, alice: Any, now: Any) -> dict[str, Any]:
    """Natalia (merged from two records), José, Kim; and a decoy in another workspace."""
    natalia = person("Наталья Иванова", account("a1", handle="nata", followers=900, verified=True), city="Moskva")
    other = person("N. Ivanova", account("a2", "bluesky", handle="nivanova"), email="nata@example.org")
    jose = person("José Müller", account("a3", handle="jose"), email="jose@acme.example", organisation="Globex GmbH")
    kim = person("김민수", phone="+49 (228) 12-34", at=now - timedelta(days=40))
    actions.give_role(other, "press", source="crm", by=alice, now=now)
    actions.merge_persons(other, natalia, by=alice, now=now)
    person("Natalia Decoy", workspace=elsewhere, email="nata@example.org")
    return {"natalia": natalia, "jose": jose, "kim": kim}


@pytest.mark.parametrize(
    ("query", "who"),
    [
        ("natalia", "N"), ("Наталья", "N"), ("name:ivanov*", "N"), ('"natalia ivanova"', "N"), ("ivano", ""),
        ("role:press", "N"), ("email:NATA@example.org", "N"), ("email:*@acme.example", "J"), ("handle:@jose", "J"),
        ("channel:bluesky", "N"), ("organisation:globex", "J"), ("followers:>500", "N"), ("followers:[1 TO 10]", ""),
        ("phone:2281234", "K"), ("muller", "J"), ("MÜLLER", "J"), ("gimminsu", "K"), ("city:moskva", "N"),
        ("NOT role:press", "JK"), ("has:email NOT role:press", "J"), ("is:merged", "N"), ("is:verified", "N"),
        ("since:7d", "NJ"), ("until:7d", "K"), ("basis:interest", "NJK"), ("name:(jose OR natalia)", "NJ"),
        ("has:identity", "NJ"), ("nata@example.org", "N"), ("globex", "J"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("people")
def test_a_query_finds_persons_by_what_any_of_their_records_says(query: str, who: str, found: Any) -> None:
    names = {"N": "Наталья Иванова", "J": "José Müller", "K": "김민수"}
    assert found(query) == {names[letter] for letter in who}


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    "query", ["role:villain", "segment:nowhere", "followers:many", "a NEAR/3 b", "(a", "has:luck", "since:soon"]
)
def test_a_query_that_cannot_be_read_says_where(query: str, found: Any) -> None:
    with pytest.raises(QueryError):
        found(query)


@pytest.mark.usefixtures("people")
def test_segments_are_kept_and_name_one_another_but_not_themselves(
    workspace: Any, found: Any, alice: Any, now: Any
) -> None:
    press = actions.create_segment(workspace, name="The Press", query="role:press", by=alice, now=now)
    actions.create_segment(workspace, name="Others", query="NOT segment:the-press", by=alice, now=now)
    assert found("segment:others") == {"José Müller", "김민수"}
    with pytest.raises(actions.Refused, match="ask itself"):
        actions.change_segment(press, name="The Press", query="segment:others", by=alice, now=now)
    with pytest.raises(actions.Refused):
        actions.create_segment(workspace, name="The press", query="role:press", by=alice, now=now)


def test_only_the_newest_word_on_a_purpose_counts_as_consent(person: Any, found: Any, alice: Any, now: Any) -> None:
    ann, bea = person("Ann"), person("Bea")
    for who, agreed in ((ann, True), (ann, False), (bea, True)):
        actions.note_consent(who, purpose="newsletter", given=agreed, proof="mail", by=alice, now=now)
    assert found("consent:newsletter") == {"Bea"}


def test_what_rules_compare_is_told_for_each_known_account(
    workspace: Any, people: Any, account: Any, alice: Any, now: Any
) -> None:
    actions.create_segment(workspace, name="Press", query="role:press", by=alice, now=now)
    account("a9", handle="nobody")
    asked = [("mastodon", "a1"), ("bluesky", "a2"), ("mastodon", "a9"), ("mastodon", "unknown")]
    facts = selectors.desk_facts(workspace, asked, now=now)
    assert facts["mastodon", "a1"].person == facts["bluesky", "a2"].person == people["natalia"].pk
    assert facts["mastodon", "a1"].segments == ("press",) and facts["bluesky", "a2"].roles == ("press",)
    assert facts["mastodon", "a9"].person is None and len(facts) == 3


def test_every_field_of_the_table_can_be_asked(workspace: Any, now: Any) -> None:
    from talkworthy.people.segments import people_query

    for name, spec in PEOPLE.items():
        value = spec.choices[0] if spec.choices else {"number": ">=1", "time": "7d"}.get(spec.takes.value, "12")
        if name != "segment":
            list(Person.objects.filter(people_query(workspace, f"{name}:{value}", now=now)))


@given(st.text("ab*?", max_size=8), st.text("ab", max_size=12))
def test_wildcards_stand_for_letters(pattern: str, value: str) -> None:
    assert (re.search(wildcards(pattern), value) is not None) == fnmatchcase(value, pattern)


def test_many_wildcards_are_looked_for_at_once() -> None:
    began = time.process_time()
    assert re.search(wildcards("*a" * 12 + "*b"), "a" * 2000) is None
    assert time.process_time() - began < 1
