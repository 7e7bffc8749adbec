"""A call to our receiving address is acknowledged once its payload is durable, and not before."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import httpx
import pytest
from django.test import Client
from django.utils import timezone

from talkworthy.connectors.http import Http
from talkworthy.listening import actions
from talkworthy.listening.collecting import Listener, fetch_source, keep_page, parse_pending, source_key
from talkworthy.listening.models import Source
from talkworthy.listening.stores import archive_of, payloads_of
from talkworthy.web import receiving

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four b").decode()
POST = {"uid": "shop:example.net:1", "text": "Acme called", "published_at": "2026-03-04T11:30:00Z"}


@pytest.fixture
def hook(filled, alice):
    return actions.create_source(
        filled, connector="webhook", name="Hook", settings={}, secrets={"secret": SECRET}, by=alice, now=NOW
    )


def send(hook, document=POST, *, name="msg_1", secret=SECRET, key=None, client=None):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    at = str(int(timezone.now().timestamp()))
    digest = hmac.new(base64.b64decode(secret[6:]), f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    headers = {
        "webhook-id": name,
        "webhook-timestamp": at,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }
    address = f"/receive/{key or hook.key}/"
    return (client or Client()).post(address, body, content_type="application/json", headers=headers)


def kept(hook):
    return payloads_of(hook.workspace).pending(source_key(hook))


def store(hook):
    parse_pending(hook.workspace, archive=archive_of(hook.workspace))
    Listener(hook.workspace).store_pending(now=timezone.now())


def test_a_signed_call_is_durable_when_it_is_acknowledged(hook):
    assert send(hook).status_code == 202
    [ref] = kept(hook)
    assert json.loads(payloads_of(hook.workspace).load(ref)[0].body) == POST


def test_no_cookie_of_a_form_is_asked_for(hook):
    assert send(hook, client=Client(enforce_csrf_checks=True)).status_code == 202


def test_what_was_received_is_in_the_river_once_it_is_stored(hook, client_of, carol):
    send(hook)
    before = client_of(carol).get("/acme/listen/").content.decode()
    store(hook)
    after = client_of(carol).get("/acme/listen/?period=all").content.decode()
    assert "Acme called" not in before
    assert archive_of(hook.workspace).get(POST["uid"])["source"] == source_key(hook)
    assert "called" in after


def test_the_same_call_again_is_kept_once(hook):
    assert [send(hook).status_code, send(hook).status_code] == [202, 200]
    assert len(kept(hook)) == 1


def test_a_wrong_signature_is_refused_and_nothing_is_kept(hook):
    wrong = "whsec_" + base64.b64encode(b"another secret of 24 byt").decode()
    assert send(hook, secret=wrong).status_code == 401
    assert kept(hook) == []


def test_an_unknown_key_is_not_found(hook):
    assert send(hook, key="x" * 43).status_code == 404
    assert kept(hook) == []


def test_the_address_of_a_deleted_source_is_not_found_and_of_a_paused_one_asks_to_wait(hook, alice):
    actions.pause_source(hook, by=alice, now=NOW)
    assert send(hook).status_code == 503
    actions.delete_source(hook, by=alice, now=NOW)
    assert send(hook).status_code == 404


def test_a_source_that_takes_no_calls_has_no_address(filled):
    feed = Source.objects.get(workspace=filled)
    Source.objects.filter(pk=feed.pk).update(state="healthy")
    assert send(feed).status_code == 404


def test_a_disk_that_takes_nothing_is_said_so_that_the_sender_tries_again(hook, monkeypatch):
    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(receiving, "keep_page", full)
        assert send(hook).status_code == 503
    assert send(hook).status_code == 202
    assert len(kept(hook)) == 1


def test_what_is_too_large_is_refused_before_it_is_read(hook):
    answer = Client().post(
        f"/receive/{hook.key}/", b"{}", content_type="application/json", headers={"content-length": "20000001"}
    )
    assert answer.status_code == 413


def test_a_length_that_is_no_number_is_no_fault_of_ours(hook):
    answer = Client().post(
        f"/receive/{hook.key}/", b"{}", content_type="application/json", headers={"content-length": "many"}
    )
    assert answer.status_code in {400, 401}


def test_a_call_that_cannot_be_read_is_kept_and_set_aside(hook):
    assert send(hook, b"not json").status_code == 202
    store(hook)
    [aside] = payloads_of(hook.workspace).aside(source_key(hook))
    assert aside.payload.body == b"not json" and "not JSON" in aside.reason


def test_the_source_is_well_after_a_call(hook):
    send(hook)
    hook.refresh_from_db()
    assert hook.state == "healthy" and hook.last_fetch_at is not None


def test_a_call_is_put_off_where_the_credentials_cannot_be_read(hook, settings):
    settings.SECRET_KEY = "another key"
    assert send(hook).status_code == 503
    assert kept(hook) == []


def test_a_claim_that_is_told_while_another_is_verified_waits_for_its_turn(filled, alice):
    mentions = actions.create_source(
        filled, connector="webmention", name="Mentions", settings={"sites": ["ours.example"]}, by=alice, now=NOW
    )

    def told(note):
        claim = f"source=https://dan.example/{note}&target=https://ours.example/post"
        answer = Client().post(f"/receive/{mentions.key}/", claim, content_type="application/x-www-form-urlencoded")
        assert answer.status_code == 202

    def answer(_request):
        told("second")
        return httpx.Response(200, content=b"<p>Nothing</p>", headers={"content-type": "text/html"})

    told("first")
    with Http(transport=httpx.MockTransport(answer), resolve=lambda _host, _port: ["93.184.216.34"]) as http:
        fetch_source(mentions, http, now=timezone.now())
    waiting = payloads_of(filled).cursor(source_key(mentions))["pending"]
    assert [claim[0] for claim in waiting] == ["https://dan.example/second"]


def test_a_source_that_is_paused_during_a_call_stays_paused(hook, alice, monkeypatch):
    def pausing(*given, **more):
        actions.pause_source(Source.objects.get(pk=hook.pk), by=alice, now=NOW)
        return keep_page(*given, **more)

    monkeypatch.setattr(receiving, "keep_page", pausing)
    assert send(hook).status_code == 202
    hook.refresh_from_db()
    assert hook.state == "paused"


def test_the_secret_does_not_stand_in_the_desk(hook):
    assert SECRET not in json.dumps(hook.settings) and SECRET.encode() not in bytes(hook.secrets)


def test_health_says_that_the_desk_answers():
    answer = Client().get("/health")
    assert (answer.status_code, answer.json()) == (200, {"desk": "well"})


def test_health_is_bad_where_the_desk_does_not_answer(monkeypatch):
    from django.db import DatabaseError, connection

    def refuse():
        raise DatabaseError("gone")

    monkeypatch.setattr(connection, "cursor", refuse)
    answer = Client().get("/health")
    assert (answer.status_code, answer.json()) == (503, {"desk": "unreachable"})
