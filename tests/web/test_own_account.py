"""One's own account: sign-in, the first password, profile, second factor."""

import pytest
from django.test import Client

from talkworthy.workspaces.models import Member, User

pytestmark = pytest.mark.django_db
NEW = "eleven purple umbrellas"


@pytest.fixture
def newcomer(bob):
    bob.set_password("abcd-efgh-jkmn-pqrs")
    bob.must_change_password = True
    bob.save()
    return bob


def change(client, old, new):
    return client.post("/account/password/change/", {"oldpassword": old, "password1": new, "password2": new})


def test_with_address_and_password_one_is_in(bob):
    bob.set_password(NEW)
    bob.save()
    answer = Client().post("/account/login/", {"login": "BOB@example.org", "password": NEW})
    assert answer.status_code == 302 and answer.headers["Location"] == "/"


def test_with_a_wrong_password_one_is_not_in(bob):
    answer = Client().post("/account/login/", {"login": "bob@example.org", "password": "wrong"})
    assert answer.status_code == 200 and "_auth_user_id" not in answer.wsgi_request.session


def test_a_password_of_one_s_own_opens_the_workspace(client_of, newcomer):
    client = client_of(newcomer)
    assert change(client, "abcd-efgh-jkmn-pqrs", NEW).status_code == 302
    assert not User.objects.get(pk=newcomer.pk).must_change_password
    assert client.get("/acme/settings/").status_code == 200


def test_the_one_time_password_is_no_password_of_one_s_own(client_of, newcomer):
    answer = change(client_of(newcomer), "abcd-efgh-jkmn-pqrs", "abcd-efgh-jkmn-pqrs")
    assert b"one-time password. Choose another" in answer.content
    assert User.objects.get(pk=newcomer.pk).must_change_password


def test_labels_of_the_account_stand_in_a_sentence_s_case_and_once(client_of, newcomer):
    page = client_of(newcomer).get("/account/password/change/").content.decode()
    assert "The one-time password" in page and "New password, once more" in page
    assert "Current Password" not in page and "placeholder=" not in page


def test_who_has_chosen_a_password_comes_to_the_workspace(client_of, newcomer):
    answer = change(client_of(newcomer), "abcd-efgh-jkmn-pqrs", NEW)
    assert answer.headers["Location"] == "/"


def test_a_wrong_password_is_told_with_what_to_do(bob):
    answer = Client().post("/account/login/", {"login": "bob@example.org", "password": "wrong"})
    assert b"do not belong together" in answer.content and b"bob@example.org" in answer.content


def test_nobody_makes_an_account_for_themselves(db):
    answer = Client().post("/account/signup/", {"email": "eve@example.org", "password1": NEW})
    assert not User.objects.filter(email="eve@example.org").exists() and answer.status_code == 200


def test_whether_an_address_has_an_account_is_not_told(bob, mailoutbox):
    known = Client().post("/account/password/reset/", {"email": "bob@example.org"})
    unknown = Client().post("/account/password/reset/", {"email": "nobody@example.org"})
    assert known.headers["Location"] == unknown.headers["Location"]


def test_name_zone_and_theme_are_one_s_own_choice(client_of, bob):
    client_of(bob).post("/account/profile/", {"name": "Bobby", "timezone": "Europe/Berlin", "theme": "dark"})
    bob.refresh_from_db()
    assert (bob.name, bob.timezone, bob.theme) == ("Bobby", "Europe/Berlin", "dark")


def test_a_zone_that_does_not_exist_is_refused(client_of, bob):
    answer = client_of(bob).post("/account/profile/", {"name": "B", "timezone": "Mars/Olympus", "theme": "dark"})
    assert answer.status_code == 422


def test_the_browser_s_zone_is_taken_where_none_was_chosen(client_of, bob):
    assert client_of(bob).post("/account/timezone/", {"timezone": "Asia/Tokyo"}).status_code == 204
    bob.refresh_from_db()
    assert bob.timezone == "Asia/Tokyo"


def test_the_browser_s_zone_changes_no_zone_that_was_chosen(client_of, bob):
    User.objects.filter(pk=bob.pk).update(timezone="Europe/Berlin")
    client_of(bob).post("/account/timezone/", {"timezone": "Asia/Tokyo"})
    bob.refresh_from_db()
    assert bob.timezone == "Europe/Berlin"


def test_the_second_factor_begins_with_the_password_once_more(client_of, bob):
    answer = client_of(bob).get("/account/2fa/totp/activate/")
    assert answer.status_code == 302 and answer.headers["Location"].startswith("/account/reauthenticate/")


def test_somebody_without_a_workspace_is_told_what_to_do(client_of, dan):
    Member.objects.filter(user=dan).delete()
    answer = client_of(dan).get("/")
    assert b"Ask an administrator to add this address" in answer.content


def test_only_an_administrator_makes_another_workspace(client_of, alice, bob):
    assert client_of(bob).post("/workspaces/new/", {"name": "Mine"}).status_code == 403
    assert client_of(alice).post("/workspaces/new/", {"name": "Mine"}).headers["Location"] == "/mine/follow/"


def test_home_leads_to_the_workspace(client_of, carol):
    assert client_of(carol).get("/").headers["Location"] == "/acme/listen/mentions/"
