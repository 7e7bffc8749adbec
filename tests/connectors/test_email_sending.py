"""Mail that is sent: what it holds, and what each trouble with the mail server means. A small server takes it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any

import pytest

from talkworthy.connectors import email as module
from talkworthy.connectors.contract import Attachment, Outgoing
from talkworthy.connectors.email import connector
from talkworthy.connectors.errors import AskForCredentials, GiveUp, TryLater, Unsure
from talkworthy.connectors.http import Http
from talkworthy.schema import POST

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
KEY = "00000000-0000-4000-8000-000000000001"


class PostOffice(threading.Thread):
    """Speaks SMTP to one caller; `says` replaces an answer by verb, "hang up" ends the line there."""

    def __init__(self, **says: str) -> None:
        super().__init__(daemon=True)
        self.says = {name.upper(): said for name, said in says.items()}
        self.mails: list[bytes] = []
        self.to: list[str] = []
        self.door = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.door.getsockname()[1])

    def run(self) -> None:
        line, _ = self.door.accept()
        with line, line.makefile("rb") as heard, self.door:
            line.sendall(self.says.get("HELLO", "220 post.test").encode() + b"\r\n")
            for raw in heard:
                verb = raw.decode().strip().split(" ")[0].upper()
                if not self.answer(line, heard, verb, raw.decode().strip()):
                    return

    def answer(self, line: socket.socket, heard: Any, verb: str, said: str) -> bool:
        told = self.says.get(verb)
        if told == "hang up":
            return False
        if verb == "DATA" and told is None:
            line.sendall(b"354 go on\r\n")
            body = b"".join(iter(heard.readline, b".\r\n"))
            if self.says.get("BODY") == "hang up":
                return False
            if self.says.get("BODY", "250")[0] == "2" or "kept" in self.says.get("BODY", ""):
                self.mails.append(body)
            if "kept" in self.says.get("BODY", ""):
                return False
            line.sendall(self.says.get("BODY", "250 taken").encode() + b"\r\n")
            return True
        if verb == "RCPT":
            self.to.append(said.partition(":")[2].strip("<> "))
        usual = {"EHLO": "250-post.test\r\n250 AUTH PLAIN", "AUTH": "235 in", "QUIT": "221 bye"}
        line.sendall((told or usual.get(verb, "250 ok")).encode() + b"\r\n")
        return verb != "QUIT"


class Sent:
    """The folder of sent mail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mails: list[bytes] = []
        self.broken = False

        @contextmanager
        def opened(http: Http, settings: Any) -> Iterator[Any]:
            if self.broken:
                raise TryLater("no IMAP")
            yield self

        monkeypatch.setattr(module, "_opened", opened)

    def select_folder(self, folder: str, readonly: bool = False) -> None:
        self.folder = folder

    def search(self, criteria: list[str]) -> list[int]:
        return [
            number for number, raw in enumerate(self.mails) if criteria[2].encode() in raw and self.folder == "Sent"
        ]

    def append(self, folder: str, body: bytes, flags: Any = (), msg_time: Any = None) -> None:
        self.mails.append(body)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Sent:
    return Sent(monkeypatch)


def settings(office: PostOffice | None = None, **changes: Any) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "user": "support@acme.test",
        "password": "p",
        "smtp_host": "127.0.0.1",
        "smtp_port": office.port if office else 1,
        "smtp_security": "none",
        "address": "Acme Support <support@acme.test>",
        "sent_folder": "Sent",
    } | changes


def outgoing(**changes: Any) -> Outgoing:
    post = dict.fromkeys(POST.names) | {
        "channel": "email",
        "native_id": "two@ext.test",
        "references": ["email::one@ext.test"],
        "author": {"id": "carol@ext.test", "name": "Carol"},
        "title": "The router",
    }
    values = {"key": KEY, "text": "Sorry, Grüße", "subject": "Re: The router"} | changes
    return Outgoing(in_reply_to=post | values.pop("post", {}), **values)


def send(office: PostOffice, reply: Outgoing | None = None, **changes: Any) -> Any:
    office.start()
    with Http(allow_hosts={"127.0.0.1"}) as http:
        return connector.send(http, settings(office, **changes), reply or outgoing(), now=NOON)


def test_a_mail_keeps_the_thread_and_its_id_follows_from_the_key(sent):
    office = PostOffice()
    found = send(office, outgoing(language="de"))
    mail = message_from_bytes(office.mails[0], policy=policy.default)
    assert found.uid == f"email::{KEY}@acme.test" and mail["Message-ID"] == f"<{KEY}@acme.test>"
    assert mail["In-Reply-To"] == "<two@ext.test>" and mail["References"] == "<one@ext.test> <two@ext.test>"
    assert mail["To"] == "Carol <carol@ext.test>" and office.to == ["carol@ext.test"]
    assert mail["From"] == "Acme Support <support@acme.test>" and mail["Content-Language"] == "de"
    assert mail["Auto-Submitted"] is None and mail.get_content().strip() == "Sorry, Grüße"


def test_only_what_a_machine_sends_says_so(sent):
    office = PostOffice()
    send(office, outgoing(automatic=True))
    assert message_from_bytes(office.mails[0])["Auto-Submitted"] == "auto-replied"


def test_a_subject_cannot_smuggle_headers(sent):
    office = PostOffice()
    send(office, outgoing(subject="Hi\r\nBcc: evil@ext.test"))
    mail = message_from_bytes(office.mails[0])
    assert mail["Bcc"] is None and mail["Subject"] == "Hi Bcc: evil@ext.test"


def test_a_file_goes_along_with_its_description(sent):
    office = PostOffice()
    file = Attachment(name="a.png", content_type="image/png", body=b"\x89PNG", alt="A router")
    send(office, outgoing(attachments=(file,)))
    (part,) = message_from_bytes(office.mails[0], policy=policy.default).iter_attachments()
    assert (part.get_filename(), part["Content-Description"], part.get_content()) == ("a.png", "A router", b"\x89PNG")


def test_a_copy_lies_in_the_sent_mail_and_tells_that_it_went(sent):
    office = PostOffice()
    found = send(office)
    with Http() as http:
        assert connector.find_sent(http, settings(office), outgoing(began_at=NOON), now=NOON).uid == found.uid


def test_what_is_not_among_the_sent_mail_may_have_gone_all_the_same(sent):
    with Http() as http, pytest.raises(Unsure):
        connector.find_sent(http, settings(), outgoing(began_at=NOON), now=NOON)


def test_a_copy_that_cannot_be_laid_down_undoes_nothing(sent):
    sent.broken = True
    office = PostOffice()
    assert send(office).uid and len(office.mails) == 1


@pytest.mark.parametrize("body", ["hang up", "kept hang up"])
def test_a_line_that_breaks_after_the_mail_left_is_unsure(sent, body):
    office = PostOffice(body=body)
    with pytest.raises(Unsure):
        send(office)
    assert sent.mails == []


@pytest.mark.parametrize("verb", ["mail", "rcpt", "ehlo", "hello"])
def test_a_line_that_breaks_before_the_mail_left_is_tried_again(sent, verb):
    office = PostOffice(**{verb: "hang up" if verb != "hello" else "421 busy"})
    with pytest.raises(TryLater):
        send(office)
    assert office.mails == []


@pytest.mark.parametrize(
    ("says", "raised"),
    [
        ({"rcpt": "550 no such person"}, GiveUp),
        ({"rcpt": "451 greylisted"}, TryLater),
        ({"mail": "530 authentication required"}, AskForCredentials),
        ({"auth": "535 wrong"}, AskForCredentials),
        ({"auth": "454 busy"}, TryLater),
        ({"data": "554 no"}, GiveUp),
        ({"body": "554 spam"}, GiveUp),
        ({"body": "452 full"}, TryLater),
    ],
)
def test_what_the_mail_server_says_is_what_is_done(sent, says, raised):
    office = PostOffice(**says)
    with pytest.raises(raised) as caught:
        send(office)
    assert type(caught.value) is raised and office.mails == []


@pytest.mark.parametrize("tags", [["automated"], ["bounce", "automated"]])
def test_mail_that_a_machine_wrote_is_not_answered(sent, tags):
    with pytest.raises(GiveUp, match="machine"), Http() as http:
        connector.send(http, settings(), outgoing(post={"tags": tags}), now=NOON)


@pytest.mark.parametrize("author", [None, {}, {"id": "no address"}])
def test_a_mail_without_a_sender_is_not_answered(sent, author):
    with pytest.raises(GiveUp), Http() as http:
        connector.send(http, settings(), outgoing(post={"author": author}), now=NOON)
