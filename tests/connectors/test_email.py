"""E-mail: mails of every kind and encoding, what is cut from them, and a mailbox that is only read."""

import email.utils
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from talkworthy.connectors import email as module
from talkworthy.connectors.email import Email, _said, _without_quotes
from talkworthy.connectors.errors import AskForCredentials, GiveUp, Malformed, TryLater
from talkworthy.connectors.http import Http
from talkworthy.connectors.markup import plain
from talkworthy.connectors.payload import Payload

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
SHARED = Path(os.environ.get("TALKWORTHY_SHARED", Path(__file__).parents[2] / ".." / "shared"))
MAILS = SHARED / "data" / "fixtures_email"
shared = pytest.mark.skipif(not MAILS.is_dir(), reason="the shared fixtures are not here")

HEAD = {
    "From": "Carol Customer <Carol@ext.test>",
    "To": "support@acme.test",
    "Subject": "The router",
    "Date": "Sat, 1 Aug 2026 13:00:00 +0200",
    "Message-ID": "<one@ext.test>",
}


def mail(body: str | bytes = "It does not work.", **headers: str | None) -> bytes:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    head = {name: value for name, value in (HEAD | named).items() if value is not None}
    lines = "".join(f"{name}: {value}\n" for name, value in head.items()).encode("utf-8", "surrogateescape")
    return lines + b"\n" + (body.encode() if isinstance(body, str) else body)


def parse(raw: bytes, meta: dict[str, Any] | None = None, **settings: Any) -> dict[str, Any]:
    payload = Payload(body=raw, content_type="message/rfc822", fetched_at=NOON, meta=meta or {})
    (post,) = Email().parse(payload, settings).posts.to_pylist()
    found: dict[str, Any] = post
    return found


# what a mail says


def test_a_mail_is_a_private_message_of_its_sender():
    post = parse(mail())
    assert (post["uid"], post["native_id"]) == ("email::one@ext.test", "one@ext.test")
    assert (post["kind"], post["visibility"], post["url"], post["site"]) == ("message", "private", None, None)
    assert (post["author"]["id"], post["author"]["name"]) == ("carol@ext.test", "Carol Customer")
    assert (post["title"], post["text"], post["tags"]) == ("The router", "It does not work.", None)
    assert post["published_at"] == datetime(2026, 8, 1, 11, tzinfo=UTC)


def test_a_thread_is_known_by_its_references():
    post = parse(mail(References="<a@x> <b@x>\n <c@x>", In_Reply_To="<c@x>"))
    assert post["references"] == ["email::a@x", "email::b@x", "email::c@x"]
    assert (post["in_reply_to"], post["root"], post["engagement_type"]) == ("email::c@x", "email::a@x", "REPLY")


def test_an_answer_without_references_still_names_its_parent():
    post = parse(mail(In_Reply_To="Your message of today <c@x>"))
    assert (post["in_reply_to"], post["root"], post["references"]) == ("email::c@x", "email::c@x", ["email::c@x"])


def test_a_mail_that_answers_itself_answers_nothing():
    post = parse(mail(In_Reply_To="<one@ext.test>", References="<one@ext.test>"))
    assert (post["in_reply_to"], post["root"], post["references"]) == (None, None, [])


def test_a_mail_without_id_gets_the_same_uid_each_time_and_another_than_its_neighbour():
    first, again, other = (parse(mail(body, Message_ID=None))["uid"] for body in ("a", "a", "b"))
    assert first == again != other


@pytest.mark.parametrize(
    ("charset", "raw"),
    [
        ("utf-8", "grüße 漢字".encode()),
        ("gb18030", "grüße 漢字".encode("gb18030")),
        ("nonsense", "grüße 漢字".encode()),
        ("us-ascii", "grüße 漢字".encode()),
        ("punycode", "grüße 漢字".encode()),
    ],
)
def test_words_are_read_in_the_encoding_they_have(charset: str, raw: bytes):
    assert parse(mail(raw, Content_Type=f"text/plain; charset={charset}"))["text"] == "grüße 漢字"


def test_bytes_that_are_no_utf8_are_read_as_windows_1252():
    assert parse(mail("“grüße” €".encode("cp1252")))["text"] == "“grüße” €"


def test_quoted_printable_and_base64_are_opened():
    post = parse(mail("gr=C3=BC=\n=C3=9Fe", Content_Transfer_Encoding="quoted-printable"))
    assert post["text"] == "grüße"
    assert parse(mail("Z3LDvMOfZQ==", Content_Transfer_Encoding="base64"))["text"] == "grüße"


def test_headers_are_read_in_any_encoding():
    post = parse(mail(Subject="=?utf-8?B?R3LDvMOfZQ==?= =?iso-8859-1?Q?_an_Caf=E9?= =?x-none?Q?_ok?="))
    assert post["title"] == "Grüße an Café ok"
    assert parse(mail(Subject="Grüße"))["title"] == "Grüße"
    assert parse(mail(Subject="Gr\udcfc\udcdfe"))["title"] == "Grüße"
    assert parse(mail(From='=?utf-8?q?J=C3=B6rg?= <j@x.test>, "B" <b@x.test>'))["author"]["name"] == "Jörg"


MIXED = """--b
Content-Type: multipart/alternative; boundary=c

--c
Content-Type: text/plain

plain words
--c
Content-Type: text/html

<p>html words</p>
--c--
--b
Content-Type: application/pdf; name="=?utf-8?q?r=C3=A9sum=C3=A9?=.pdf"
Content-Disposition: attachment

JVBERi0=
--b
Content-Type: message/rfc822

From: other@x.test
Subject: inner

inner words
--b--
"""


def test_attachments_are_listed_and_not_read():
    post = parse(mail(MIXED, Content_Type="multipart/mixed; boundary=b"))
    assert (post["text"], post["tags"]) == ("plain words", ["attachment:résumé.pdf"])
    assert post["html"] is None


def test_a_mail_of_html_only_is_read_without_what_it_quotes():
    html = (
        "<html><head><style>p {color: red}</style></head><body><p>New &amp; mine, see "
        '<a href="https://example.com/x">this</a></p><div class="gmail_quote">On Friday <b>Bob</b> wrote:'
        '<blockquote>old <a href="https://old.test/">link</a></blockquote></div></body></html>'
    )
    post = parse(mail(html, Content_Type="text/html"))
    assert (post["text"], post["links"]) == ("New & mine, see this", ["https://example.com/x"])


def test_a_mail_that_only_quotes_keeps_its_words():
    assert "> old words" in parse(mail("> old words\n> more"))["text"]
    html = "<blockquote>forwarded</blockquote>"
    assert parse(mail(html, Content_Type="text/html"))["text"] == "forwarded"


def test_flowed_lines_are_joined():
    body = "It does \nnot work.\n> quoted \n> words\n"
    assert parse(mail(body, Content_Type="text/plain; format=flowed"))["text"] == "It does not work."


@pytest.mark.parametrize(
    ("headers", "kinds"),
    [
        ({"Return_Path": "<>"}, ["automated", "bounce"]),
        ({"From": "Mail Delivery System <MAILER-DAEMON@mail.test>"}, ["automated", "bounce"]),
        ({"Content_Type": "multipart/report; report-type=delivery-status; boundary=b"}, ["automated", "bounce"]),
        (
            {"Content_Type": "multipart/report; report-type=disposition-notification; boundary=b"},
            ["automated", "receipt"],
        ),
        ({"Content_Type": "multipart/report; report-type=feedback-report; boundary=b"}, ["automated", "report"]),
        ({"Auto_Submitted": "auto-replied (vacation)", "Return_Path": "<>"}, ["automated", "auto-reply"]),
        ({"Auto_Submitted": "auto-generated"}, ["automated"]),
        ({"Precedence": "bulk"}, ["automated", "bulk"]),
        ({"Precedence": "auto_reply"}, ["automated", "auto-reply"]),
        ({"X_Auto_Response_Suppress": "All"}, ["automated"]),
        ({"List_Unsubscribe": "<https://news.test/u>"}, ["automated", "bulk"]),
        ({"List_Id": "Users <users.lists.test>", "List_Post": "<mailto:u@x>", "Precedence": "list"}, ["list"]),
        ({"List_Unsubscribe": "<mailto:u@x>", "List_Post": "<mailto:u@x>", "Precedence": "bulk"}, ["list"]),
    ],
)
def test_what_a_machine_sent_is_marked(headers: dict[str, str], kinds: list[str]):
    post = parse(mail(**headers))
    assert post["tags"] == kinds
    assert post["author"]["automated"] is (True if "automated" in kinds else None)


@pytest.mark.parametrize(
    "returned",
    [
        "Content-Type: message/rfc822\n\nMessage-ID: <lost@acme.test>\nSubject: x\n\nwords",
        "Content-Type: text/rfc822-headers\n\nSubject: x\nMessage-Id: <lost@acme.test>\n",
    ],
)
def test_a_bounce_names_the_mail_that_came_back(returned: str):
    body = f"--b\nContent-Type: text/plain\n\nsorry\n--b\n{returned}\n--b--\n"
    post = parse(mail(body, Content_Type="multipart/report; report-type=delivery-status; boundary=b", Return_Path="<>"))
    assert (post["text"], post["in_reply_to"]) == ("sorry", "email::lost@acme.test")


@pytest.mark.parametrize(
    "headers", [{}, {"Auto_Submitted": "no"}, {"Return_Path": "<carol@ext.test>"}, {"Precedence": "normal"}]
)
def test_what_a_person_sent_is_not_marked(headers: dict[str, str]):
    assert parse(mail(**headers))["tags"] is None


@pytest.mark.parametrize("claimed", [None, "soon", "Sat, 1 Aug 2126 13:00:00 +0200", "Thu, 1 Jan 1970 00:00:00 +0000"])
def test_a_date_that_cannot_be_true_gives_way_to_the_day_of_arrival(claimed: str | None):
    post = parse(mail(Date=claimed), {"internaldate": "2026-07-30T09:00:00+00:00"})
    assert post["published_at"] == datetime(2026, 7, 30, 9, tzinfo=UTC)


@pytest.mark.parametrize("raw", [b"", b"\x00\xff" * 50, b"<html>no mail</html>", b'{"id": 1}', b"just: words\n\nhere"])
def test_bytes_that_are_no_mail_are_malformed(raw: bytes):
    with pytest.raises(Malformed):
        parse(raw)


def test_a_mail_that_breaks_off_is_read_as_far_as_it_goes():
    whole = mail(MIXED, Content_Type="multipart/mixed; boundary=b")
    assert parse(whole[: whole.index(b"--c--")])["text"] == "plain words"


@pytest.mark.parametrize(
    "hostile",
    [
        b"X: y\n" * 400_000,
        b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 200_000,
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(250))
        + b"\nx" * 200_000,
        b"Content-Type: text/html\n\n" + b"<div class=x>" * 50_000,
        b"Subject: " + b"=?utf-8?q?a?= " * 8_000 + b"\n\nx",
        b"Content-Type: text/plain; " + b"".join(b"a*%d=b; " % n for n in range(5_000)) + b"\n\nx",
    ],
    ids=["headers", "parts", "nested", "html", "words", "parameters"],
)
def test_a_hostile_mail_is_read_in_bounded_time(hostile: bytes):
    began = time.perf_counter()
    parse(b"From: a@x.test\nMessage-ID: <a@x>\n" + hostile)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("sender", ["(" * 90_000, "<" * 90_000, '"' * 90_000, "a@b," * 20_000])
def test_a_hostile_sender_is_nobody_or_somebody_and_nothing_else(sender: str):
    assert parse(mail(From=sender))["text"] == "It does not work."


def test_parts_within_parts_without_end_are_bounded():
    nested = "".join(f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(600))
    raw = mail("", Content_Type="multipart/mixed; boundary=b0").rstrip(b"\n") + b"\n\n--b0\n" + nested.encode()
    with suppress(Malformed):
        parse(raw)


@shared
def test_every_mail_of_the_fixtures_is_read():
    found = [*(MAILS / "mail_parser").iterdir(), *(MAILS / "talon" / "standard_replies").glob("*.eml")]
    posts = [parse(path.read_bytes()) for path in found]
    assert len(posts) == 26
    assert sum(bool(post["text"]) for post in posts) >= 25


# what is cut


REPLIES = {
    "email_1_1": "Hi folks … Java HTTP API.",
    "email_1_2": 'Hi, … delete them all individually."',
    "email_1_3": "Oh thanks. … would be great.",
    "email_1_4": "Awesome! I haven't had another problem with it.",
    "email_1_5": "One: Here's what I've got. … for a while.",
    "email_1_6": "I get proper rendering as well.",
    "email_1_7": ":+1:",
    "email_1_8": "I will reply under this one and under this.",
    "email_2_1": "Outlook with a reply",
    "email_2_2": "Outlook with a reply directly above line",
    "email_2_3": "Outlook with a reply above headers using unusual format",
    "email_BlackBerry": "Here is another email",
    "email_bullets": "test 2 this should list second … - and another",
    "email_gmail": "This is a test for inbox replying to a github message.",
    "email_headers_no_delimiter": "And another reply!",
    "email_iPhone": "Here is another email",
    "email_multi_word_sent_from_my_mobile_device": "Here is another email",
    "email_one_is_not_on": "Thank, this is really helpful. … when I run...",
    "email_partial_quote_header": "On your remote host you can run: … the tunnel is not working.",
    "email_sent_from_my_not_signature": "Here is another email … my mobile phone.",
    "email_sig_delimiter_in_middle_of_line": "Hi there! … kthxbai",
    "greedy_on": "On your remote host you can run: … the tunnel is not working.",
    "pathological": "I think you're onto something. … get back to a computer.",
    "correct_sig": "this is an email with a correct -- signature.",
}
"""What stays of each mail: its words, or their beginning and end."""


def agrees(words: str, expected: str) -> bool:
    words = " ".join(words.split())
    begin, _, end = expected.partition(" … ")
    return words == expected if not end else words.startswith(begin) and words.endswith(end) and ">" not in words


@shared
def test_replies_are_cut_as_the_sets_of_github_and_zapier_expect():
    found = [(path, REPLIES[path.stem]) for path in sorted((MAILS / "zapier_email_reply_parser").glob("*.txt"))]
    right = [path.stem for path, expected in found if agrees(_said(path.read_text(), ["en"]), expected)]
    assert len(found) == 24
    assert set(REPLIES) - set(right) == {"email_1_6"}  # "Sent from a magnificent torch of pixels" stays


@shared
def test_replies_are_cut_as_the_set_of_talon_expects():
    mails = [parse(path.read_bytes())["text"] for path in (MAILS / "talon" / "standard_replies").glob("*.eml")]
    assert mails == ["Hello"] * 12
    pages = [path.read_text(errors="replace") for path in (MAILS / "talon" / "html_replies").glob("*.html")]
    assert [_said(plain(_without_quotes(page)), ["en"]) for page in pages] == ["Hi. I am fine."] * 9


def forge(kind: str) -> Iterator[tuple[list[str], list[str], list[str]]]:
    """Of each mail the lines of its author, those of the signature, and those that are kept."""
    for path in sorted((MAILS / "forge_signatures" / kind).glob("*_body")):
        told = path.with_name(path.name.replace("_body", "_sender")).read_text(errors="replace").strip()
        sender = email.utils.parseaddr(told)[0] or told.partition("@")[0].replace(".", " ")
        lines = path.read_text(errors="replace").splitlines()
        own = [line for line in lines if not line.startswith(("#sig#", "#reply#"))]
        signed = [line.removeprefix("#sig#") for line in lines if line.startswith("#sig#")]
        text = "\n".join(line.removeprefix("#sig#").removeprefix("#reply#") for line in lines)
        yield words_of(own), words_of(signed), words_of(_said(text, ["en"], sender=sender).splitlines())


def words_of(lines: list[str]) -> list[str]:
    return [" ".join(line.split()) for line in lines if line.strip()]


@shared
def test_signatures_are_cut_without_losing_a_line_of_the_author():
    mails = list(forge("P"))
    lost = sum(line not in kept for own, _, kept in mails for line in own)
    left = sum(line in kept for _, signed, kept in mails for line in signed)
    whole = sum(own == kept for own, _, kept in mails)
    assert len(mails) == 58
    assert (lost, left, whole) == (0, 23, 42)


@shared
def test_mails_without_signature_stay_as_they_are():
    mails = list(forge("N"))
    assert len(mails) == 62
    assert sum(own == kept for own, _, kept in mails) == 62


def test_a_closing_formula_is_cut_in_the_languages_of_the_mailbox_only():
    text = "Es geht nicht.\n\nMit freundlichen Grüßen\nJörg"
    assert _said(text, ["de"]) == "Es geht nicht."
    assert (
        _said("Takes ages.\n\nTake a look at the log\nplease", ["en"])
        == "Takes ages.\n\nTake a look at the log\nplease"
    )


def test_a_quotation_is_known_in_a_language_that_nobody_taught_us():
    assert _said('Hello\n02.04.2012 14:20 пользователь "b@x.test" <\nb@x.test> написал:\n\n> old', ["en"]) == "Hello"


@pytest.mark.parametrize(
    "hostile",
    ["\n" * 50_000, "On " * 17_000, ("On " * 95 + "\n") * 500, "> a\n" * 12_000, "- a\n" * 12_000, "\xa0\n" * 20_000],
    ids=["blank", "on", "on-lines", "quotes", "dashes", "spaces"],
)
def test_hostile_words_are_cut_in_bounded_time(hostile: str):
    began = time.perf_counter()
    _said(hostile, list(module.TONGUES))
    assert time.perf_counter() - began < 5


# the mailbox


class Mailbox:
    """An IMAP folder that answers as the library's client does."""

    def __init__(self, *mails: bytes, validity: int = 7, idle: bool = True) -> None:
        self.mails = dict(enumerate(mails, start=1))
        self.validity = validity
        self.idle_known = idle
        self.told: list[Any] = []
        self.flagged: list[int] = []
        self.use_uid = True
        self.readonly = True
        self.asked: list[str] = []

    def has_capability(self, name: str) -> bool:
        return name == "IDLE" and self.idle_known

    def select_folder(self, folder: str, readonly: bool = False) -> dict[bytes, Any]:
        if folder != "INBOX":
            raise module.IMAPClientError("no such folder")
        self.readonly = readonly
        following = max(self.mails, default=0) + 1
        return {b"EXISTS": len(self.mails), b"UIDNEXT": following, b"UIDVALIDITY": self.validity}

    def search(self, criteria: list[Any]) -> list[int]:
        if criteria[0] == "SINCE":
            assert isinstance(criteria[1], date)
            return sorted(self.mails)
        floor = int(str(criteria[1]).partition(":")[0])
        return sorted(uid for uid in self.mails if uid >= floor) or [max(self.mails, default=0)]  # as servers do

    def fetch(self, numbers: list[int], items: list[str]) -> dict[int, dict[bytes, Any]]:
        self.asked += items
        if not self.use_uid:
            uids = sorted(self.mails)
            return {number: {b"UID": uids[number - 1]} for number in numbers}
        found: dict[int, dict[bytes, Any]] = {}
        for uid in numbers:
            if uid in self.mails:
                raw = self.mails[uid]
                begin = int(items[0].partition("<0.")[2].rstrip(">") or len(raw))
                found[uid] = {
                    b"RFC822.SIZE": len(raw),
                    b"INTERNALDATE": NOON + timedelta(minutes=uid),
                    b"BODY[]": raw[:begin],
                }
        return found

    def add_flags(self, uids: list[int], flags: list[bytes], silent: bool = False) -> None:
        assert not self.readonly
        self.flagged += uids

    def idle(self) -> None:
        return None

    def idle_check(self, timeout: float | None = None) -> list[Any]:
        found = self.told.pop(0)
        return found() or [] if callable(found) else found

    def idle_done(self) -> None:
        return None


SETTINGS = {"host": "imap.test", "user": "support", "password": "secret-word"}


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a mailbox behind the connection."""

    def behind(mailbox: Mailbox) -> Http:
        @contextmanager
        def opened(http: Http, settings: Any) -> Iterator[Mailbox]:
            yield mailbox

        monkeypatch.setattr(module, "_opened", opened)
        return Http()

    return behind


def numbered(*numbers: int) -> list[bytes]:
    return [mail(f"mail {number}", Message_ID=f"<{number}@x>") for number in numbers]


def texts(page: Any) -> list[str]:
    return [parse(payload.body, dict(payload.meta))["text"] for payload in page.payloads]


def test_a_new_source_reads_a_few_mails_back_and_then_only_new_ones(door: Any):
    box = Mailbox(*numbered(*range(1, 8)))
    http = door(box)
    page = Email().fetch(http, SETTINGS | {"history": 3}, None, now=NOON)
    assert texts(page) == ["mail 5", "mail 6", "mail 7"]
    assert page.cursor == {
        "box": "support imap.test INBOX",
        "uidvalidity": 7,
        "uid": 7,
        "since": "2026-08-01T12:07:00+00:00",
    }
    assert Email().fetch(http, SETTINGS, page.cursor, now=NOON).payloads == ()
    box.mails[9] = numbered(9)[0]
    assert texts(Email().fetch(http, SETTINGS, page.cursor, now=NOON)) == ["mail 9"]


def test_reading_marks_nothing(door: Any):
    box = Mailbox(*numbered(1, 2))
    page = Email().fetch(door(box), SETTINGS, None, now=NOON)
    assert all("PEEK" in item for item in box.asked if item.startswith("BODY"))
    assert (box.readonly, box.flagged, "mark" in (page.cursor or {})) == (True, [], False)


def test_mails_are_marked_only_where_asked_and_only_when_they_are_safe(door: Any):
    box = Mailbox(*numbered(1, 2))
    http = door(box)
    page = Email().fetch(http, SETTINGS | {"mark": True}, None, now=NOON)
    assert box.flagged == []
    Email().fetch(http, SETTINGS | {"mark": True}, page.cursor, now=NOON)
    assert box.flagged == [1, 2]


def test_many_mails_come_in_pages(door: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "BATCH", 3)
    http = door(Mailbox(*numbered(*range(1, 8))))
    cursor, seen = None, []
    for more in (True, True, False):
        page = Email().fetch(http, SETTINGS, cursor, now=NOON)
        assert page.more is more
        cursor, seen = page.cursor, [*seen, *texts(page)]
    assert seen == [f"mail {number}" for number in range(1, 8)]


def test_a_folder_that_was_numbered_anew_is_read_on_from_the_day_of_the_last_mail(door: Any):
    http = door(Mailbox(*numbered(1, 2), validity=8))
    kept = {"box": "support imap.test INBOX", "uidvalidity": 7, "uid": 900, "since": "2026-08-01T12:00:00+00:00"}
    page = Email().fetch(http, SETTINGS | {"history": 0}, kept, now=NOON)
    assert texts(page) == ["mail 1", "mail 2"]
    assert page.cursor is not None and page.cursor["uidvalidity"] == 8
    assert "numbered the folder anew" in page.note


def test_of_a_huge_mail_only_the_beginning_is_fetched(door: Any):
    huge = mail("word " * 500_000)
    page = Email().fetch(door(Mailbox(huge)), SETTINGS | {"size": 1}, None, now=NOON)
    (payload,) = page.payloads
    assert (len(payload.body), payload.meta["size"], payload.meta["truncated"]) == (1_000_000, len(huge), True)
    assert len(parse(payload.body)["text"]) <= module.TEXT


def test_a_mail_that_vanishes_meanwhile_is_passed_over(door: Any):
    class Vanishing(Mailbox):
        def fetch(self, numbers: list[int], items: list[str]) -> dict[int, dict[bytes, Any]]:
            found = super().fetch(numbers, items)
            found.pop(2, None)
            return found

    page = Email().fetch(door(Vanishing(*numbered(1, 2, 3))), SETTINGS, None, now=NOON)
    assert (texts(page), page.cursor["uid"] if page.cursor else None) == (["mail 1", "mail 3"], 3)


def test_a_mail_that_the_server_cannot_give_is_set_aside_and_the_others_come(door: Any):
    class Broken(Mailbox):
        def fetch(self, numbers: list[int], items: list[str]) -> dict[int, dict[bytes, Any]]:
            if items[0].startswith("BODY") and numbers == [2]:
                raise module.IMAPClientError("fetch failed: Message corrupted")
            return super().fetch(numbers, items)

    page = Email().fetch(door(Broken(*numbered(1, 2, 3))), SETTINGS, None, now=NOON)
    assert [len(payload.body) > 0 for payload in page.payloads] == [True, False, True]
    with pytest.raises(Malformed):
        parse(page.payloads[1].body)


def test_a_cursor_of_another_folder_is_not_used(door: Any):
    http = door(Mailbox(*numbered(1, 2)))
    page = Email().fetch(http, SETTINGS, {"box": "support imap.test Archive", "uidvalidity": 7, "uid": 2}, now=NOON)
    assert texts(page) == ["mail 1", "mail 2"]


def test_the_stream_waits_and_reads_on_when_the_server_tells_of_mail(door: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "HUNG_UP", 0)
    box = Mailbox(*numbered(1))
    box.told = [[], lambda: box.mails.update({2: numbered(2)[0]}) or [(2, b"EXISTS")]]
    pages = Email().stream(door(box), SETTINGS, None)
    assert texts(next(pages)) == ["mail 1"]
    assert next(pages).payloads == ()
    assert texts(next(pages)) == ["mail 2"]


def test_settings_that_cannot_work_say_so(door: Any):
    with pytest.raises(GiveUp):
        Email().fetch(Http(), {"host": "", "user": "x"}, None, now=NOON)
    with pytest.raises(AskForCredentials):
        Email().fetch(Http(), {"host": "imap.test", "user": "x"}, None, now=NOON)
    with pytest.raises(GiveUp):
        Email().fetch(Http(), SETTINGS | {"security": "maybe"}, None, now=NOON)
    with pytest.raises(GiveUp, match="Archive"):
        Email().fetch(door(Mailbox()), SETTINGS | {"folder": "Archive"}, None, now=NOON)


def test_a_mailbox_in_the_private_network_is_refused():
    with pytest.raises(GiveUp, match="private network"):
        Email().fetch(Http(), SETTINGS | {"host": "127.0.0.1"}, None, now=NOON)


@pytest.mark.parametrize(
    ("refusal", "error"),
    [("[AUTHENTICATIONFAILED] no", AskForCredentials), ("[UNAVAILABLE] later", TryLater), ("[INUSE] busy", TryLater)],
)
def test_a_busy_server_says_nothing_against_the_password(refusal: str, error: type[Exception]):
    class Refusing(Mailbox):
        def login(self, user: str, password: str) -> None:
            raise module.LoginError(refusal)

    with pytest.raises(error):
        module._sign_in(Refusing(idle=False), "support", "secret-word", "imap.test")  # type: ignore[arg-type]
