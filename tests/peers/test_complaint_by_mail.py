"""A complaint by mail on a real server: heard by IMAP, answered by SMTP in its thread, and opened by what follows."""

import smtplib
import uuid
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage

import pytest
from tests.peers.test_sending_peers import HOST, MAILBOX, SMTP, arrived, mailbox, post  # noqa: F401 # fixtures

from talkworthy.hooks.manager import call
from talkworthy.listening.collecting import Listener, fetch_source, parse_pending
from talkworthy.listening.models import Source
from talkworthy.responding.actions import send_draft, start_draft
from talkworthy.responding.delivering import deliver_due
from talkworthy.responding.models import Sender
from talkworthy.routing.models import Case, Message, Rule
from talkworthy.workspaces.credentials import sealed
from talkworthy.workspaces.models import Member, User

pytestmark = [pytest.mark.peer, pytest.mark.django_db]


def mail(number, words, *, under=""):
    """The customer writes to Support."""
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "Zoe <customer@ext.test>", "support@acme.test", "The router"
    made["Message-ID"] = f"<{number}@ext.test>"
    if under:
        made["In-Reply-To"] = made["References"] = under
    made.set_content(words)
    with smtplib.SMTP(HOST, SMTP) as server:
        server.send_message(made)


@pytest.fixture
def frank(workspace):
    user = User.objects.create_user("frank@example.org", name="Frank")
    member = Member.objects.create(workspace=workspace, user=user, role="agent")
    effects = [{"do": "open_case"}, {"do": "assign_member", "member": member.pk}]
    Rule.objects.create(workspace=workspace, name="Mail", condition="router", effects=effects, enabled=True)
    return member


@pytest.fixture
def source(workspace):
    told = {name: value for name, value in MAILBOX.items() if name != "password"}
    made = Source.objects.create(
        workspace=workspace, connector="email", name="Support", key="m" * 43, state="healthy", settings=told,
        secrets=sealed({"password": MAILBOX["password"]}),
    )  # fmt: skip
    Sender.objects.create(source=made, enabled=True)
    return made


def test_a_mail_becomes_a_case_is_answered_in_its_thread_and_followed_up(workspace, frank, source, post, mailbox):  # noqa: F811
    def hear():
        now = datetime.now(UTC)
        fetch_source(source, post, now=now)
        listener = Listener(workspace)
        while parse_pending(workspace, archive=listener.archive):
            pass
        listener.store_pending(now=now)
        while any(call("work_due", now=now)):
            pass

    first, then = uuid.uuid4().hex, uuid.uuid4().hex
    mail(first, "My router is broken")
    assert arrived(mailbox, "INBOX", first)
    hear()
    case = Message.objects.get(uid__contains=first).conversation.cases.get()
    assert case.owner == frank
    now = datetime.now(UTC)
    delivery = send_draft(start_draft(case, text="Restart it.", by=frank, now=now), version=1, by=frank, now=now)
    while deliver_due(now=now + timedelta(seconds=20), opens=lambda source: post):
        pass
    delivery.refresh_from_db()
    assert delivery.state == "delivered", delivery.error
    (copy,) = arrived(mailbox, "Sent", str(delivery.key))
    sent = message_from_bytes(copy)
    assert (sent["In-Reply-To"], sent["Subject"]) == (f"<{first}@ext.test>", "Re: The router")
    mail(then, "Still broken", under=sent["Message-ID"])
    assert arrived(mailbox, "INBOX", then)
    hear()
    assert Message.objects.get(uid__contains=then).conversation.cases.get() == case
    assert Case.objects.get(pk=case.pk).state == "open"
