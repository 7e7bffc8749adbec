"""Persons, merged and split again."""

from datetime import timedelta
from typing import Any

import pytest

from talkworthy.people import actions, selectors
from talkworthy.people.forgetting import forget
from talkworthy.people.models import Attribute, Identity, NeverMerge, Person, PersonChange, PersonRole
from talkworthy.workspaces.models import Member


def test_a_person_without_a_basis_is_refused(workspace: Any, alice: Any, now: Any) -> None:
    for basis, note in (("", "why"), ("interest", " "), ("whim", "why")):
        with pytest.raises(actions.Refused):
            actions.create_person(
                workspace, name="Ann", basis=basis, basis_note=note, retain_until=now + timedelta(1), by=alice, now=now
            )
    assert Person.objects.count() == 0


def test_a_person_kept_until_yesterday_is_refused(workspace: Any, alice: Any, now: Any) -> None:
    with pytest.raises(actions.Refused):
        actions.create_person(
            workspace,
            name="Ann",
            basis="consent",
            basis_note="Form of 2026-03-01",
            retain_until=now - timedelta(1),
            by=alice,
            now=now,
        )


def test_a_notice_is_due_within_a_month_until_they_were_told(person: Any, alice: Any, now: Any) -> None:
    ann = person("Ann")
    assert ann.notice_due_at == now + timedelta(days=30)
    actions.change_person(ann, notice="told", by=alice, now=now)
    assert (ann.notice_due_at, ann.noticed_at) == (None, now)


def test_each_source_keeps_its_own_row_of_a_thing_that_is_known(person: Any, alice: Any, now: Any) -> None:
    ann = person("Ann", email="ann@example.org")
    actions.add_attribute(ann, name="email", value="ann@example.org", source="crm", by=alice, now=now)
    assert actions.add_attribute(ann, name="email", value="ann@example.org", source="crm", by=alice, now=now) is None
    (email,) = selectors.profile_of(ann).known
    assert set(email.sources) == {"member", "crm"}


def rows() -> dict[str, list[Any]]:
    """Every row of persons, but for what a merge writes by design."""
    return {
        "persons": list(Person.objects.order_by("pk").values("pk", "name", "basis", "retain_until", "organisation")),
        "attributes": list(Attribute.objects.order_by("pk").values()),
        "identities": list(Identity.objects.order_by("pk").values()),
        "roles": list(PersonRole.objects.order_by("pk").values()),
    }


def test_a_merge_and_a_split_leave_every_row_where_it_was(person: Any, account: Any, alice: Any, now: Any) -> None:
    ann = person("Ann", account("a1", handle="ann"), email="ann@example.org", city="Bonn")
    anna = person("Anna", account("a2", "bluesky", handle="anna"), email="anna@example.org", phone="123")
    person("Decoy", account("a3", handle="decoy"), email="decoy@example.org")
    actions.give_role(anna, "customer", source="crm", by=alice, now=now)
    before, history = rows(), set(PersonChange.objects.values_list("pk", flat=True))
    whole = actions.merge_persons(anna, ann, by=alice, now=now)
    profile = selectors.profile_of(whole)
    assert {shown.value for shown in profile.known} == {"ann@example.org", "anna@example.org", "Bonn", "123"}
    assert len(profile.identities) == 2 and [role.role for role in profile.roles] == ["customer"]
    actions.split_person(Person.objects.get(pk=anna.pk), by=alice, now=now)
    assert rows() == before
    assert history <= set(PersonChange.objects.values_list("pk", flat=True))
    assert {shown.value for shown in selectors.profile_of(ann).known} == {"ann@example.org", "Bonn"}


def test_the_middle_of_a_chain_takes_along_what_hangs_on_it(person: Any, alice: Any, now: Any) -> None:
    a, b, c = person("A", email="a@x.org"), person("B", email="b@x.org"), person("C", email="c@x.org")
    actions.merge_persons(a, b, by=alice, now=now)
    actions.merge_persons(b, c, by=alice, now=now)
    assert [part.person.pk for part in selectors.profile_of(c).parts] == [b.pk, a.pk]
    actions.split_person(Person.objects.get(pk=b.pk), by=alice, now=now)
    assert {shown.value for shown in selectors.profile_of(Person.objects.get(pk=b.pk)).known} == {"a@x.org", "b@x.org"}
    assert {shown.value for shown in selectors.profile_of(c).known} == {"c@x.org"}


def test_merging_a_part_merges_the_whole_that_holds_it(person: Any, alice: Any, now: Any) -> None:
    a, b, c = person("A"), person("B"), person("C")
    actions.merge_persons(a, b, by=alice, now=now)
    assert actions.merge_persons(Person.objects.get(pk=a.pk), c, by=alice, now=now).pk == c.pk
    assert set(Person.objects.filter(root=c).values_list("pk", flat=True)) == {a.pk, b.pk}


def test_what_is_one_already_is_not_merged_again(person: Any, alice: Any, now: Any) -> None:
    a, b = person("A"), person("B")
    actions.merge_persons(a, b, by=alice, now=now)
    with pytest.raises(actions.Refused):
        actions.merge_persons(Person.objects.get(pk=b.pk), a, by=alice, now=now)
    with pytest.raises(actions.Refused):
        actions.merge_persons(b, b, by=alice, now=now)


def test_those_who_are_never_one_are_refused_also_through_their_parts_and_accounts(
    workspace: Any, person: Any, account: Any, alice: Any, now: Any
) -> None:
    it = account("a1")
    a, b, c = person("A", it), person("B"), person("C")
    never = actions.keep_apart(workspace, f"identity:{it.pk}", f"person:{c.pk}", why="Twins.", by=alice, now=now)
    actions.merge_persons(a, b, by=alice, now=now)
    with pytest.raises(actions.Refused, match="Twins"):
        actions.merge_persons(b, c, by=alice, now=now)
    actions.allow_merging(never, by=alice, now=now)
    assert actions.merge_persons(b, c, by=alice, now=now) == c


def test_a_split_can_say_never_again(person: Any, alice: Any, now: Any) -> None:
    a, b = person("A"), person("B")
    actions.merge_persons(a, b, by=alice, now=now)
    actions.split_person(Person.objects.get(pk=a.pk), by=alice, now=now, never_again=True)
    assert NeverMerge.objects.count() == 1
    with pytest.raises(actions.Refused):
        actions.merge_persons(a, b, by=alice, now=now)


def test_what_is_written_of_a_part_after_the_merge_goes_with_it(person: Any, alice: Any, now: Any) -> None:
    a, b = person("A"), person("B")
    actions.merge_persons(a, b, by=alice, now=now)
    part = Person.objects.get(pk=a.pk)
    actions.add_attribute(part, name="city", value="Bonn", source="crm", by=alice, now=now)
    assert [shown.value for shown in selectors.profile_of(b).known] == ["Bonn"]
    actions.split_person(part, by=alice, now=now)
    assert selectors.profile_of(b).known == [] and [s.value for s in selectors.profile_of(a).known] == ["Bonn"]


def test_a_removed_person_is_found_no_more_until_restored(workspace: Any, person: Any, alice: Any, now: Any) -> None:
    viewer = Member.objects.get(workspace=workspace, user=alice)
    ann = person("Ann")
    actions.remove_person(ann, by=alice, now=now)
    assert list(selectors.persons(viewer=viewer, now=now)) == []
    actions.restore_person(ann, by=alice, now=now)
    assert list(selectors.persons(viewer=viewer, now=now)) == [ann]


def test_consent_without_proof_is_refused_and_withdrawal_is_a_row_of_its_own(person: Any, alice: Any, now: Any) -> None:
    ann = person("Ann")
    with pytest.raises(actions.Refused):
        actions.note_consent(ann, purpose="newsletter", given=True, proof="", by=alice, now=now)
    for given in (True, False):
        actions.note_consent(ann, purpose="newsletter", given=given, proof="mail", by=alice, now=now)
    assert [consent.given for consent in ann.consents.order_by("pk")] == [True, False]


def test_an_account_that_was_kept_apart_from_a_record_is_not_linked_to_who_is_one_with_it(
    workspace: Any, person: Any, account: Any, alice: Any, now: Any
) -> None:
    part, whole, stranger = person("Ann"), person("Ann B."), account("ann@1")
    actions.merge_persons(part, whole, by=alice, now=now)
    row = actions.keep_apart(
        workspace, actions.key_of(part), actions.key_of(stranger), why="A namesake.", by=alice, now=now
    )
    with pytest.raises(actions.Refused, match="A namesake"):
        actions.link_identity(stranger, whole, by=alice, now=now)
    actions.allow_merging(row, by=alice, now=now)
    actions.link_identity(stranger, whole, by=alice, now=now)
    assert stranger.person == whole


def test_what_somebody_else_changed_meanwhile_stays_and_who_is_gone_stays_gone(
    person: Any, alice: Any, now: Any
) -> None:
    ann, gone = person("Ann"), person("Gone")
    early = Person.objects.get(pk=ann.pk)
    actions.change_person(ann, note="Calls back", by=alice, now=now)
    actions.change_person(early, name="Anna", by=alice, now=now)
    forget(gone.workspace, [gone.pk], ())
    with pytest.raises(actions.Refused, match="not here any more"):
        actions.change_person(gone, name="Back", by=alice, now=now)
    assert list(Person.objects.values_list("name", "note")) == [("Anna", "Calls back")]


def test_the_accounts_of_a_merged_record_are_those_of_the_whole_person(
    person: Any, account: Any, alice: Any, now: Any
) -> None:
    part, whole = person("Ann", account("ann@1")), person("Ann B.", account("ann@2"))
    actions.merge_persons(part, whole, by=alice, now=now)
    part.refresh_from_db()
    assert selectors.accounts_of(part) == selectors.accounts_of(whole) == [("mastodon", "ann@1"), ("mastodon", "ann@2")]
