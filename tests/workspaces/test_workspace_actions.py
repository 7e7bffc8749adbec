"""What may be done to workspaces, members and tokens, and what is refused."""

from datetime import UTC, datetime, timedelta

import pytest

from talkworthy.workspaces import actions
from talkworthy.workspaces.models import AuditEntry, Member, Token, User, Workspace

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)


def member(user, workspace=None):
    return Member.objects.get(user=user, **({"workspace": workspace} if workspace else {}))


def invited(workspace, alice, email="erin@example.org", role="viewer"):
    return actions.add_member(workspace, email=email, name="Erin", role=role, by=alice, now=NOW)


def test_who_has_no_account_gets_one_with_a_one_time_password(workspace, alice):
    made = invited(workspace, alice, email="Erin@Example.org")
    user = User.objects.get(email="erin@example.org")
    assert made.password is not None and user.check_password(made.password) and user.must_change_password


def test_a_new_account_begins_in_the_time_zone_of_the_workspace(workspace, alice):
    actions.change_workspace(workspace, timezone="Asia/Tokyo", by=alice, now=NOW)
    invited(Workspace.objects.get(pk=workspace.pk), alice)
    assert User.objects.get(email="erin@example.org").timezone == "Asia/Tokyo"


def test_who_has_an_account_keeps_its_password(workspace, alice, dan):
    before = User.objects.get(pk=dan.pk).password
    assert invited(workspace, alice, email="DAN@example.org").password is None
    assert User.objects.get(pk=dan.pk).password == before


def test_nobody_is_a_member_twice(workspace, alice, bob):
    with pytest.raises(actions.Refused, match="member already"):
        invited(workspace, alice, email="bob@example.org")


def test_the_trail_tells_who_was_added_but_not_the_password(workspace, alice):
    made = invited(workspace, alice)
    entry = AuditEntry.objects.get(verb="add")
    assert entry.by == alice and entry.after == {"role": "viewer", "new account": True}
    assert made.password not in str(entry.after)


def test_the_last_administrator_stays_one(workspace, alice, bob):
    with pytest.raises(actions.Refused, match="at least one administrator"):
        actions.change_role(member(alice), role="viewer", by=alice, now=NOW)
    with pytest.raises(actions.Refused, match="at least one administrator"):
        actions.remove_member(member(alice), by=alice, now=NOW)


def test_an_administrator_of_another_workspace_does_not_count_here(workspace, alice, bob):
    other = Workspace.objects.create(name="Decoy", slug="decoy")
    Member.objects.create(workspace=other, user=bob, role="administrator")
    with pytest.raises(actions.Refused):
        actions.remove_member(member(alice), by=alice, now=NOW)


def test_with_a_second_administrator_the_first_may_go(workspace, alice, bob):
    actions.change_role(member(bob), role="administrator", by=alice, now=NOW)
    actions.remove_member(member(alice), by=bob, now=NOW)
    assert not Member.objects.filter(user=alice).exists() and User.objects.filter(pk=alice.pk).exists()


def test_a_role_that_does_not_exist_is_refused(workspace, alice, bob):
    with pytest.raises(actions.Refused, match="none of"):
        actions.change_role(member(bob), role="emperor", by=alice, now=NOW)


def test_a_new_one_time_password_replaces_the_old_one(workspace, alice, bob):
    password = actions.give_one_time_password(member(bob), by=alice, now=NOW)
    bob.refresh_from_db()
    assert bob.check_password(password) and bob.must_change_password


def test_no_password_is_given_for_an_account_that_reaches_further(workspace, alice, bob):
    other = Workspace.objects.create(name="Theirs", slug="theirs")
    Member.objects.create(workspace=other, user=bob, role="viewer")
    before = User.objects.get(pk=bob.pk).password
    with pytest.raises(actions.Refused, match="do not administer"):
        actions.give_one_time_password(member(bob, workspace), by=alice, now=NOW)
    assert User.objects.get(pk=bob.pk).password == before


def test_one_time_passwords_differ_and_are_long():
    made = {actions.one_time_password() for _time in range(200)}
    assert len(made) == 200 and {len(password) for password in made} == {19}


def test_only_the_hash_of_a_token_is_kept(workspace, alice):
    issued = actions.create_token(member(alice), name="t", scopes=["posts:read"], expires_at=None, by=alice, now=NOW)
    kept = Token.objects.get()
    assert kept.digest == actions.digest_of(issued.secret) and issued.secret.startswith(kept.prefix)
    assert issued.secret not in str(list(Token.objects.values())) + str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize("scopes", [[], ["posts:read", "everything"]])
def test_a_token_needs_scopes_that_exist(workspace, alice, scopes):
    with pytest.raises(actions.Refused, match="at least one scope"):
        actions.create_token(member(alice), name="t", scopes=scopes, expires_at=None, by=alice, now=NOW)


def test_a_token_cannot_have_expired_before_it_is_made(workspace, alice):
    with pytest.raises(actions.Refused, match="expired"):
        yesterday = NOW - timedelta(days=1)
        actions.create_token(member(alice), name="t", scopes=["posts:read"], expires_at=yesterday, by=alice, now=NOW)


def test_revoking_twice_is_revoking_once(workspace, alice):
    token = actions.create_token(
        member(alice), name="t", scopes=["posts:read"], expires_at=None, by=alice, now=NOW
    ).token
    actions.revoke_token(token, by=alice, now=NOW)
    actions.revoke_token(token, by=alice, now=NOW + timedelta(days=1))
    assert Token.objects.get().revoked_at == NOW and AuditEntry.objects.filter(verb="revoke").count() == 1


@pytest.mark.parametrize(
    ("name", "slug"), [("Acme", "acme-2"), ("API", "api-2"), ("東京", "workspace"), ("New!", "new-2")]
)
def test_a_workspace_takes_no_address_that_is_taken(workspace, alice, name, slug):
    assert actions.create_workspace(name=name, by=alice, now=NOW).slug == slug


def test_whoever_makes_a_workspace_is_its_administrator(workspace, alice):
    made = actions.create_workspace(name="Second", by=alice, now=NOW)
    assert member(alice, made).role == "administrator"


def test_an_analyst_makes_no_workspace(workspace, alice, bob):
    with pytest.raises(actions.Refused):
        actions.create_workspace(name="Second", by=bob, now=NOW)


def test_a_change_says_what_was_and_what_is(workspace, alice):
    actions.change_workspace(workspace, name="Acme Ltd", retention_days=90, by=alice, now=NOW)
    entry = AuditEntry.objects.get()
    assert (entry.before, entry.after) == (
        {"name": "Acme", "retention_days": None},
        {"name": "Acme Ltd", "retention_days": 90},
    )


def test_a_change_of_nothing_leaves_no_row(workspace, alice):
    actions.change_workspace(workspace, name="Acme", by=alice, now=NOW)
    assert not AuditEntry.objects.exists()
