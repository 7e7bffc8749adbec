"""E-mail against a real mail system: Postfix takes mail in, Dovecot keeps it, and a bounce comes back."""

import contextlib
import os
import smtplib
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from imapclient import IMAPClient

from talkworthy.connectors.contract import Page
from talkworthy.connectors.email import Email
from talkworthy.connectors.errors import AskForCredentials, GiveUp, TryLater
from talkworthy.connectors.http import Http

pytestmark = pytest.mark.peer
HOST = os.environ.get("TALKWORTHY_PEER_MAIL", "localhost")
SMTP, SUBMISSION, IMAP, IMAPS = (
    int(os.environ.get(f"TALKWORTHY_PEER_MAIL_{name}", port))
    for name, port in (("SMTP", "18025"), ("SUBMISSION", "18587"), ("IMAP", "18143"), ("IMAPS", "18993"))
)
PEERS = Path(os.environ.get("PEERS_DIR", "/tmp/peers"))
CERT = Path(os.environ.get("TALKWORTHY_PEER_MAIL_CERT", PEERS / "mail" / "cert.pem"))
SETTINGS = {
    "host": HOST,
    "port": IMAP,
    "security": "starttls",
    "user": "support@acme.test",
    "password": "support-pass",
    "history": 0,
}


@pytest.fixture
def http(monkeypatch: pytest.MonkeyPatch) -> Iterator[Http]:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERT))
    with Http(allow_hosts={HOST}) as door:
        yield door


def send(body: str, *, to: str = "support@acme.test", **headers: str) -> str:
    """Hand a mail to the server as a customer would; its Message-ID."""
    mail = EmailMessage()
    name = f"{uuid.uuid4().hex}@ext.test"
    given = {"Subject": "The router", "Message-ID": f"<{name}>"} | {
        key.replace("_", "-"): each for key, each in headers.items()
    }
    mail["From"], mail["To"] = "Carol Customer <customer@ext.test>", to
    for key, value in given.items():
        mail[key] = value
    mail.set_content(body)
    with smtplib.SMTP(HOST, SMTP, timeout=20) as server:
        server.send_message(mail)
    return name


def read(http: Http, cursor: Any, **settings: Any) -> tuple[list[dict[str, Any]], Any]:
    page = Email().fetch(http, SETTINGS | settings, cursor, now=datetime.now(UTC))
    return posts(page), page.cursor


def posts(page: Page) -> list[dict[str, Any]]:
    return [post for each in page.payloads for post in Email().parse(each, SETTINGS).posts.to_pylist()]


def awaited(http: Http, cursor: Any, **settings: Any) -> tuple[list[dict[str, Any]], Any]:
    """What comes within ten seconds."""
    for _ in range(50):
        found, after = read(http, cursor, **settings)
        if found:
            return found, after
        time.sleep(0.2)
    raise AssertionError("no mail came")


def box(user: str = "support@acme.test") -> IMAPClient:
    client = IMAPClient(HOST, port=IMAP, ssl=False)
    client.login(user, user.partition("@")[0] + "-pass")
    return client


def test_a_mail_and_its_answer_are_heard_once(http: Http):
    _, cursor = read(http, None)
    first = send("Grüße, it does not work 🎉.\n-- \nCarol", Subject="Käse")
    (post,), cursor = awaited(http, cursor)
    assert (post["uid"], post["title"], post["text"]) == (f"email::{first}", "Käse", "Grüße, it does not work 🎉.")
    second = send(
        "Any news?\n\nOn 1 Aug 2026 at 10:00, Bob wrote:\n> old", In_Reply_To=f"<{first}>", References=f"<{first}>"
    )
    (answer,), cursor = awaited(http, cursor)
    assert (answer["uid"], answer["in_reply_to"], answer["text"]) == (f"email::{second}", post["uid"], "Any news?")
    assert read(http, cursor)[0] == []


def test_reading_leaves_mails_unread_and_marking_marks_them(http: Http):
    _, cursor = read(http, None)
    name = send("unread?")
    _, after = awaited(http, cursor)

    def unread() -> list[int]:
        with box() as client:
            client.select_folder("INBOX", readonly=True)
            found: list[int] = client.search(["UNSEEN", "HEADER", "Message-ID", name])
            return found

    assert len(unread()) == 1
    _, marked = read(http, cursor, mark=True)
    assert len(unread()) == 1
    read(http, marked, mark=True)
    assert unread() == []
    assert after["uid"] == marked["uid"]


def test_a_bounce_of_a_real_server_is_marked(http: Http):
    _, cursor = read(http, None, user="customer@ext.test", password="customer-pass")
    sent = send("to somebody who left", to="gone@ext.test")
    (bounce, *_), _ = awaited(http, cursor, user="customer@ext.test", password="customer-pass")
    assert bounce["tags"][:2] == ["automated", "bounce"]
    assert bounce["author"]["automated"] is True
    assert bounce["in_reply_to"] == f"email::{sent}"


def test_the_stream_is_woken_by_idle(http: Http):
    _, cursor = read(http, None)
    pages = Email().stream(http, SETTINGS, cursor)
    sent: list[float] = []

    def later() -> None:
        time.sleep(2)
        send("wake up")
        sent.append(time.monotonic())

    thread = threading.Thread(target=later)
    thread.start()
    page = next(page for page in pages if page.payloads)
    heard = time.monotonic()
    thread.join()
    with contextlib.closing(pages):  # type: ignore[type-var]
        assert [post["text"] for post in posts(page)] == ["wake up"]
    assert heard - sent[0] < 2


def test_tls_from_the_beginning_works_and_an_unknown_certificate_is_refused(
    http: Http, monkeypatch: pytest.MonkeyPatch
):
    settings = SETTINGS | {"port": IMAPS, "security": "implicit"}
    assert Email().check(http, settings, now=datetime.now(UTC)).ok
    monkeypatch.delenv("SSL_CERT_FILE")
    for security, port in (("implicit", IMAPS), ("starttls", IMAP)):
        with Http(allow_hosts={HOST}) as strict, pytest.raises(TryLater, match="certificate"):
            Email().fetch(strict, SETTINGS | {"port": port, "security": security}, None, now=datetime.now(UTC))


def test_a_wrong_password_asks_for_credentials_and_a_wrong_folder_gives_up(http: Http):
    with pytest.raises(AskForCredentials):
        read(http, None, password="wrong")
    with pytest.raises(GiveUp, match="no folder"):
        read(http, None, folder="Nowhere")


def test_a_folder_that_is_made_anew_is_read_on(http: Http):
    folder = f"F{uuid.uuid4().hex[:8]}"
    head = "From: a@x.test\r\nDate: Sat, 1 Aug 2026 10:00:00 +0000\r\n"
    with box() as client:
        client.create_folder(folder)
        client.append(folder, f"{head}Message-ID: <kept@x>\r\n\r\nkept\r\n".encode())
    (post,), cursor = read(http, None, folder=folder, history=10)
    with box() as client:
        client.delete_folder(folder)
        time.sleep(1.1)
        client.create_folder(folder)
        for name in ("kept", "new"):
            client.append(folder, f"{head}Message-ID: <{name}@x>\r\n\r\n{name}\r\n".encode())
    page = Email().fetch(http, SETTINGS | {"folder": folder}, cursor, now=datetime.now(UTC))
    assert [each["uid"] for each in posts(page)] == [post["uid"], "email::new@x"]
    assert "anew" in page.note
    with box() as client:
        client.delete_folder(folder)
