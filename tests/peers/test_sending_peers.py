"""Replies on real servers: a Bluesky PDS, Postfix with Dovecot, WordPress. Taken once, found again, heard as ours."""

import os
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
from imapclient import IMAPClient

from talkworthy.connectors.bluesky import connector as bluesky
from talkworthy.connectors.contract import Attachment, Outgoing
from talkworthy.connectors.email import connector as email
from talkworthy.connectors.errors import GiveUp, Unsure
from talkworthy.connectors.http import Http
from talkworthy.connectors.payload import Payload
from talkworthy.connectors.wordpress import connector as wordpress
from talkworthy.schema import POST

pytestmark = pytest.mark.peer
PEERS = Path(os.environ.get("PEERS_DIR", "/tmp/peers"))
PDS = os.environ.get("TALKWORTHY_PEER_PDS", "http://localhost:18101")
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


def outgoing(post: dict[str, Any], text: str, **more: Any) -> Outgoing:
    return Outgoing(key=str(uuid.uuid4()), text=text, in_reply_to=dict.fromkeys(POST.names) | post, **more)


# Bluesky


@pytest.fixture
def pds() -> Iterator[Http]:
    with Http(allow_hosts={httpx.URL(PDS).netloc.decode()}, pace=0) as door:
        yield door


SETTINGS = {"service": PDS, "appview": PDS, "handle": "bob.test", "password": "bob-pass"}


@pytest.fixture
def asked(pds: Http) -> dict[str, Any]:
    session = httpx.post(
        f"{PDS}/xrpc/com.atproto.server.createSession", json={"identifier": "alice.test", "password": "alice-pass"}
    ).json()
    stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    record = {"$type": "app.bsky.feed.post", "text": f"It broke {uuid.uuid4()}", "createdAt": stamp}
    made = httpx.post(
        f"{PDS}/xrpc/com.atproto.repo.createRecord",
        json={"repo": session["did"], "collection": "app.bsky.feed.post", "record": record},
        headers={"authorization": f"Bearer {session['accessJwt']}"},
    ).json()
    return {"channel": "bluesky", "uid": f"bluesky::{made['uri']}", "native_id": made["uri"]}


def test_a_pds_takes_a_reply_once_and_has_it(pds: Http, asked: dict[str, Any]):
    now = datetime.now(UTC)
    picture = Attachment(name="a.png", content_type="image/png", body=PICTURE, alt="A router")
    reply = outgoing(asked, "Sorry @alice.test, see https://acme.example/x", attachments=(picture,))
    assert bluesky.find_sent(pds, SETTINGS, reply, now=now) is None
    sent = bluesky.send(pds, SETTINGS, reply, now=now)
    again = bluesky.send(pds, SETTINGS, reply, now=now)
    found = bluesky.find_sent(pds, SETTINGS, reply, now=now)
    assert found is not None and sent.uid == again.uid == found.uid
    uri = sent.uid.removeprefix("bluesky::")
    repo, collection, rkey = uri.removeprefix("at://").split("/")
    params = {"repo": repo, "collection": collection, "rkey": rkey}
    record = httpx.get(f"{PDS}/xrpc/com.atproto.repo.getRecord", params=params).json()["value"]
    assert record["reply"]["parent"]["uri"] == asked["native_id"]
    assert record["embed"]["images"][0]["alt"] == "A router" and len(record["facets"]) == 2


def test_a_pds_answers_nothing_that_was_deleted(pds: Http, asked: dict[str, Any]):
    gone = asked | {"native_id": asked["native_id"][:-3] + "222"}
    with pytest.raises(GiveUp, match="deleted"):
        bluesky.send(pds, SETTINGS, outgoing(gone, "Sorry"), now=datetime.now(UTC))


# E-mail

HOST = os.environ.get("TALKWORTHY_PEER_MAIL", "localhost")
SMTP, SUBMISSION, IMAP = 18025, 18587, 18143
CERT = Path(os.environ.get("TALKWORTHY_PEER_MAIL_CERT", PEERS / "mail" / "cert.pem"))
MAILBOX = {
    "host": HOST,
    "port": IMAP,
    "security": "starttls",
    "user": "support@acme.test",
    "password": "support-pass",
    "history": 50,
    "smtp_host": HOST,
    "smtp_port": SUBMISSION,
    "smtp_security": "starttls",
    "address": "Acme Support <support@acme.test>",
    "sent_folder": "Sent",
}


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Iterator[Http]:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERT))
    with Http(allow_hosts={HOST}) as door:
        yield door


@pytest.fixture
def mailbox() -> Iterator[IMAPClient]:
    with IMAPClient(HOST, port=IMAP, ssl=False) as client:
        import ssl

        context = ssl.create_default_context(cafile=str(CERT))
        client.starttls(context)
        client.login("support@acme.test", "support-pass")
        if not client.folder_exists("Sent"):
            client.create_folder("Sent")
        yield client


def heard() -> dict[str, Any]:
    """A mail of Support's to itself, as the connector would read it."""
    mail = EmailMessage()
    number = uuid.uuid4().hex
    mail["From"], mail["To"], mail["Subject"] = "Support <support@acme.test>", "support@acme.test", "The router"
    mail["Message-ID"], mail["References"] = f"<{number}@ext.test>", "<first@ext.test>"
    mail.set_content("It broke")
    payload = Payload(body=mail.as_bytes(), content_type="message/rfc822", fetched_at=datetime.now(UTC))
    (row,) = email.parse(payload, MAILBOX).posts.to_pylist()
    return dict(row)


def arrived(client: IMAPClient, folder: str, number: str, *, wait: float = 10.0) -> list[bytes]:
    until = time.monotonic() + wait
    while True:
        client.select_folder(folder, readonly=True)
        found = client.search(["HEADER", "Message-ID", number])
        if found or time.monotonic() > until:
            return [each[b"BODY[]"] for each in client.fetch(found, ["BODY[]"]).values()]
        time.sleep(0.2)


def test_a_mail_server_takes_a_reply_with_its_thread_and_the_copy_tells_that_it_went(post: Http, mailbox: IMAPClient):
    now = datetime.now(UTC)
    reply = outgoing(heard(), "Sorry for that, Grüße", subject="Re: The router", visibility="private", automatic=True)
    with pytest.raises(Unsure):
        email.find_sent(post, MAILBOX, reply, now=now)
    sent = email.send(post, MAILBOX, reply, now=now)
    found = email.find_sent(post, MAILBOX, reply, now=now)
    assert found is not None and found.uid == sent.uid == f"email::{reply.key}@acme.test"
    (raw,) = arrived(mailbox, "INBOX", reply.key)
    (copy,) = arrived(mailbox, "Sent", reply.key)
    for mail in (message_from_bytes(raw), message_from_bytes(copy)):
        assert mail["In-Reply-To"] == f"<{reply.in_reply_to['native_id']}>"
        assert mail["References"].split() == ["<first@ext.test>", mail["In-Reply-To"]]
        assert mail["Auto-Submitted"] == "auto-replied"


def test_a_copy_that_could_not_be_laid_down_sends_no_second_mail(post: Http, mailbox: IMAPClient):
    now = datetime.now(UTC)
    settings = MAILBOX | {"sent_folder": "Nowhere"}
    reply = outgoing(heard(), "Sorry", subject="Re: The router", visibility="private")
    email.send(post, settings, reply, now=now)
    assert len(arrived(mailbox, "INBOX", reply.key)) == 1
    assert message_from_bytes(arrived(mailbox, "INBOX", reply.key)[0])["Auto-Submitted"] is None


def test_a_mail_server_that_knows_no_such_person_is_given_up(post: Http):
    stranger = heard() | {"author": {"id": "nobody@acme.test", "handle": "nobody@acme.test", "name": "N"}}
    with pytest.raises(GiveUp):
        email.send(post, MAILBOX, outgoing(stranger, "Sorry", subject="Re"), now=datetime.now(UTC))


def test_a_wrong_password_asks_for_another(post: Http):
    from talkworthy.connectors.errors import AskForCredentials

    with pytest.raises(AskForCredentials):
        wrong = MAILBOX | {"smtp_password": "wrong"}
        email.send(post, wrong, outgoing(heard(), "Sorry", subject="Re"), now=datetime.now(UTC))


# WordPress

URL = os.environ.get("WP_URL", "http://localhost:18120")
KEPT = PEERS / "wordpress/admin.apppass"
PASSWORD = os.environ.get("WP_APP_PASSWORD") or (KEPT.read_text().strip() if KEPT.exists() else "")


def test_a_wordpress_takes_a_reply_once_and_has_it():
    if not PASSWORD:
        pytest.skip("WP_APP_PASSWORD: the application password of admin, as start-wordpress prints it")
    settings = {"url": URL + "/", "username": "admin", "password": PASSWORD}
    admin = httpx.Client(base_url=URL + "/wp-json/wp/v2", auth=("admin", PASSWORD), timeout=30)
    asked = admin.post("/comments", json={"post": 1, "content": f"It broke {uuid.uuid4()}"}).json()
    reply = outgoing(
        {"channel": "wordpress", "native_id": str(asked["id"])}, f"We're sorry & “ashamed”: {uuid.uuid4()}"
    )
    now = datetime.now(UTC)
    with Http(allow_hosts={httpx.URL(URL).netloc.decode()}, pace=0) as http:
        assert wordpress.find_sent(http, settings, reply, now=now) is None
        sent = wordpress.send(http, settings, reply, now=now)
        again = wordpress.send(http, settings, reply, now=now)
        found = wordpress.find_sent(http, settings, reply, now=now)
    assert found is not None and sent.uid == again.uid == found.uid
    answers = admin.get("/comments", params={"parent": asked["id"]}).json()
    assert [one["parent"] for one in answers] == [asked["id"]]
