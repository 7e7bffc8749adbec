"""Who gets to which page, and what the browser is told about it."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.test import Client, RequestFactory

from talkworthy.web.middleware import policy
from talkworthy.workspaces.models import Member, User, Workspace

pytestmark = pytest.mark.django_db


def test_a_member_sees_the_page(client_of, carol):
    assert client_of(carol).get("/acme/settings/").status_code == 200


def test_a_stranger_is_told_that_nothing_is_there(client_of, dan):
    assert client_of(dan).get("/acme/settings/").status_code == 404


def test_a_stranger_cannot_tell_a_workspace_from_none(client_of, dan, workspace):
    there, not_there = (client_of(dan).get(f"/{slug}/settings/") for slug in (workspace.slug, "no-such-name"))
    assert there.status_code == not_there.status_code == 404
    assert there.content.partition(b"<main")[2] == not_there.content.partition(b"<main")[2]


def test_a_member_of_another_workspace_is_a_stranger_here(client_of, dan, workspace):
    other = Workspace.objects.create(name="Decoy", slug="decoy")
    Member.objects.create(workspace=other, user=dan, role="administrator")
    assert client_of(dan).get("/decoy/settings/").status_code == 200
    assert client_of(dan).get("/acme/settings/").status_code == 404


def test_somebody_who_is_not_signed_in_signs_in_and_comes_back(workspace):
    answer = Client().get("/acme/settings/members/?x=1")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/account/login/?next=/acme/settings/members/%3Fx%3D1"


def test_a_fragment_that_needs_sign_in_takes_the_whole_page_along(workspace):
    asked = {"HX-Request": "true", "HX-Current-URL": "http://testserver/acme/sources/"}
    answer = Client().get("/acme/sources/", headers=asked)
    assert answer.headers["HX-Redirect"] == "/account/login/?next=%2Facme%2Fsources%2F"


def test_a_workspace_whose_name_begins_like_a_machine_path_is_guarded_too(client_of, dan):
    Workspace.objects.create(name="Health food", slug="health-food")
    assert Client().get("/health-food/settings/").status_code == 302
    assert client_of(dan).get("/health-food/settings/").status_code == 404


def test_a_one_time_password_must_be_changed_before_anything_is_seen(client_of, bob):
    User.objects.filter(pk=bob.pk).update(must_change_password=True)
    client = client_of(bob)
    for path in ("/", "/acme/settings/", "/account/profile/", "/account/2fa/"):
        assert client.get(path).headers["Location"] == "/account/password/change/"
    assert client.get("/account/password/change/").status_code == 200


def test_the_policy_lets_no_inline_script_or_style_through(client_of, carol):
    said = client_of(carol).get("/acme/settings/").headers["Content-Security-Policy"]
    assert "unsafe" not in said
    assert "default-src 'none'" in said and "frame-ancestors 'none'" in said
    assert "form-action 'self';" in said


def test_only_sign_in_may_send_its_form_elsewhere():
    assert "form-action 'self' https:" in policy("n", "/account/login/")
    assert "form-action 'self' https:" not in policy("n", "/acme/account/")


def test_every_answer_has_a_nonce_of_its_own(client_of, carol):
    client = client_of(carol)
    first, second = (client.get("/acme/settings/").headers["Content-Security-Policy"] for _time in range(2))
    assert first != second


def test_times_are_told_in_the_zone_of_whoever_asks(client_of, alice):
    User.objects.filter(pk=alice.pk).update(timezone="Asia/Tokyo")
    assert "JST" in client_of(alice).get("/acme/settings/members/").content.decode()


def test_a_zone_that_this_machine_does_not_know_stops_nobody(client_of, alice):
    User.objects.filter(pk=alice.pk).update(timezone="Mars/Olympus")
    assert client_of(alice).get("/acme/settings/").status_code == 200


def test_being_there_is_noted_but_not_at_every_request(client_of, carol, django_assert_max_num_queries):
    client = client_of(carol)
    client.get("/acme/settings/")
    seen = Member.objects.get(user=carol).last_seen_at
    client.get("/acme/settings/")
    assert seen is not None and Member.objects.get(user=carol).last_seen_at == seen


def test_nobody_is_asked_who_they_are_where_machines_call():
    request = RequestFactory().get("/static/x.css")
    request.user = AnonymousUser()
    assert Client().get("/robots.txt").status_code == 200
