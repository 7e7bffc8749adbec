"""Which calls are let through, and how the others are refused."""

from datetime import timedelta

import pytest
from django.utils import timezone

from talkworthy.workspaces.actions import change_role, remove_member, revoke_token
from talkworthy.workspaces.models import Member, Token, User

pytestmark = pytest.mark.django_db


def refused(answer, status, code):
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    told = answer.json()
    assert (told["status"], told["code"]) == (status, code)
    assert told["detail"]
    return told


def test_a_token_says_whom_it_speaks_for(program_of, bob):
    told = program_of(bob, "posts:read")("GET", "/me").json()
    assert (told["slug"], told["role"], told["scopes"]) == ("acme", "analyst", ["posts:read"])


def test_a_call_without_a_token_is_refused(nobody, workspace):
    answer = nobody("GET", "/posts")
    refused(answer, 401, "not-signed-in")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_browser_that_is_signed_in_is_refused_without_a_token(client_of, bob, workspace):
    refused(client_of(bob).get("/api/posts"), 401, "not-signed-in")


def test_a_token_that_nobody_made_is_refused(workspace):
    from django.test import Client

    answer = Client().get("/api/posts", headers={"Authorization": "Bearer tw_made-up"})
    refused(answer, 401, "not-signed-in")


def test_the_digest_of_a_token_is_no_token(program_of, bob):
    from django.test import Client

    program_of(bob)
    digest = Token.objects.get().digest
    refused(Client().get("/api/me", headers={"Authorization": f"Bearer {digest}"}), 401, "not-signed-in")


def test_a_revoked_token_is_refused(program_of, bob, alice):
    program = program_of(bob)
    revoke_token(Token.objects.get(), by=alice, now=timezone.now())
    refused(program("GET", "/me"), 401, "not-signed-in")


def test_an_expired_token_is_refused(program_of, bob):
    program = program_of(bob)
    Token.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert "expired" in refused(program("GET", "/me"), 401, "not-signed-in")["detail"]


def test_the_token_of_a_removed_member_is_refused(program_of, bob, alice):
    program = program_of(bob)
    remove_member(Member.objects.get(user=bob), by=alice, now=timezone.now())
    refused(program("GET", "/me"), 401, "not-signed-in")


def test_the_token_of_somebody_who_may_not_sign_in_is_refused(program_of, bob):
    program = program_of(bob)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    refused(program("GET", "/me"), 401, "not-signed-in")


def test_a_missing_scope_is_named(program_of, bob):
    answer = program_of(bob, "monitors:read")("GET", "/posts")
    assert refused(answer, 403, "missing-scope")["scope"] == "posts:read"
    assert 'scope="posts:read"' in answer.headers["WWW-Authenticate"]


def test_a_scope_never_allows_more_than_the_member_may_do(program_of, carol):
    refused(program_of(carol)("POST", "/posts", {"uid": "x:y:1", "text": "a"}), 403, "not-allowed")


def test_a_role_that_was_taken_away_is_felt_at_once(program_of, bob, alice):
    program = program_of(bob)
    assert program("POST", "/posts", {"uid": "x:y:1", "text": "a"}).status_code == 202
    change_role(Member.objects.get(user=bob), role="viewer", by=alice, now=timezone.now())
    refused(program("POST", "/posts", {"uid": "x:y:2", "text": "a"}), 403, "not-allowed")


def test_the_last_use_is_written_down_once_a_minute(program_of, bob):
    program = program_of(bob)
    program("GET", "/me")
    first = Token.objects.get().last_used_at
    program("GET", "/me")
    assert Token.objects.get().last_used_at == first
    Token.objects.update(last_used_at=first - timedelta(seconds=61))
    program("GET", "/me")
    assert Token.objects.get().last_used_at >= first


def test_an_address_without_operation_is_told_as_a_problem(nobody):
    refused(nobody("GET", "/no/such/thing"), 404, "not-found")
    refused(nobody("GET", "/"), 404, "not-found")


def test_a_wrong_method_is_told_with_the_right_ones(program_of, bob):
    answer = program_of(bob)("DELETE", "/posts")
    refused(answer, 405, "wrong-method")
    assert set(answer.headers["Allow"].replace(" ", "").split(",")) == {"GET", "POST"}
