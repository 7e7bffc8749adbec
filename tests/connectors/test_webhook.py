"""Signed webhooks: who is believed, and what is read."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from talkworthy.connectors.contract import Parsed, Request
from talkworthy.connectors.errors import Malformed
from talkworthy.connectors.http import Http
from talkworthy.connectors.payload import Payload
from talkworthy.connectors.webhook import connector, pointed

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
SECRET = "whsec_" + base64.b64encode(b"a secret of twenty-four b").decode()
STANDARD = {"secret": SECRET, "signature": "standard"}
PLAIN = {"secret": "a long and random text", "signature": "hmac", "header": "X-Sign"}
BODY = b'{"uid": "a:b:1", "text": "hi", "published_at": "2026-01-15T12:00:00Z"}'


def call(body: bytes = BODY, *, method: str = "POST", at: datetime = NOON, **headers: str) -> Request:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method=method, path="/", query={}, headers=given, body=body, received_at=at)


def standard(body: bytes = BODY, *, name: str = "msg_1", sent: datetime = NOON, secret: str = SECRET) -> dict[str, str]:
    at = str(int(sent.timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    signature = "v1,bm9uZQ== v1," + base64.b64encode(digest).decode()
    return {"webhook_id": name, "webhook_timestamp": at, "webhook_signature": signature}


def parsed(document: Any, **settings: Any) -> Parsed:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return connector.parse(Payload(body=body, fetched_at=NOON), {**STANDARD, **settings})


def test_the_worked_example_of_the_specification_is_accepted() -> None:
    at = datetime.fromtimestamp(1_614_265_330, UTC)
    request = call(
        b'{"test": 2432232314}',
        at=at,
        webhook_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        webhook_timestamp="1614265330",
        webhook_signature="v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    )
    assert connector.receive(request, {"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, None).status == 202


def test_a_signed_call_is_kept_and_its_double_is_not() -> None:
    first = connector.receive(call(**standard()), STANDARD, None)
    again = connector.receive(call(**standard()), STANDARD, first.cursor)
    other = connector.receive(call(**standard(name="msg_2")), STANDARD, first.cursor)
    assert [(answer.status, len(answer.payloads)) for answer in (first, again, other)] == [(202, 1), (200, 0), (202, 1)]
    assert SECRET not in json.dumps(first.cursor)


@pytest.mark.parametrize("minutes", [-6, 6])
def test_an_old_call_and_one_from_the_future_are_refused(minutes: int) -> None:
    headers = standard(sent=NOON + timedelta(minutes=minutes))
    assert connector.receive(call(**headers), STANDARD, None).status == 401


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook_signature": ""},
        {"webhook_signature": "v1,"},
        {"webhook_signature": "v1,ü"},
        {"webhook_signature": "v2," + standard()["webhook_signature"].rsplit(",", 1)[1]},
        {"webhook_id": "msg_2"},
        {"webhook_timestamp": str(int(NOON.timestamp()) + 1)},
        {"webhook_timestamp": "now"},
    ],
)
def test_a_call_that_was_changed_is_refused(changed: dict[str, str]) -> None:
    assert connector.receive(call(**{**standard(), **changed}), STANDARD, None).status == 401


def test_a_call_with_another_body_or_another_secret_is_refused() -> None:
    assert connector.receive(call(b"{}", **standard()), STANDARD, None).status == 401
    other = "whsec_" + base64.b64encode(b"another secret altogether").decode()
    assert connector.receive(call(**standard(secret=other)), STANDARD, None).status == 401


@pytest.mark.parametrize("secret", ["", "short", None])
def test_without_a_good_secret_nobody_is_believed(secret: str | None) -> None:
    sign = hmac.new((secret or "").encode(), BODY, hashlib.sha256).hexdigest()
    assert connector.receive(call(x_sign=sign), {**PLAIN, "secret": secret}, None).status == 401


def test_a_plain_hmac_is_read_in_its_usual_spellings() -> None:
    digest = hmac.new(PLAIN["secret"].encode(), BODY, hashlib.sha256).digest()
    for given in (digest.hex(), digest.hex().upper(), f"sha256={digest.hex()}", base64.b64encode(digest).decode()):
        assert connector.receive(call(x_sign=given), PLAIN, None).status == 202
    assert connector.receive(call(x_sign=digest.hex()[:-1] + "0"), PLAIN, None).status == 401
    assert connector.receive(call(x_hub_signature_256=digest.hex()), PLAIN, None).status == 401


def test_a_call_too_large_or_empty_is_refused() -> None:
    large = b" " * 10_000_001
    assert connector.receive(call(large, **standard(large)), STANDARD, None).status == 413
    assert connector.receive(call(b"", **standard(b"")), STANDARD, None).status == 400


def test_our_posts_are_read_in_each_wrapping() -> None:
    post = json.loads(BODY)
    for body in (post, [post], {"posts": [post]}, BODY + b"\n" + BODY):
        assert parsed(body).posts.column("uid").to_pylist()[0] == "a:b:1"


def test_foreign_ids_become_ours_and_so_do_those_they_answer() -> None:
    (post,) = parsed(
        [{"uid": "7", "text": "x", "published_at": "2026-01-15", "in_reply_to": "6"}], origin="shop"
    ).posts.to_pylist()
    assert (post["uid"], post["in_reply_to"], post["native_id"]) == ("webhook:shop:7", "webhook:shop:6", "7")


def test_deletions_are_told_by_uid() -> None:
    stones = parsed(
        {"deleted": ["a:b:1", {"uid": "7", "deleted_at": "2026-01-14T00:00:00Z"}, None]}, origin="shop"
    ).tombstones
    assert [stone["uid"] for stone in stones.to_pylist()] == ["a:b:1", "webhook:shop:7"]


def test_html_from_a_sender_is_made_safe() -> None:
    (post,) = parsed([{**json.loads(BODY), "html": "<p>x<script>bad()</script></p>"}]).posts.to_pylist()
    assert post["html"] == "<p>x</p>"


def test_activitystreams_are_read() -> None:
    note = {
        "@context": "https://www.w3.org/ns/activitystreams",
        "id": "https://x.example/1",
        "type": "Note",
        "content": "hi",
    }
    assert parsed(note).posts.column("text").to_pylist() == ["hi"]


TICKETS = {
    "data": {
        "tickets": [
            {"no": 7, "said": "<p>Help &amp; advice</p>", "by": {"n/m": "Dan"}, "at": 1768478400},
            3,
            {"said": "x"},
        ]
    }
}
FIELDS = "native_id = /no\nhtml = /said\nauthor.name = /by/n~1m\npublished_at = /at"


def test_json_in_the_senders_words_is_read_by_pointers() -> None:
    found = parsed(TICKETS, items="/data/tickets", fields=FIELDS, origin="desk")
    posts = found.posts.to_pylist()
    assert (posts[0]["uid"], posts[0]["text"], posts[0]["author"]["name"]) == ("webhook:desk:7", "Help & advice", "Dan")
    assert posts[0]["published_at"] == NOON
    assert (len(posts), [piece.fragment for piece in found.aside]) == (2, [b"3"])


def test_a_pointer_that_leads_nowhere_is_malformed() -> None:
    with pytest.raises(Malformed, match="nothing at"):
        parsed(TICKETS, items="/data/nothing", fields=FIELDS)


def test_json_that_nobody_explained_is_malformed() -> None:
    for document in ({"hello": 1}, [1, 2], "text", b"no json"):
        with pytest.raises(Malformed):
            parsed(document)


@pytest.mark.parametrize(("pointer", "found"), [("", {"a": [{"b/c": 1}]}), ("/a/0/b~1c", 1)])
def test_pointers_lead_as_the_standard_says(pointer: str, found: Any) -> None:
    assert pointed({"a": [{"b/c": 1}]}, pointer) == found


@pytest.mark.parametrize("pointer", ["/a/1", "/a/-", "/a/-1", "/a/0/b~1c/d", "/x", "/a/²"])
def test_pointers_that_lead_nowhere_say_so(pointer: str) -> None:
    with pytest.raises(LookupError):
        pointed({"a": [{"b/c": 1}]}, pointer)


def test_the_connection_test_asks_for_a_longer_secret() -> None:
    assert not connector.check(Http(), {"secret": "short"}, now=NOON).ok
    assert connector.check(Http(), STANDARD, now=NOON).ok
