"""What is kept of somebody is handed out and removed as a whole."""

import json
from typing import Any

from talkworthy.hooks.manager import call
from talkworthy.people import actions
from talkworthy.people.models import Attribute, Identity, LinkSuggestion, NeverMerge, Person, PersonChange


def told_by_all(name: str, **asked: Any) -> dict[str, Any]:
    """What every room answers, put together."""
    return {table: rows for answer in call(name, **asked) for table, rows in answer.items()}


def test_an_account_that_is_erased_takes_along_a_person_of_whom_nothing_else_is_known(
    workspace: Any, person: Any, account: Any, now: Any
) -> None:
    ann, decoy = account("a1", handle="ann"), account("a2", handle="decoy")
    person("Ann", ann)
    person("Decoy", decoy)
    told = told_by_all("data_forgotten", workspace=workspace, uids=[], authors=[("mastodon", "a1")], now=now)
    assert (told["people.Identity"], told["people.Person"]) == (1, 1) and told["people.PersonChange"] >= 3
    assert list(Person.objects.values_list("name", flat=True)) == ["Decoy"]
    assert list(Identity.objects.values_list("account", flat=True)) == ["a2"]
    assert not PersonChange.objects.exclude(identity=decoy).exclude(person__name="Decoy").exists()
    again = told_by_all("data_forgotten", workspace=workspace, uids=[], authors=[("mastodon", "a1")], now=now)
    assert not any(again.values())


def test_of_whom_others_told_the_person_stays_and_is_found_by_the_handle_no_more(
    workspace: Any, person: Any, account: Any, now: Any
) -> None:
    ann = person("Ann", account("a1", handle="secrethandle"), email="ann@example.org")
    call("data_forgotten", workspace=workspace, uids=[], authors=[("mastodon", "a1")], now=now)
    ann.refresh_from_db()
    assert Identity.objects.count() == 0 and Attribute.objects.count() == 1 and "secrethandle" not in ann.words


def test_accounts_of_the_same_name_elsewhere_are_not_touched(
    workspace: Any, elsewhere: Any, account: Any, now: Any
) -> None:
    account("a1")
    actions.identity_of(elsewhere, {"id": "a1"}, "mastodon", now=now)
    actions.identity_of(workspace, {"id": "a1"}, "bluesky", now=now)
    call("data_forgotten", workspace=workspace, uids=[], authors=[("mastodon", "a1")], now=now)
    left = list(Identity.objects.order_by("pk").values_list("workspace__slug", "channel"))
    assert left == [("elsewhere", "mastodon"), ("acme", "bluesky")]


def test_suggestions_and_never_merge_rows_go_with_those_they_name(
    workspace: Any, account: Any, alice: Any, now: Any
) -> None:
    one, two, three = account("a1"), account("a2"), account("a3")
    pairs = [actions.ordered(actions.key_of(one), actions.key_of(two)), actions.ordered("identity:7777", "person:1")]
    for left, right in pairs:
        LinkSuggestion.objects.create(workspace=workspace, left=left, right=right, probability=0.9, model="m")
    actions.keep_apart(workspace, actions.key_of(one), actions.key_of(three), why="", by=alice, now=now)
    call("data_forgotten", workspace=workspace, uids=[], authors=[("mastodon", "a1")], now=now)
    assert LinkSuggestion.objects.count() == 1 and NeverMerge.objects.count() == 0


def test_an_export_holds_every_row_of_every_record_that_is_one_with_the_person(
    workspace: Any, person: Any, account: Any, alice: Any, now: Any
) -> None:
    ann = person("Ann", account("a1"), email="ann@example.org")
    other = person("A. Other", city="Bonn")
    person("Decoy", account("a2"), email="decoy@example.org")
    actions.merge_persons(other, ann, by=alice, now=now)
    told = told_by_all("data_exported", workspace=workspace, uids=[], authors=[("mastodon", "a1")])
    written = json.dumps(told)
    assert "ann@example.org" in written and "Bonn" in written and "A. Other" in written and "ecoy" not in written
    assert {"people.Person", "people.Identity", "people.Attribute", "people.PersonChange"} <= told.keys()


def test_a_workspace_goes_with_its_merged_persons(workspace: Any, person: Any, alice: Any, now: Any) -> None:
    a, b, c = person("A"), person("B"), person("C")
    actions.merge_persons(a, b, by=alice, now=now)
    actions.merge_persons(b, c, by=alice, now=now)
    Person.objects.filter(workspace=workspace).delete()
    assert Person.objects.count() == 0


def test_forgetting_a_part_alone_leaves_the_others_whole(workspace: Any, person: Any, alice: Any, now: Any) -> None:
    from talkworthy.people.forgetting import forget

    a, b, c = person("A"), person("B"), person("C")
    actions.merge_persons(a, b, by=alice, now=now)
    actions.merge_persons(b, c, by=alice, now=now)
    forget(workspace, [b.pk], [])
    assert sorted(Person.objects.values_list("name", flat=True)) == ["A", "C"]
