"""Identities are made by work, never by mentions."""

from datetime import timedelta
from typing import Any

import pytest

from talkworthy.people import actions, selectors
from talkworthy.people.models import Identity, PersonChange
from talkworthy.workspaces.models import AuditEntry


def test_an_account_is_one_identity_however_often_it_is_seen(account: Any, now: Any) -> None:
    first = account("a1", handle="ann", name="Ann", followers=10)
    again = account("a1", handle="ann", name="Ann", followers=12, at=now + timedelta(days=1))
    other = account("a2", handle="bea")
    assert (first.pk == again.pk, other.pk == first.pk, Identity.objects.count()) == (True, False, 2)
    assert (again.followers, again.last_seen_at) == (12, now + timedelta(days=1))


def test_an_account_without_an_id_goes_by_its_handle_and_one_without_either_is_nobody(workspace: Any, now: Any) -> None:
    by_handle = actions.identity_of(workspace, {"handle": "ann"}, "feed", now=now)
    assert by_handle is not None and by_handle.account == "ann"
    assert actions.identity_of(workspace, {"name": "Ann"}, "feed", now=now) is None
    assert actions.identity_of(workspace, None, "feed", now=now) is None


def test_a_new_handle_stays_beside_the_old_one_in_history(account: Any, now: Any) -> None:
    account("a1", handle="ann", name="Ann")
    renamed = account("a1", handle="ann_x", name="Ann", at=now + timedelta(hours=1))
    change = PersonChange.objects.get(identity=renamed, what="rename")
    assert (change.old, change.new) == ({"handle": "ann"}, {"handle": "ann_x"})


def test_an_older_post_that_arrives_late_does_not_undo_what_is_known(account: Any, now: Any) -> None:
    account("a1", handle="new")
    late = account("a1", handle="old", at=now - timedelta(days=3))
    assert late.handle == "new"


def test_what_a_post_does_not_say_is_not_forgotten(account: Any, now: Any) -> None:
    account("a1", handle="ann", bio="Plumber")
    assert account("a1", handle="ann", at=now + timedelta(hours=1)).bio == "Plumber"


@pytest.mark.usefixtures("filled")
def test_mentions_make_no_identities_and_no_persons() -> None:
    assert Identity.objects.count() == 0


def test_an_account_moves_to_another_person_and_both_remember(account: Any, person: Any, alice: Any, now: Any) -> None:
    ann, bea, it = person("Ann"), person("Bea"), account("a1")
    actions.link_identity(it, ann, by=alice, now=now)
    actions.link_identity(it, bea, by=alice, now=now, why="Bea wrote from it")
    assert selectors.accounts_of(bea) == [("mastodon", "a1")] and selectors.accounts_of(ann) == []
    assert ann.changes.filter(what="lose identity").exists() and bea.changes.filter(what="gain identity").exists()


def test_accounts_of_another_workspace_are_refused(
    account: Any, person: Any, elsewhere: Any, alice: Any, now: Any
) -> None:
    strange = person("Dora", workspace=elsewhere)
    with pytest.raises(actions.Refused):
        actions.link_identity(account("a1"), strange, by=alice, now=now)


def test_the_trail_names_persons_by_number_only(person: Any, account: Any) -> None:
    person("Ann Unmistakable", account("a1", name="Ann Unmistakable"), email="ann@example.org")
    written = str(list(AuditEntry.objects.values_list("label", "before", "after", "why")))
    assert "Unmistakable" not in written and "ann@" not in written and "person" in written
