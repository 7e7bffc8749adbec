"""What every connector keeps to, whoever wrote it. Parametrised over the registry."""

import gzip
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from talkworthy.connectors.contract import (
    Capabilities,
    Connector,
    Kind,
    Outgoing,
    Page,
    Parsed,
    Receiving,
    Request,
    Sending,
    SendingLimits,
    Sent,
    Setting,
    Streaming,
    Subscribing,
)
from talkworthy.connectors.errors import AskForCredentials, ConnectorError, GiveUp, Malformed
from talkworthy.connectors.http import Http
from talkworthy.connectors.payload import Payload
from talkworthy.connectors.registry import connectors, own_connectors
from talkworthy.schema import KINDS, OBSERVATION, POST, TOMBSTONE

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[2]
OWN = own_connectors()
RECEIVING = {name: found for name, found in OWN.items() if isinstance(found, Receiving)}

RSS = b"<rss><channel><item><title>%s</title></item></channel></rss>"
HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "a blank": b" ",
    "null": b"null",
    "a number": b"1e999",
    "a string": b'"text"',
    "an empty list": b"[]",
    "an empty object": b"{}",
    "a list of odd things": b'[null, 1, "a", [], {}, true, {"id": null}, {"id": {}}, {"id": []}]',
    "odd values": json.dumps(
        {name: {} for name in ("id", "items", "data", "posts", "account", "created_at", "text")}
    ).encode(),
    "lists where objects are due": b'{"id": [], "items": {}, "account": [], "created_at": [], "url": {}}',
    "truncated JSON": b'{"items": [{"id": 1, "content": "half a sen',
    "truncated XML": b"<?xml version='1.0'?><rss><channel><item><title>half",
    "deep JSON": b"[" * 50_000,
    "deep objects": b'{"a":' * 50_000,
    "deep XML": b"<a>" * 20_000,
    "entities that grow": b'<!DOCTYPE r [<!ENTITY a "aaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>' + RSS % b"&b;",
    "an entity that reads a file": b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + RSS % b"&x;",
    "random bytes": bytes(range(256)) * 64,
    "zeros": bytes(10_000),
    "UTF-16": '{"items": [{"id": "1", "text": "täglich"}]}'.encode("utf-16"),
    "Latin-1": '{"id": 1, "text": "täglich"}'.encode("latin-1"),
    "a mark of the byte order": b"\xef\xbb\xbf[]",
    "lone surrogates": rb'[{"id": "\ud800", "text": "\udfff", "content": "\ud83d", "created_at": "2026-01-01"}]',
    "zero characters": rb'[{"id": "a\u0000b", "text": "\u0000", "content": "\u0000"}]',
    "huge numbers": b'[{"id": 123456789012345678901234567890, "score": 1e400, "created_utc": 1e300}]',
    "a year out of range": b'[{"id": "1", "created_at": "99999-01-01", "published": "0000-00-00", "text": "x"}]',
    "a page of HTML": b"<!doctype html><html><head><title>503</title></head><body>Sorry</body></html>",
    "packed": gzip.compress(b"{}"),
    "a long line": b"x" * 2_000_000,
    "many lines": b"{}\n" * 5_000,
}


def payload(body: bytes, content_type: str = "application/json", **meta: Any) -> Payload:
    return Payload(body=body, content_type=content_type, url="https://example.org/x", fetched_at=NOON, meta=meta)


def defaults(connector: Connector) -> dict[str, Any]:
    return {setting.name: setting.default for setting in connector.settings if setting.default is not None}


@pytest.fixture(params=sorted(OWN), ids=str)
def channel(request: pytest.FixtureRequest) -> Connector:
    return OWN[request.param]


def test_the_registry_finds_every_file_that_ends_with_a_connector() -> None:
    folder = ROOT / "src/talkworthy/connectors"
    files = {file.stem for file in folder.glob("*.py") if re.search(r"^connector\b.*=", file.read_text(), re.MULTILINE)}
    assert files == {type(found).__module__.rsplit(".", 1)[1] for found in OWN.values()}
    assert set(OWN) <= set(connectors())


def test_a_name_is_lower_case_and_holds_no_colon(channel: Connector) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", channel.name)


def test_title_and_one_sentence_are_there(channel: Connector) -> None:
    assert channel.title
    assert channel.about.endswith(".")


def test_settings_are_named_once_and_explained(channel: Connector) -> None:
    names = [setting.name for setting in channel.settings]
    assert len(names) == len(set(names))
    for setting in channel.settings:
        assert isinstance(setting, Setting)
        assert isinstance(setting.kind, Kind)
        assert re.fullmatch(r"[a-z][a-z0-9_]*", setting.name), setting.name
        assert setting.label, setting.name
        assert setting.help or setting.kind is Kind.FLAG, f"{setting.name} has no help"
        assert bool(setting.choices) == (setting.kind is Kind.CHOICE), setting.name
        if setting.choices and setting.default is not None:
            assert setting.default in [choice for choice, _ in setting.choices], setting.name


def test_secrets_are_declared_as_secrets(channel: Connector) -> None:
    for setting in channel.settings:
        if re.search(r"password|secret|token$|api_key", setting.name) and setting.kind is not Kind.FLAG:
            assert setting.kind is Kind.SECRET, setting.name


def test_a_secret_has_no_default(channel: Connector) -> None:
    assert not [setting.name for setting in channel.settings if setting.kind is Kind.SECRET and setting.default]


def test_capabilities_agree_with_the_methods(channel: Connector) -> None:
    assert isinstance(channel.capabilities, Capabilities)
    assert channel.capabilities.stream == isinstance(channel, Streaming)
    assert channel.capabilities.receive == isinstance(channel, Receiving)
    assert channel.capabilities.send == isinstance(channel, Sending)
    assert not isinstance(channel, Subscribing) or channel.capabilities.receive


def test_limits_are_sentences(channel: Connector) -> None:
    assert channel.capabilities.limits, "no channel is without limits"
    for limit in channel.capabilities.limits:
        assert limit[0].isupper() or not limit[0].isalpha(), limit
        assert limit.endswith("."), limit


def test_the_instance_holds_no_state(channel: Connector) -> None:
    assert vars(channel) == {} if hasattr(channel, "__dict__") else True


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("content_type", ["application/json", "text/html; charset=utf-8", "application/octet-stream"])
def test_a_hostile_payload_is_read_or_refused_and_nothing_else(
    channel: Connector, body: bytes, content_type: str
) -> None:
    try:
        parsed = channel.parse(payload(body, content_type), defaults(channel))
    except Malformed as refusal:
        assert str(refusal)
        return
    assert_exact(parsed)


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_reading_twice_gives_the_same(channel: Connector, body: bytes) -> None:
    assert reading(channel, body) == reading(channel, body)


def reading(channel: Connector, body: bytes) -> object:
    try:
        parsed = channel.parse(payload(body), defaults(channel))
    except Malformed as refusal:
        return str(refusal)
    return parsed.posts.to_pylist(), parsed.observations.to_pylist(), parsed.tombstones.to_pylist(), parsed.aside


def assert_exact(parsed: Parsed) -> None:
    assert parsed.posts.schema.equals(POST)
    assert parsed.observations.schema.equals(OBSERVATION)
    assert parsed.tombstones.schema.equals(TOMBSTONE)
    for table in (parsed.posts, parsed.observations, parsed.tombstones):
        table.validate(full=True)
        for name in (field.name for field in table.schema if not field.nullable):
            assert table.column(name).null_count == 0, name
    for post in parsed.posts.to_pylist():
        assert post["uid"].startswith(f"{post['channel']}:")
        assert post["kind"] in KINDS
    assert all(piece.reason for piece in parsed.aside)


class Silent(httpx.BaseTransport):
    """Answers everything with one reply, and counts."""

    def __init__(self, reply: httpx.Response) -> None:
        self.reply = reply
        self.asked = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        return httpx.Response(self.reply.status_code, headers=self.reply.headers, content=self.reply.content)


def doors() -> Iterator[tuple[str, Http]]:
    for status in (401, 404, 410, 429, 500):
        yield str(status), Http(transport=Silent(httpx.Response(status)), sleep=lambda _: None, attempts=1)
    page = httpx.Response(200, headers={"content-type": "text/html"}, content=b"<html>maintenance</html>")
    yield "html", Http(transport=Silent(page), sleep=lambda _: None, attempts=1)
    yield "empty", Http(transport=Silent(httpx.Response(200)), sleep=lambda _: None, attempts=1)
    yield "list", Http(transport=Silent(httpx.Response(200, json=[None, 1, {}])), sleep=lambda _: None, attempts=1)


@pytest.mark.parametrize(("name", "http"), list(doors()), ids=lambda value: value if isinstance(value, str) else "")
def test_a_fetch_from_a_server_in_trouble_brings_a_page_or_says_what_to_do(
    channel: Connector, name: str, http: Http
) -> None:
    settings = filled(channel)
    try:
        page = channel.fetch(http, settings, None, now=NOON)
    except ConnectorError as error:
        assert str(error)
        return
    assert isinstance(page, Page)
    json.dumps(dict(page.cursor or {}))


def filled(channel: Connector) -> dict[str, Any]:
    """Every setting with its default, its example, or something of its kind; no address of this machine."""
    samples: dict[Kind, Any] = {
        Kind.TEXT: "example",
        Kind.URL: "https://example.org/",
        Kind.SECRET: "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0",
        Kind.NUMBER: 1,
        Kind.FLAG: False,
        Kind.LINES: "example",
        Kind.FOLDER: "/nonexistent/folder",
    }
    found: dict[str, Any] = {}
    for setting in channel.settings:
        given = setting.default if setting.default is not None else setting.example or samples.get(setting.kind)
        found[setting.name] = setting.choices[0][0] if setting.choices and setting.default is None else given
    return found


def test_a_connection_test_answers_in_a_sentence_even_in_trouble(channel: Connector) -> None:
    http = Http(transport=Silent(httpx.Response(500)), sleep=lambda _: None, attempts=1)
    try:
        checked = channel.check(http, filled(channel), now=NOON)
    except ConnectorError as error:
        assert str(error)
        return
    assert checked.message


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
@pytest.mark.parametrize("receiving", RECEIVING.values(), ids=RECEIVING.keys())
def test_a_receiving_address_refuses_what_is_not_signed_or_due(receiving: Receiving, body: bytes) -> None:
    for method in ("GET", "POST", "PUT"):
        call = Request(method=method, path="/", query={}, headers={}, body=body, received_at=NOON)
        answer = receiving.receive(call, filled(receiving), None)
        assert 400 <= answer.status < 500, (method, answer)
        assert not answer.payloads


# sending


VISIBILITIES = {"public", "unlisted", "members", "private"}


@pytest.fixture(params=sorted(name for name, found in OWN.items() if found.capabilities.send), ids=str)
def sender(request: pytest.FixtureRequest) -> Any:
    return OWN[request.param]


def outgoing(sender: Any, **changes: Any) -> Outgoing:
    natives = {"mastodon": "1", "bluesky": "at://did:plc:a/app.bsky.feed.post/3m", "discourse": "1/2", "reddit": "t3_a"}
    post = dict.fromkeys(POST.names) | {
        "uid": f"{sender.name}::1",
        "channel": sender.name,
        "origin": "example.org",
        "native_id": natives.get(sender.name, "1"),
        "url": "https://github.com/acme/router/issues/12",
        "author": {"id": "a@example.org", "handle": "a@example.org", "name": "A"},
        "title": "Router",
        "text": "It broke",
        "visibility": "public",
    }
    values = {"key": "00000000-0000-4000-8000-000000000001", "text": "Sorry", "subject": "Re: Router"} | changes
    return Outgoing(**values, in_reply_to=post)


def test_limits_of_sending_hang_together(sender: Any) -> None:
    limits = sender.sending
    assert isinstance(limits, SendingLimits)
    assert set(limits.visibilities) <= VISIBILITIES and limits.visibilities
    assert limits.count in ("characters", "graphemes")
    assert bool(limits.attachments) == bool(limits.attachment_bytes)
    assert set(limits.needs) <= {setting.name for setting in sender.settings} and limits.needs
    assert limits.scopes, "the page of accounts says what the credentials must allow"


def test_without_what_sending_needs_it_says_so_and_asks_nobody(sender: Any) -> None:
    silent = Silent(httpx.Response(200, json={}))
    settings = filled(sender) | dict.fromkeys(sender.sending.needs, "")
    with pytest.raises((AskForCredentials, GiveUp)):
        sender.send(Http(transport=silent), settings, outgoing(sender), now=NOON)
    assert silent.asked == 0 or sender.name == "wordpress"


@pytest.mark.parametrize("status", [401, 404, 429, 500])
def test_sending_to_a_server_in_trouble_says_what_to_do(sender: Any, status: int) -> None:
    if sender.name == "email":
        pytest.skip("speaks SMTP")
    http = Http(transport=Silent(httpx.Response(status)), sleep=lambda _: None, attempts=1)
    with pytest.raises(ConnectorError) as caught:
        sender.send(http, filled(sender), outgoing(sender), now=NOON)
    assert str(caught.value)


@pytest.mark.parametrize(("name", "http"), list(doors()), ids=lambda value: value if isinstance(value, str) else "")
def test_an_answer_that_nobody_understands_is_never_taken_for_an_arrival(sender: Any, name: str, http: Http) -> None:
    if sender.name == "email":
        pytest.skip("speaks SMTP")
    for ask in (sender.send, sender.find_sent):
        try:
            found = ask(http, filled(sender), outgoing(sender), now=NOON)
        except ConnectorError:
            continue
        assert found is None or (isinstance(found, Sent) and found.uid.startswith(f"{sender.name}:")), (ask, found)
        assert found is None, "a reply without an id is Unsure"


def test_what_it_should_answer_and_is_not_known_any_more_is_given_up(sender: Any) -> None:
    http = Http(transport=Silent(httpx.Response(200, json={"access_token": "t"})), sleep=lambda _: None)
    settings = filled(sender) | {"address": "us@example.org"}
    with pytest.raises(GiveUp):
        sender.send(http, settings, Outgoing(key="k", text="Sorry"), now=NOON)


def test_the_page_says_how_it_sends(sender: Any) -> None:
    assert "\n## Sending\n" in page_of(sender)


# the pages


def page_of(channel: Connector) -> str:
    file = ROOT / f"docs/reference/connectors/{channel.name}.md"
    assert file.exists(), f"{file.relative_to(ROOT)} is missing"
    return file.read_text()


def test_a_page_describes_the_connector(channel: Connector) -> None:
    assert page_of(channel).startswith(f"# {channel.title}\n")


def test_the_page_names_every_setting_and_no_other(channel: Connector) -> None:
    settings = page_of(channel).split("\n## Settings\n", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `([a-z0-9_]+)` \|", settings, re.MULTILINE)
    assert sorted(set(rows)) == sorted(setting.name for setting in channel.settings)


def test_the_page_states_every_limit(channel: Connector) -> None:
    text = re.sub(r"\s+", " ", page_of(channel))
    assert not [limit for limit in channel.capabilities.limits if re.sub(r"\s+", " ", limit) not in text]


def test_the_page_says_whether_the_connector_has_met_the_live_service(channel: Connector) -> None:
    silent = "has not met the live service" in re.sub(r"\s+", " ", page_of(channel))
    assert silent != channel.capabilities.met_live
