"""E-mail over IMAP: what customers write to a mailbox.

A mail's uid is its Message-ID, so copies in several folders and mailboxes are one post, and answers name what they
answer. The cursor is UIDVALIDITY and UID; when the server numbers a folder anew, reading goes on from the day of the
last mail, which doubles nothing. Mail is never marked, moved or deleted unless marking is asked for.
"""

import codecs
import hashlib
import imaplib
import re
import smtplib
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header
from email.message import EmailMessage as _Letter
from email.message import Message
from email.policy import SMTP
from email.utils import format_datetime, formataddr, getaddresses, parseaddr, parsedate_to_datetime
from socket import socket as Socket  # noqa: N812 - the class
from typing import Any, ClassVar

import nh3
from imapclient import SEEN, IMAPClient
from imapclient.exceptions import IMAPClientAbortError, IMAPClientError, LoginError
from imapclient.imapclient import SENT
from mailparser_reply.constants import MAIL_LANGUAGES
from mailparser_reply.parser import EmailMessage

from talkworthy.connectors.contract import (
    Capabilities,
    Checked,
    Kind,
    Outgoing,
    Page,
    Parsed,
    SendingLimits,
    Sent,
    Setting,
)
from talkworthy.connectors.errors import AskForCredentials, ConnectorError, GiveUp, Malformed, TryLater, Unsure
from talkworthy.connectors.http import Http
from talkworthy.connectors.markup import links, plain, shortened, storable
from talkworthy.connectors.payload import Cursor, Payload
from talkworthy.connectors.posting import answered
from talkworthy.connectors.reading import moment
from talkworthy.schema import post_uid, posts_table

BATCH = 50
BATCH_BYTES = 20_000_000
TEXT = 50_000
"""Characters of a mail's words that are read."""
LINES = 2_000
LONG_LINE = 300
"""A longer line is no header of a quotation; expressions that look for one take too long over it."""
PARTS = 500
ATTACHMENTS = 20
ANCESTORS = 100
HEARTBEAT = 12.0
RENEW = 25
"""Heartbeats before IDLE is begun anew: five minutes, which every router between survives."""
HUNG_UP = 1.0
"""Seconds: who says nothing sooner than this has gone, or says half a line; either way we look."""
POLL = 5
"""Heartbeats between two questions where the server has no IDLE."""
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
TONGUES = tuple(code for code in MAIL_LANGUAGES if len(code) == 2)
"""Languages whose headers of quotations the library knows."""
_BUSY = re.compile(r"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG)\]")
"""Refusals (RFC 5530) that say nothing against the password."""
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,500})>")
_TAG = re.compile(r"<(/?)([a-z0-9]+)((?:\s[^>]*)?)>")
_QUOTED = re.compile(r"gmail_quote|yahoo_quoted|moz-cite-prefix|protonmail_quote|OLK_SRC_BODY_SECTION|zmail_extra")
_FROM_HERE = re.compile(
    r"divRplyFwdMsg|appendonsend|stopSpelling|OutlookMessageHeader|border-top:\s?solid #?(?:B5C4DF|E1E1E1)",
    re.IGNORECASE,
)
_HTML_TAGS = {
    "a", "b", "blockquote", "br", "center", "code", "dd", "div", "dl", "dt", "em", "font", "h1", "h2", "h3", "h4", "h5",
    "h6", "hr", "i", "li", "ol", "p", "pre", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
_VOID = {"br", "hr"}
_CHARSETS = (
    "utf",
    "iso",
    "cp",
    "koi8",
    "big5",
    "gb",
    "euc",
    "shift",
    "mac",
    "tis",
    "ascii",
    "hz",
    "johab",
    "kz",
    "ptcp",
)
_FOOTER = re.compile(r"\n_{30,}\n(?:[^\n]*\n?){1,6}\Z")
"""The end that mailing lists put below a mail."""
_SOMEBODY_SOMETIME = re.compile(r"(?=.*\d{1,2}[:.h]\d{2})(?=.*(?:@|\b(?:19|20)\d\d\b))")
_NAME = re.compile(r"[^\W\d_][\w'’-]*")
_NAME_AFTER_DASH = re.compile(r"(?:[-–—~] ?)[^\W\d_][\w.'’-]*(?: [^\W\d_][\w.'’-]*){0,2}")
_RULE = re.compile(r"[-_=*~ ]{5,}")


class Email:
    """A mailbox."""

    name: ClassVar[str] = "email"
    title: ClassVar[str] = "E-mail"
    about: ClassVar[str] = "Mail that reaches a mailbox, read over IMAP."
    settings: ClassVar[tuple[Setting, ...]] = (
        Setting(
            name="host",
            label="Mail server",
            required=True,
            help="Name of the IMAP server.",
            example="imap.acme.example",
        ),
        Setting(
            name="security",
            label="Encryption",
            help="As the server's own instructions say.",
            kind=Kind.CHOICE,
            default="implicit",
            choices=(
                ("implicit", "TLS (usual)"),
                ("starttls", "STARTTLS"),
                ("none", "None: the password can be read on the way"),
            ),
        ),
        Setting(name="port", label="Port", kind=Kind.NUMBER, help="993 with TLS, 143 otherwise, unless given."),
        Setting(
            name="user", label="User name", required=True, help="Mostly the address.", example="support@acme.example"
        ),
        Setting(
            name="password",
            label="Password",
            kind=Kind.SECRET,
            required=True,
            help="Large providers want an app password here.",
        ),
        Setting(name="folder", label="Folder", default="INBOX", help="Its name on the server, with its parents."),
        Setting(
            name="history",
            label="Earlier mails at first",
            kind=Kind.NUMBER,
            default=200,
            help="How many mails back a new source reads.",
        ),
        Setting(
            name="languages",
            label="Languages of the mails",
            kind=Kind.LINES,
            default="en",
            help=f"Codes, one a line: closing formulas of these languages are cut off. Known: {', '.join(TONGUES)}.",
            example="en\nde",
        ),
        Setting(
            name="size",
            label="Largest mail",
            kind=Kind.NUMBER,
            default=5,
            help="Megabytes; of a larger mail only the beginning is fetched, mostly without its attachments.",
        ),
        Setting(
            name="smtp_host",
            label="Server for sending",
            help="Name of the SMTP server; without it nothing is answered.",
            example="smtp.acme.example",
        ),
        Setting(
            name="smtp_security",
            label="Encryption when sending",
            help="As the server's own instructions say.",
            kind=Kind.CHOICE,
            default="implicit",
            choices=(
                ("implicit", "TLS (usual)"),
                ("starttls", "STARTTLS"),
                ("none", "None: the password can be read on the way"),
            ),
        ),
        Setting(
            name="smtp_port",
            label="Port for sending",
            kind=Kind.NUMBER,
            help="465 with TLS, 587 otherwise, unless given.",
        ),
        Setting(name="smtp_user", label="User name for sending", help="Where it is another one than above."),
        Setting(
            name="smtp_password",
            label="Password for sending",
            kind=Kind.SECRET,
            help="Where it is another one than above.",
        ),
        Setting(
            name="address",
            label="Sender",
            help="The address that answers come from, with or without a name.",
            example="Acme Support <support@acme.example>",
        ),
        Setting(
            name="sent_folder",
            label="Folder of sent mail",
            help="Its name on the server; found by itself where it is marked as such.",
            example="Sent",
        ),
        Setting(
            name="mark",
            label="Mark as read",
            kind=Kind.FLAG,
            default=False,
            help="Otherwise the mailbox stays as it is.",
        ),
    )
    capabilities: ClassVar[Capabilities] = Capabilities(
        send=True,
        resume=True,
        stream=True,
        history=True,
        met_live=True,
        limits=(
            "A mail that left cannot be taken back.",
            "No mail server says later whether it took a mail: the copy in the sent mail does, else a person is asked.",
            "Mail that a machine wrote, bounces among it, is not answered.",
            "A mail that is deleted or moved in the mailbox stays here: IMAP does not say why it went.",
            "Mail has no edits, no counts and no public address.",
            "Attachments are listed by name, not kept.",
            "Only the first 50,000 characters of a mail are read.",
            "Signatures without a usual beginning stay in the text; measured figures stand in the page.",
            "Signing in with OAuth is not offered; an app password is.",
            "The sender's address is what the mail says; forged senders are for the mail server to refuse.",
        ),
    )

    sending: ClassVar[SendingLimits] = SendingLimits(
        subject=True,
        visibilities=("private",),
        attachments=10,
        attachment_bytes=7_000_000,
        needs=("smtp_host", "address"),
        scopes=("the password of the mailbox, or one for SMTP",),
    )

    def fetch(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> Page:
        """Read the next mails of the folder, 50 at most."""
        with _opened(http, settings) as client:
            return _page(client, settings, cursor, now=now)

    def stream(self, http: Http, settings: Mapping[str, Any], cursor: Cursor | None) -> Iterator[Page]:
        """Read what is new, then wait on the same connection until the server tells of more."""
        with _opened(http, settings) as client:
            waits = client.has_capability("IDLE")
            while True:
                more = True
                while more:
                    page = _page(client, settings, cursor, now=datetime.now(UTC))
                    cursor, more = page.cursor, page.more
                    if page.payloads or page.note:
                        yield page
                with closing(_idle(client) if waits else _poll()) as heartbeats:
                    for _ in heartbeats:
                        yield Page(cursor=cursor)

    def parse(self, payload: Payload, settings: Mapping[str, Any]) -> Parsed:
        """Read one mail."""
        try:
            mail = message_from_bytes(_readable(payload.body))
        except (MessageError, ValueError, RecursionError, IndexError) as error:
            raise Malformed(f"no mail: {error}") from error
        headers = _Headers.of(mail)
        if not any(headers.first(name) for name in ("from", "message-id", "date", "received")):
            raise Malformed("no mail: none of the headers that every mail has")
        row = _post(mail, headers, payload, tongues=_tongues(settings))
        return Parsed(posts=posts_table([row]))

    def check(self, http: Http, settings: Mapping[str, Any], *, now: datetime) -> Checked:
        """Sign in and look at the folder; nothing is fetched or marked."""
        try:
            with _opened(http, settings) as client:
                held = int(_selected(client, settings, readonly=True).get(b"EXISTS", 0))
                told = "at once" if client.has_capability("IDLE") else "every minute (the server has no IDLE)"
        except ConnectorError as error:
            return Checked(ok=False, message=str(error))
        folder, user = _option(settings, "folder"), _option(settings, "user")
        message = f"Signed in as {user}; {folder} holds {held} mails, and new ones are heard {told}."
        return Checked(ok=True, message=message, details={"mails": str(held)})

    def send(self, http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent:
        """Hand the mail to the SMTP server under an id that follows from the reply; a copy goes into the sent mail."""
        return _sent(http, settings, outgoing, now=now)

    def find_sent(self, http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent | None:
        """Look for its id in the sent mail; a mail server cannot be asked, so what is not found is Unsure."""
        return _found(http, settings, outgoing, now=now)


# --- the mailbox ----------------------------------------------------------------------------------------------------


class _Wire(imaplib.IMAP4):
    """IMAP over a socket that was checked and connected before."""

    def __init__(self, given: Socket, host: str, largest: int) -> None:
        self._given = given
        self._largest = largest
        super().__init__(host)

    def _create_socket(self, timeout: float | None = None) -> Socket:
        return self._given

    def read(self, size: int) -> bytes:
        """Refuse a literal that is larger than anything we ask for."""
        if size > self._largest:
            raise self.abort(f"the server sends {size} bytes at once")
        return super().read(size)


class _Client(IMAPClient):  # type: ignore[misc]
    """The library's client on such a wire."""

    def __init__(self, given: Socket, host: str, largest: int) -> None:
        self._made = (given, host, largest)
        super().__init__(host, ssl=False, timeout=60)
        self.normalise_times = False
        self._imap.debug = 0  # the library would hand every line to the log

    def _create_IMAP4(self) -> _Wire:  # noqa: N802 - the library's name
        return _Wire(*self._made)


@contextmanager
def _opened(http: Http, settings: Mapping[str, Any]) -> Iterator["_Client"]:
    """A client that is signed in; signs out at the end."""
    host, user, password = (_option(settings, name) for name in ("host", "user", "password"))
    if not host or not user:
        raise GiveUp("A mailbox needs the name of its server and of its user.")
    if not password:
        raise AskForCredentials(f"The mailbox of {user} needs a password.")
    security = _option(settings, "security")
    if security not in ("implicit", "starttls", "none"):
        raise GiveUp(f"“{security}” is no kind of encryption; choose one of the list.")
    port = _number(settings, "port", 993 if security == "implicit" else 143)
    largest = _largest(settings) + 1_000_000
    given = http.socket(host, port, tls=security, timeout=30.0)  # type: ignore[arg-type]
    with _imap_errors(host), closing(given):
        client = _Client(given, host, largest)
        try:
            if security == "starttls":
                client.starttls(http.tls_context)
            _sign_in(client, user, password, host)
            yield client
            with suppress(IMAPClientError, OSError):
                client.logout()
        finally:
            with suppress(OSError):
                client.shutdown()  # STARTTLS put another socket in the place of the given one


def _sign_in(client: "_Client", user: str, password: str, host: str) -> None:
    if client.has_capability("LOGINDISABLED"):
        raise GiveUp(f"{host} takes no password without encryption; choose TLS or STARTTLS.")
    try:
        if user.isascii() and password.isascii():
            client.login(user, password)
        else:
            client.plain_login(user, password)
    except LoginError as error:
        if _BUSY.search(str(error)):
            raise TryLater(f"{host} lets nobody in at the moment.", after=300.0) from error
        raise AskForCredentials(f"{host} does not accept the name and password of {user}.") from error


@contextmanager
def _imap_errors(host: str) -> Iterator[None]:
    """What goes wrong on the way, as what to do now."""
    try:
        yield
    except (IMAPClientAbortError, OSError) as error:
        raise TryLater(f"The connection with {host} broke: {error}", after=30.0) from error
    except IMAPClientError as error:
        raise TryLater(f"{host} refuses: {error}", after=300.0) from error


def _selected(client: "_Client", settings: Mapping[str, Any], *, readonly: bool) -> Mapping[bytes, Any]:
    folder = _option(settings, "folder")
    try:
        found: Mapping[bytes, Any] = client.select_folder(folder, readonly=readonly)
    except (IMAPClientAbortError, OSError):
        raise
    except IMAPClientError as error:
        raise GiveUp(f"The mailbox has no folder “{folder}”.") from error
    return found


def _page(client: "_Client", settings: Mapping[str, Any], cursor: Cursor | None, *, now: datetime) -> Page:
    """The mails behind the cursor, as far as one page holds."""
    mark = _flag(settings, "mark")
    folder = _selected(client, settings, readonly=not mark)
    validity = int(folder.get(b"UIDVALIDITY", 0))
    box = " ".join(_option(settings, name) for name in ("user", "host", "folder"))
    cursor = cursor if cursor and cursor.get("box") == box else None
    known = cursor if cursor and cursor.get("uidvalidity") == validity else None
    if known and mark and known.get("mark"):
        client.add_flags(known["mark"], [SEEN], silent=True)
    last = int(known["uid"]) if known else _beginning(client, folder, settings, cursor)
    note = (
        ""
        if known or cursor is None
        else "The server numbered the folder anew; mails since the last day are read again."
    )
    waiting = sorted(uid for uid in client.search(["UID", f"{last + 1}:*"]) if uid > last)
    taken, mails = _mails(client, waiting, _largest(settings), _option(settings, "folder"), validity, now=now)
    days = [str((cursor or {}).get("since") or ""), *(str(mail.meta["internaldate"]) for mail in mails)]
    after: dict[str, Any] = {"box": box, "uidvalidity": validity, "uid": taken[-1] if taken else last}
    after["since"] = max(days) or None
    if mark and taken:
        after["mark"] = taken
    return Page(payloads=tuple(mails), cursor=after, more=len(taken) < len(waiting), note=note)


def _beginning(
    client: "_Client", folder: Mapping[bytes, Any], settings: Mapping[str, Any], cursor: Cursor | None
) -> int:
    """The UID before the first mail to read: some mails back, or the day of the last one after a renumbering."""
    held, following = int(folder.get(b"EXISTS", 0)), int(folder.get(b"UIDNEXT", 1))
    since = moment((cursor or {}).get("since"))
    if since is not None:
        found = client.search(["SINCE", (since - timedelta(days=1)).date()])
        return int(min(found)) - 1 if found else following - 1
    history = _number(settings, "history", 200)
    if not held or not history:
        return following - 1
    client.use_uid = False
    try:
        first = client.fetch([max(1, held - history + 1)], ["UID"])
    finally:
        client.use_uid = True
    return min((int(each[b"UID"]) for each in first.values() if b"UID" in each), default=1) - 1


def _mails(
    client: "_Client", waiting: Sequence[int], largest: int, folder: str, validity: int, *, now: datetime
) -> tuple[list[int], list[Payload]]:
    """Fetch mails one by one with PEEK, which marks nothing; the UIDs that were dealt with, and what they hold."""
    if not waiting:
        return [], []
    told = client.fetch(list(waiting[:BATCH]), ["RFC822.SIZE", "INTERNALDATE"])
    taken: list[int] = []
    mails: list[Payload] = []
    total = 0
    for uid in waiting[:BATCH]:
        size = int(told.get(uid, {}).get(b"RFC822.SIZE", 0))
        if taken and total + min(size, largest) > BATCH_BYTES:
            break
        taken.append(uid)
        body = _body(client, uid, largest) if uid in told else None
        if body is None:
            continue
        total += len(body)
        at = told[uid].get(b"INTERNALDATE")
        meta = {
            "folder": folder,
            "uid": uid,
            "uidvalidity": validity,
            "internaldate": (at or now).astimezone(UTC).isoformat(),
            "size": size,
            "truncated": len(body) >= largest,
        }
        mails.append(Payload(body=body, content_type="message/rfc822", fetched_at=now, meta=meta))
    return taken, mails


def _body(client: "_Client", uid: int, largest: int) -> bytes | None:
    """A mail or its beginning; None where it vanished meanwhile, nothing where the server cannot give it.

    The bound is always asked for: some servers are wrong about the size of their mails.
    """
    try:
        found = client.fetch([uid], [f"BODY.PEEK[]<0.{largest}>"]).get(uid, {})
    except (IMAPClientAbortError, OSError):
        raise
    except IMAPClientError as error:
        if _BUSY.search(str(error)):
            raise
        return b""  # a broken mail must not keep the others waiting; reading nothing sets it aside
    return next((value for name, value in found.items() if name.startswith(b"BODY[]") and value is not None), None)


def _idle(client: "_Client") -> Generator[None, None, None]:
    """Wait for the server to tell of new mail, with a heartbeat; ends when it does, or after five minutes."""
    client.idle()
    try:
        for _ in range(RENEW):
            began = time.monotonic()
            told = client.idle_check(timeout=HEARTBEAT)
            hung_up = not told and time.monotonic() - began < HUNG_UP
            if hung_up or any(len(each) > 1 and each[1] == b"EXISTS" for each in told):
                return
            yield
    finally:
        with suppress(IMAPClientError, OSError):
            client.idle_done()


def _poll() -> Generator[None, None, None]:
    for _ in range(POLL):
        time.sleep(HEARTBEAT)
        yield


# --- one mail ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Headers:
    """Headers by lower-case name, decoded."""

    values: Mapping[str, list[str]]

    @classmethod
    def of(cls, mail: "Message[str, str]") -> "_Headers":
        found: dict[str, list[str]] = {}
        for name, raw in list(mail.raw_items())[:1_000]:
            found.setdefault(str(name).lower(), []).append(_unfolded(str(raw)))
        return cls(values=found)

    def raw(self, name: str) -> str:
        return self.values.get(name, [""])[0]

    def first(self, name: str) -> str:
        return _decoded_words(self.raw(name)).strip()


def _post(mail: "Message[str, str]", headers: _Headers, payload: Payload, *, tongues: Sequence[str]) -> dict[str, Any]:
    body = _Body.of(mail)
    kinds = _kinds(mail, headers)
    parent, ancestors = _thread(headers)
    if parent is None and "bounce" in kinds and (returned := _returned(mail)):
        parent, ancestors = returned, [returned]
    own = _own_id(headers, payload.body)
    ancestors = [each for each in ancestors if each != own]
    parent = parent if parent != own else None
    files = [f"attachment:{name}" for name in body.files]
    author = _author(headers, automated="automated" in kinds)
    html = "" if body.plain.strip() else _without_quotes(body.html)
    return {
        "uid": _uid(own),
        "kind": "message",
        "author": author,
        "title": headers.first("subject")[:1_000] or None,
        "text": _said(plain(html) if html else body.plain, tongues, sender=(author or {}).get("name") or ""),
        "language": _language(headers.first("content-language")),
        "published_at": _published(headers, payload),
        "collected_at": payload.fetched_at,
        "in_reply_to": _uid(parent) if parent else None,
        "root": _uid(ancestors[0]) if ancestors else _uid(parent) if parent else None,
        "references": [_uid(each) for each in ancestors],
        "engagement_type": "REPLY" if parent else None,
        "links": links(html) if html else None,
        "tags": [*kinds, *files] or None,
        "media": [],
        "community": _list_id(headers),
        "visibility": "private",
    }


def _readable(body: bytes) -> bytes:
    """As many lines as the parser reads in a second: its time grows with lines times the boundaries it looks for."""
    lines = 100_000 if body.lower().count(b"boundary=") <= 20 else 5_000
    if body.count(b"\n") <= lines:
        return body
    return b"".join(body.splitlines(keepends=True)[:lines])


def _uid(message_id: str) -> str:
    return post_uid("email", "", message_id)


def _own_id(headers: _Headers, body: bytes) -> str:
    """The Message-ID; for a mail without one, a hash of the mail itself."""
    found = _MESSAGE_ID.search(headers.raw("message-id"))
    if found:
        return storable(found[1])
    return "hash-" + hashlib.blake2b(body, digest_size=16).hexdigest()


def _thread(headers: _Headers) -> tuple[str | None, list[str]]:
    """What the mail answers, and its ancestors, oldest first."""
    references = [storable(each) for each in _MESSAGE_ID.findall(headers.raw("references"))]
    answered = _MESSAGE_ID.search(headers.raw("in-reply-to"))
    parent = storable(answered[1]) if answered else references[-1] if references else None
    if len(references) > ANCESTORS:
        references = [references[0], *references[1 - ANCESTORS :]]
    if parent and parent not in references:
        references.append(parent)
    return parent, list(dict.fromkeys(references))


def _returned(mail: "Message[str, str]") -> str | None:
    """The Message-ID of the mail that a bounce brings back, whole or by its headers."""
    held = mail.get_payload() if mail.is_multipart() else None
    for part in [each for each in held if isinstance(each, Message)][:10] if isinstance(held, list) else ():
        inner = part.get_payload()
        found = None
        if part.get_content_type() == "message/rfc822" and isinstance(inner, list) and isinstance(inner[0], Message):
            found = _MESSAGE_ID.search(_Headers.of(inner[0]).raw("message-id"))
        elif part.get_content_type() == "text/rfc822-headers" and isinstance(inner, str):
            found = re.search(r"^message-id:\s*<([^<>\s]{1,500})>", inner, re.IGNORECASE | re.MULTILINE)
        if found:
            return storable(found[1])
    return None


def _author(headers: _Headers, *, automated: bool) -> dict[str, Any] | None:
    """Who the mail says it is from; groups and nonsense give nobody."""
    try:
        pairs = getaddresses([headers.raw("from")[:2_000]])
    except (ValueError, IndexError, TypeError, RecursionError):
        pairs = []
    address = next((storable(address).lower() for _, address in pairs if "@" in address), None)
    name = next((_decoded_words(name).strip() for name, address in pairs if "@" in address), "")
    if address is None:
        return None
    return {
        "id": address,
        "handle": address,
        "name": name or None,
        "url": None,
        "avatar": None,
        "bio": None,
        "followers": None,
        "following": None,
        "verified": None,
        "verified_type": None,
        "automated": True if automated else None,
    }


def _kinds(mail: "Message[str, str]", headers: _Headers) -> list[str]:
    """What a machine sent: `automated`, and more exactly what; a mailing list is people: `list`."""
    submitted = headers.first("auto-submitted").lower().partition(";")[0].strip()
    precedence = headers.first("precedence").lower()
    report = str(mail.get_param("report-type", "")).lower() if mail.get_content_type() == "multipart/report" else None
    sender = headers.raw("from").lower()
    found = []
    if report not in (None, "", "delivery-status"):
        found.append("receipt" if report == "disposition-notification" else "report")
    elif report is not None or re.search(r"\b(?:mailer-daemon|postmaster)@", sender):
        found.append("bounce")
    elif (
        submitted.startswith("auto-replied")
        or precedence == "auto_reply"
        or _has(headers, "x-autoreply", "x-autorespond")
    ):
        found.append("auto-reply")
    elif headers.first("return-path").replace(" ", "") == "<>":
        found.append("bounce")
    listed = bool(headers.raw("list-id") or headers.raw("list-post")) or precedence == "list"
    if (precedence in ("bulk", "junk") or headers.raw("list-unsubscribe")) and not headers.raw("list-post"):
        found.append("bulk")
    machine = bool(found) or submitted not in ("", "no") or _has(headers, "x-auto-response-suppress")
    return [*(["automated"] if machine else []), *found, *(["list"] if listed else [])]


def _has(headers: _Headers, *names: str) -> bool:
    return any(headers.first(name).lower() not in ("", "no", "none") for name in names)


def _list_id(headers: _Headers) -> str | None:
    found = re.search(r"<([^<>\s]{1,200})>", headers.raw("list-id"))
    return storable(found[1]) if found else None


def _language(value: str) -> str | None:
    code = value.partition(",")[0].strip().partition("-")[0].lower()
    return code if 2 <= len(code) <= 3 and code.isascii() and code.isalpha() else None


def _published(headers: _Headers, payload: Payload) -> datetime:
    """The mail's own date where it is believable, else when the server took it in, else when we fetched it."""
    arrived = moment(payload.meta.get("internaldate")) or payload.fetched_at
    try:
        said = parsedate_to_datetime(headers.first("date"))
        said = said.replace(tzinfo=UTC) if said.tzinfo is None else said.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return arrived
    return said if EARLIEST <= said <= arrived + timedelta(hours=1) else arrived


# --- words ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Body:
    """The words of a mail, plain and as HTML, and the names of what is attached."""

    plain: str = ""
    html: str = ""
    files: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, mail: "Message[str, str]") -> "_Body":
        texts: dict[str, list[str]] = {"text/plain": [], "text/html": []}
        files: list[str] = []
        for part in _leaves(mail):
            kind = part.get_content_type()
            name = _file_name(part)
            attached = part.get_content_disposition() == "attachment"
            if kind in texts and not attached and not (name and texts[kind]):
                texts[kind].append(_part_text(part, kind))
            elif len(files) < ATTACHMENTS and (name or attached):
                files.append(name or kind)
        together = {kind: "\n".join(found)[: 10 * TEXT] for kind, found in texts.items()}
        return cls(plain=together["text/plain"], html=together["text/html"], files=tuple(files))


def _leaves(mail: "Message[str, str]") -> Iterator["Message[str, str]"]:
    """The parts that are no containers; a mail within a mail is one attachment, and is not opened."""
    waiting, seen = [mail], 0
    while waiting and seen < PARTS:
        part = waiting.pop()
        seen += 1
        held = part.get_payload() if part.is_multipart() else None
        if part.get_content_maintype() == "multipart" and isinstance(held, list):
            waiting.extend(each for each in reversed(held) if isinstance(each, Message))
        else:
            yield part


def _part_text(part: "Message[str, str]", kind: str) -> str:
    try:
        raw = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):
        return ""
    if not isinstance(raw, bytes):
        return ""
    text = _decoded(raw, part.get_param("charset"))
    flowed = kind == "text/plain" and str(part.get_param("format", "")).lower() == "flowed"
    return _unflowed(text, delete_space=str(part.get_param("delsp", "")).lower() == "yes") if flowed else text


def _file_name(part: "Message[str, str]") -> str:
    try:
        name = part.get_filename() or ""
    except (ValueError, LookupError, TypeError):
        name = ""
    return _decoded_words(_unfolded(name)).replace("/", "_").strip()[:200]


def _decoded(raw: bytes, charset: object) -> str:
    """Bytes as text: the declared encoding where it is a plain one and fits, else UTF-8, else Windows-1252."""
    for name in (charset if isinstance(charset, str) else "", "utf-8"):
        with suppress(LookupError, ValueError):
            codec = codecs.lookup(name.strip("\"' "))
            if codec.name.startswith(_CHARSETS):
                return storable(raw.decode(codec.name))
    return storable(raw.decode("cp1252", "replace"))


def _decoded_words(value: str) -> str:
    """A header with its encoded words read, whatever encoding they claim."""
    if "=?" not in value:
        return storable(value)
    try:
        pieces = decode_header(value)
    except (MessageError, ValueError, IndexError):
        return storable(value)
    return "".join(
        _decoded(piece, charset) if isinstance(piece, bytes) else storable(piece) for piece, charset in pieces
    )


def _unfolded(value: str) -> str:
    """A header on one line; raw bytes in it are read as UTF-8 or Windows-1252."""
    line = re.sub(r"\r?\n[ \t]*", " ", value[:20_000])
    return line if line.isascii() else _decoded(line.encode("utf-8", "surrogateescape"), None)


def _unflowed(text: str, *, delete_space: bool) -> str:
    """Lines that end with a blank go on in the next one (RFC 3676)."""
    lines: list[str] = []
    open_line = False
    for line in text.splitlines():
        if open_line and lines and not line.startswith(">"):
            lines[-1] = (lines[-1][:-1] if delete_space else lines[-1]) + line.removeprefix(" ")
        else:
            lines.append(line)
        open_line = line.endswith(" ") and line != "-- " and not line.startswith(">")
    return "\n".join(lines)


def _without_quotes(html: str) -> str:
    """HTML without the elements in which mail programs put what is quoted."""
    if not html:
        return ""
    simple = nh3.clean(
        shortened(html),
        tags=_HTML_TAGS,
        attributes={"*": {"class", "id", "style"}, "a": {"href"}},
        clean_content_tags={"script", "style", "head", "title"},
        link_rel=None,
    )
    kept: list[str] = []
    at, depth = 0, 0
    for tag in _TAG.finditer(simple):
        closes, name, told = tag[1] == "/", tag[2], tag[3]
        if depth == 0:
            kept.append(simple[at : tag.start()])
            if not closes and _FROM_HERE.search(told):
                return "".join(kept)
            if not closes and name not in _VOID and (name == "blockquote" or _QUOTED.search(told)):
                depth = 1
            else:
                kept.append(tag[0])
        elif name not in _VOID:
            depth += -1 if closes else 1
        at = tag.end()
    kept.append(simple[at:] if depth == 0 else "")
    words = "".join(kept)
    return words if plain(words) else simple


def _said(text: str, tongues: Sequence[str], *, sender: str = "") -> str:
    """What this mail adds: without quotations, their headers, and a closing formula with the signature below it.

    A mail that holds nothing else keeps all of it.
    """
    short, long_lines = _bounded(text)
    short = _FOOTER.sub("", short)
    own: list[str] = []
    for fragment in EmailMessage(text=short, languages=list(TONGUES), keep_hyphen_lists=True).read().replies:
        lines = fragment.content.removeprefix(fragment.headers).splitlines()
        quoted = [place for place, line in enumerate(lines) if line.startswith(">")]
        if fragment.headers and not quoted:
            break  # quoted without marks: all below is older
        begin = quoted[0] if fragment.headers else 0
        own += [*_unquoted(lines[begin:]), ""]
    words = _unsigned("\n".join(own).strip(), tongues, sender) or short.strip()
    return _trimmed("".join(long_lines.get(each, each) for each in re.split("([\ue000-\uefff])", words)))


def _unquoted(lines: Sequence[str]) -> list[str]:
    """Lines without mark of quotation; one that tells who wrote what is quoted below goes too, in any language."""
    kept: list[str] = []
    for line in lines:
        if not line.startswith(">"):
            kept.append(line)
            continue
        while kept and not kept[-1]:
            kept.pop()
        for count in (1, 2):
            if kept and kept[-1].endswith(":") and _SOMEBODY_SOMETIME.search(" ".join(kept[-count:])):
                del kept[-count:]
                break
    return kept


def _unsigned(words: str, tongues: Sequence[str], sender: str) -> str:
    """Without closing formula, signature and disclaimer; a long end is no signature."""
    if not words:
        return ""
    (fragment, *_) = EmailMessage(text=words, languages=list(tongues), keep_hyphen_lists=True).read().replies
    signature = fragment.signatures or ""
    below = [line for line in signature.splitlines() if line.strip()]
    start = words.rfind(signature) if signature else -1
    if start > 0 and len(below) <= 12 and len(below[0]) <= 60 and not below[0].rstrip().endswith("?"):
        words = words[:start]
    lines = words.rstrip().splitlines()
    begins = _own_name(lines, sender)
    if begins is not None:
        lines = lines[:begins]
    elif len(lines) > 1 and not lines[-2].startswith("-") and _NAME_AFTER_DASH.fullmatch(lines[-1]):
        lines.pop()
    return "\n".join(lines).rstrip()


def _own_name(lines: Sequence[str], sender: str) -> int | None:
    """The line near the end that is the sender's own name and nothing else: there a signature begins."""
    names = set(_NAME.findall(sender.casefold()))
    for place in range(len(lines) - 1, max(0, len(lines) - 8), -1):
        words = _NAME.findall(lines[place].casefold())
        if words and names.issuperset(words) and len(lines[place]) <= len(sender) + 6:
            return place
    return None


def _trimmed(words: str) -> str:
    lines = words.strip().splitlines()
    while lines and (not lines[-1].strip() or _RULE.fullmatch(lines[-1].strip())):
        lines.pop()
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))[:TEXT]


def _bounded(text: str) -> tuple[str, dict[str, str]]:
    """Text that the library reads in bounded time: few lines, none long, no runs of blanks.

    Long lines are replaced by marks from the private use area; what each stands for comes along.
    """
    plain_text = re.sub("[\ue000-\uefff]", "\ufffd", text[: 4 * TEXT].replace("\r\n", "\n").replace("\r", "\n"))
    lines = [re.sub(r"\s{3,}", "  ", line.rstrip()) for line in plain_text[:TEXT].split("\n")]
    kept: dict[str, str] = {}
    short: list[str] = []
    for line in lines:
        if not line and short[-1:] == [""]:
            continue
        if len(line) > LONG_LINE and not line.startswith(">") and len(kept) < 0xFFF:
            mark = chr(0xE000 + len(kept))
            kept[mark] = line
            line = mark
        short.append(line[: LONG_LINE + 1] if line.startswith(">") else line)
    return "\n".join(short[:LINES]), kept


# --- settings -------------------------------------------------------------------------------------------------------


def _option(settings: Mapping[str, Any], name: str) -> str:
    default = next(each.default for each in Email.settings if each.name == name)
    value = settings.get(name)
    return str(value if value not in (None, "") else default or "").strip()


def _number(settings: Mapping[str, Any], name: str, default: int) -> int:
    told = _option(settings, name)
    try:
        number = int(told) if told else default
    except ValueError as error:
        raise GiveUp(f"“{name}” must be a whole number.") from error
    if number < 0:
        raise GiveUp(f"“{name}” must not be negative.")
    return number


def _largest(settings: Mapping[str, Any]) -> int:
    """Bytes of the largest mail that is fetched whole."""
    return max(1, _number(settings, "size", 5)) * 1_000_000


def _flag(settings: Mapping[str, Any], name: str) -> bool:
    return settings.get(name) in (True, 1, "1", "true", "on", "yes")


def _tongues(settings: Mapping[str, Any]) -> list[str]:
    """Languages whose closing formulas are cut off."""
    value = settings.get("languages") or "en"
    told = re.split(r"[\s,]+", value) if isinstance(value, str) else [str(each) for each in value]
    return [code for each in told if (code := each.strip().lower()) in TONGUES] or ["en"]


# --- sending ---------------------------------------------------------------------------------------------------------


class _Post(smtplib.SMTP):
    """SMTP over a socket that was checked and connected before."""

    def __init__(self, given: Socket, host: str) -> None:
        self._given = given
        super().__init__(timeout=30.0)
        self._host = host
        code, said = self.connect(host, 1)
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)

    def _get_socket(self, host: str, port: int, timeout: float) -> Socket:
        return self._given


def _sent(http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent:
    mail, recipient = _written(settings, outgoing, now)
    sender = _sender(settings)[1]
    with _post_office(http, settings) as office:
        try:
            _expect(office.mail(sender), 250)
            _expect(office.rcpt(recipient), 250, 251)
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            raise TryLater(f"The connection with the mail server broke: {error}", after=30.0) from error
        try:
            code, said = office.data(mail.as_bytes(policy=SMTP))
        except smtplib.SMTPDataError as error:
            _expect((error.smtp_code, _bytes_of(error.smtp_error)), 250)
            raise
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            raise Unsure(f"The mail server was given the mail and did not answer: {error}") from error
        _expect((code, said), 250)
    with suppress(ConnectorError):  # the mail is gone; a copy that is missing is a smaller harm than a second mail
        _keep_copy(http, settings, mail, now)
    return _as_sent(mail, now)


def _found(http: Http, settings: Mapping[str, Any], outgoing: Outgoing, *, now: datetime) -> Sent | None:
    own = _message_id(settings, outgoing)
    with _opened(http, settings) as client:
        for folder in dict.fromkeys((_sent_folder(client, settings), _option(settings, "folder"))):
            if folder is None:
                continue
            client.select_folder(folder, readonly=True)
            if client.search(["HEADER", "Message-ID", own]):
                return Sent(uid=_uid(own.strip("<>")), at=outgoing.began_at)
    raise Unsure("The mail is not in the sent mail; whether the mail server took it cannot be asked.")


def _written(settings: Mapping[str, Any], outgoing: Outgoing, now: datetime) -> tuple[_Letter, str]:
    """The mail, and whom it goes to."""
    post = answered(outgoing, "email")
    if {"automated", "bounce"} & set(post.get("tags") or ()):
        raise GiveUp("A machine wrote what it answers; a mail to it would come back, or go round in circles.")
    author = post.get("author") or {}
    recipient = next((str(author[name]) for name in ("handle", "id") if "@" in str(author.get(name) or "")), "")
    if not recipient:
        raise GiveUp("The mail that it answers has no sender.")
    mail = _Letter()
    mail["From"] = formataddr(_sender(settings))
    mail["To"] = formataddr((str(author.get("name") or ""), recipient))
    mail["Subject"] = _one_line(outgoing.subject or f"Re: {post.get('title') or ''}")
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = _message_id(settings, outgoing)
    parent = str(post.get("native_id") or "")
    if not parent.startswith("hash-"):
        ancestors = [str(uid).removeprefix("email::") for uid in post.get("references") or ()]
        above = [f"<{each}>" for each in dict.fromkeys([*ancestors, parent]) if not each.startswith("hash-")]
        mail["In-Reply-To"] = f"<{parent}>"
        mail["References"] = " ".join(above[-ANCESTORS:])
    if outgoing.automatic:
        mail["Auto-Submitted"] = "auto-replied"
    mail.set_content(outgoing.text + "\n")
    for file in outgoing.attachments:
        main, _, sub = file.content_type.partition("/")
        mail.add_attachment(file.body, maintype=main, subtype=sub or "octet-stream", filename=file.name)
        if file.alt:
            [*mail.iter_attachments()][-1]["Content-Description"] = _one_line(file.alt)
    if outgoing.language:
        mail["Content-Language"] = outgoing.language  # last, because setting the content takes such headers away
    return mail, recipient


def _message_id(settings: Mapping[str, Any], outgoing: Outgoing) -> str:
    """The same id at every try."""
    return f"<{outgoing.key}@{_sender(settings)[1].rpartition('@')[2]}>"


def _sender(settings: Mapping[str, Any]) -> tuple[str, str]:
    name, address = parseaddr(_option(settings, "address"))
    if not re.fullmatch(r"[^@\s<>]+@[^@\s<>]+", address):
        raise GiveUp("Answering needs the address that answers come from.")
    return name, address


def _one_line(words: str) -> str:
    return " ".join(words.split())


@contextmanager
def _post_office(http: Http, settings: Mapping[str, Any]) -> Iterator[_Post]:
    """A mail server that is ready to take a mail; until the mail was handed over, whatever breaks is TryLater."""
    host, security = _option(settings, "smtp_host"), _option(settings, "smtp_security")
    if not host:
        raise GiveUp("Answering needs the name of a server for sending.")
    user = _option(settings, "smtp_user") or _option(settings, "user")
    password = str(settings.get("smtp_password") or settings.get("password") or "")
    port = _number(settings, "smtp_port", 465 if security == "implicit" else 587)
    given = http.socket(host, port, tls=security, timeout=30.0)  # type: ignore[arg-type]
    with closing(given), ExitStack() as ending:
        try:
            office = _Post(given, host)
            ending.callback(office.close)  # STARTTLS puts another socket in the place of the given one
            office.ehlo_or_helo_if_needed()
            if security == "starttls":
                office.starttls(context=http.tls_context)
                office.ehlo()
            if password and office.has_extn("auth"):
                office.login(user, password)
        except smtplib.SMTPAuthenticationError as error:
            if error.smtp_code < 500:
                raise TryLater(f"{host} lets nobody in at the moment.", after=300.0) from error
            raise AskForCredentials(f"{host} does not accept the name and password of {user}.") from error
        except smtplib.SMTPNotSupportedError as error:
            raise GiveUp(f"{host} does not offer what is needed: {error}") from error
        except (smtplib.SMTPException, OSError) as error:
            raise TryLater(f"The connection with {host} broke: {error}", after=60.0) from error
        yield office
        with suppress(smtplib.SMTPException, OSError):
            office.quit()


def _expect(answer: tuple[int, bytes], *codes: int) -> None:
    """Nothing, or what another answer means; each says that the mail was not taken."""
    code, said = answer[0], answer[1].decode("utf-8", "replace")[:300]
    if code in codes:
        return
    if code in (530, 535, 550) and "auth" in said.lower():
        raise AskForCredentials(f"The mail server wants us to sign in: {said}")
    if 400 <= code < 500:
        raise TryLater(f"The mail server asks for a pause: {said}", after=300.0)
    raise GiveUp(f"The mail server does not take it: {code} {said}")


def _bytes_of(said: str | bytes) -> bytes:
    return said if isinstance(said, bytes) else said.encode()


def _keep_copy(http: Http, settings: Mapping[str, Any], mail: _Letter, now: datetime) -> None:
    with _opened(http, settings) as client:
        folder = _sent_folder(client, settings)
        if folder is None:
            return
        client.select_folder(folder, readonly=True)
        if not client.search(["HEADER", "Message-ID", str(mail["Message-ID"])]):  # some servers keep one themselves
            client.append(folder, mail.as_bytes(policy=SMTP), flags=(SEEN,), msg_time=now)


def _sent_folder(client: "_Client", settings: Mapping[str, Any]) -> str | None:
    """The folder of sent mail: as told, as marked by the server (RFC 6154), or by the usual name."""
    told = _option(settings, "sent_folder")
    if told:
        return told
    found = client.find_special_folder(SENT)
    return str(found) if found else None


def _as_sent(mail: _Letter, now: datetime) -> Sent:
    return Sent(uid=_uid(str(mail["Message-ID"]).strip("<>")), at=now)


connector = Email()
