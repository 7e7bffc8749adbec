"""The pages of a workspace's settings, for those who may and those who may not."""

import pytest
from django.utils import timezone

from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.models import AuditEntry, Member, Token, User, Workspace

pytestmark = pytest.mark.django_db
GENERAL = {
    "name": "Acme Ltd",
    "timezone": "Europe/Berlin",
    "retention_days": "365",
    "allow_hosts": "intranet:8080\n10.0.0.5",
}


def trail(workspace, user, number):
    return [
        AuditEntry.objects.create(
            workspace=workspace, by=user, verb="change", noun="monitor", key=str(place), label=f"Monitor {place}"
        )
        for place in range(number)
    ]


def test_an_administrator_changes_the_workspace(client_of, alice, workspace):
    assert client_of(alice).post("/acme/settings/", GENERAL).status_code == 302
    workspace.refresh_from_db()
    assert (workspace.name, workspace.retention_days) == ("Acme Ltd", 365)
    assert workspace.allow_hosts == ["intranet:8080", "10.0.0.5"]


def test_an_analyst_reads_but_does_not_change_it(client_of, bob, workspace):
    assert client_of(bob).get("/acme/settings/").status_code == 200
    assert client_of(bob).post("/acme/settings/", GENERAL).status_code == 403
    workspace.refresh_from_db()
    assert workspace.name == "Acme"


@pytest.mark.parametrize("host", ["http://intranet", "intranet/path", "a b", "*", "intranet:port"])
def test_what_is_no_host_is_refused_with_an_example(client_of, alice, workspace, host):
    answer = client_of(alice).post("/acme/settings/", {**GENERAL, "allow_hosts": host})
    assert answer.status_code == 422 and "without http://" in answer.content.decode()
    assert "Acme Ltd" not in answer.content.decode().partition("<main")[0]


def test_posts_are_kept_for_a_day_at_least(client_of, alice, workspace):
    assert client_of(alice).post("/acme/settings/", {**GENERAL, "retention_days": "0"}).status_code == 422


def test_a_one_time_password_is_shown_once(client_of, alice):
    client = client_of(alice)
    answer = client.post("/acme/settings/members/", {"email": "erin@example.org", "name": "Erin", "role": "agent"})
    password = answer.context["handed_over"].password
    assert password in answer.content.decode() and "no-store" in answer.headers["Cache-Control"]
    assert password not in client.get("/acme/settings/members/").content.decode()
    assert User.objects.get(email="erin@example.org").check_password(password)


@pytest.mark.parametrize("path", ["", "{}/role/", "{}/password/", "{}/remove/"])
def test_only_administrators_manage_members(client_of, bob, carol, path):
    member = Member.objects.get(user=carol)
    address = "/acme/settings/members/" + path.format(member.pk)
    answer = client_of(bob).post(address, {"role": "administrator", "email": "eve@example.org"})
    assert answer.status_code == 403
    assert Member.objects.get(pk=member.pk).role == "viewer"
    assert not User.objects.filter(email="eve@example.org").exists()


def test_a_member_of_another_workspace_is_out_of_reach(client_of, alice, dan):
    other = Workspace.objects.create(name="Decoy", slug="decoy")
    theirs = Member.objects.create(workspace=other, user=dan, role="viewer")
    assert client_of(alice).post(f"/acme/settings/members/{theirs.pk}/remove/").status_code == 404
    assert Member.objects.filter(pk=theirs.pk).exists()


def test_a_viewer_sees_the_members_without_the_means_to_change_them(client_of, carol, alice):
    page = client_of(carol).get("/acme/settings/members/").content.decode()
    assert "alice@example.org" in page and "one-time password" not in page


def test_the_list_of_members_costs_the_same_for_many(client_of, alice, workspace, django_assert_num_queries):
    client = client_of(alice)
    client.get("/acme/settings/members/")
    for place in range(30):
        user = User.objects.create_user(f"m{place}@example.org", name=f"M{place}")
        Member.objects.create(workspace=workspace, user=user, role="viewer")
    with django_assert_num_queries(7):  # session, user, member, members, cases, alerts, other workspaces
        client.get("/acme/settings/members/")


def test_a_token_is_shown_once(client_of, alice):
    client = client_of(alice)
    answer = client.post("/acme/settings/tokens/", {"name": "export", "scopes": ["posts:read"], "expires": ""})
    secret = answer.context["issued"].secret
    assert secret in answer.content.decode()
    again = client.get("/acme/settings/tokens/").content.decode()
    assert secret not in again and Token.objects.get().prefix in again


def test_an_analyst_neither_sees_nor_makes_tokens(client_of, bob):
    assert client_of(bob).get("/acme/settings/tokens/").status_code == 403
    assert client_of(bob).post("/acme/settings/tokens/", {"name": "x", "scopes": ["posts:read"]}).status_code == 403
    assert not Token.objects.exists()


def test_a_day_that_is_over_is_no_day_to_expire_on(client_of, alice):
    answer = client_of(alice).post(
        "/acme/settings/tokens/", {"name": "x", "scopes": ["posts:read"], "expires": "2001-01-01"}
    )
    assert answer.status_code == 422 and not Token.objects.exists()


def test_a_token_of_another_workspace_is_out_of_reach(client_of, alice, dan):
    other = Workspace.objects.create(name="Decoy", slug="decoy")
    member = Member.objects.create(workspace=other, user=dan, role="administrator")
    token = Token.objects.create(workspace=other, member=member, name="decoy", prefix="tw_", digest="d" * 64)
    assert client_of(alice).post(f"/acme/settings/tokens/{token.pk}/revoke/").status_code == 404
    assert "decoy" not in client_of(alice).get("/acme/settings/tokens/").content.decode()


def test_the_trail_is_paged_by_where_one_is(client_of, alice, workspace):
    entries = trail(workspace, alice, 70)
    first = client_of(alice).get("/acme/settings/audit/")
    assert f"before={entries[20].pk}" in first.context["older"]
    second = client_of(alice).get(first.context["older"])
    assert [entry.label for entry in second.context["trail"].entries][:2] == ["Monitor 19", "Monitor 18"]
    assert second.context["older"] == "" and second.context["newest"] == "/acme/settings/audit/?"


def test_the_trail_is_filtered_by_who_what_and_words(client_of, alice, bob, workspace):
    trail(workspace, alice, 3)
    AuditEntry.objects.create(
        workspace=workspace, by=bob, verb="delete", noun="source", key="9", label="Feed", why="gone"
    )
    for asked in ({"verb": "delete"}, {"noun": "source"}, {"by": bob.pk}, {"words": "gone"}, {"words": "feed"}):
        found = client_of(alice).get("/acme/settings/audit/", asked).context["trail"].entries
        assert [entry.label for entry in found] == ["Feed"], asked


def test_the_trail_of_another_workspace_is_another_s(client_of, alice, dan, workspace):
    trail(Workspace.objects.create(name="Decoy", slug="decoy"), dan, 2)
    page = client_of(alice).get("/acme/settings/audit/")
    assert page.context["trail"].entries == [] and "Nothing was changed yet" in page.content.decode()


def test_only_administrators_read_the_trail(client_of, bob):
    assert client_of(bob).get("/acme/settings/audit/").status_code == 403


def test_the_trail_is_a_file_too_and_no_cell_of_it_a_formula(client_of, alice, bob, workspace):
    note_change(workspace, verb="change", thing=workspace, by=alice, now=timezone.now(), why="=1+1")
    note_change(workspace, verb="pause", thing=workspace, by=None, now=timezone.now())
    answer = client_of(alice).get("/acme/settings/audit.csv", {"verb": "change"})
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert lines[0] == "at,by,verb,noun,key,label,why,before,after" and len(lines) == 2
    assert "alice@example.org,change," in lines[1] and ",'=1+1," in lines[1]
    assert client_of(bob).get("/acme/settings/audit.csv").status_code == 403


def test_the_trail_costs_the_same_for_many(client_of, alice, workspace, django_assert_num_queries):
    client = client_of(alice)
    client.get("/acme/settings/audit/")
    trail(workspace, alice, 50)
    with django_assert_num_queries(10):  # the frame's six, entries, verbs, nouns, members
        client.get("/acme/settings/audit/")


def test_a_trail_cannot_be_changed_afterwards(alice, workspace):
    entry = trail(workspace, alice, 1)[0]
    entry.label = "other"
    with pytest.raises(TypeError):
        entry.save()
    with pytest.raises(TypeError):
        entry.delete()
    assert AuditEntry.objects.get().at <= timezone.now()
