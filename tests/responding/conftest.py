"""What the tests of responding share: a case with a conversation, and a channel that does as it is told."""

from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import ClassVar

import pytest

from talkworthy.connectors import registry
from talkworthy.connectors.contract import Capabilities, Checked, Page, Parsed, SendingLimits, Sent, Setting
from talkworthy.connectors.contract import Kind as SettingKind

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


class Letterbox:
    """A channel of the tests' own: it takes every reply unless `script` says something else for the next call.

    `posts` is what stands on the channel; `calls` counts what was asked of it.
    """

    name: ClassVar = "letterbox"
    title: ClassVar = "Letterbox"
    about: ClassVar = "What a test wrote down."
    settings: ClassVar = (Setting(name="token", label="Token", kind=SettingKind.SECRET),)
    capabilities: ClassVar = Capabilities(send=True)
    sending: ClassVar = SendingLimits(
        characters=100,
        visibilities=("public", "private"),
        attachments=2,
        attachment_types=("image/png",),
        attachment_bytes=1000,
        alt_text=True,
        needs=("token",),
    )

    def __init__(self):
        self.posts = []
        self.script = []
        self.calls = []

    def fetch(self, http, settings, cursor, *, now):
        return Page(cursor=cursor)

    def parse(self, payload, settings):
        return Parsed()

    def check(self, http, settings, *, now):
        return Checked(ok=True, message="Ready.")

    def send(self, http, settings, outgoing, *, now):
        self.calls.append(("send", outgoing))
        step = self.script.pop(0) if self.script else "take"
        if step == "take":
            return self._take(outgoing, now)
        if isinstance(step, tuple):  # it takes the reply, and then something breaks
            self._take(outgoing, now)
            step = step[1]
        raise step

    def find_sent(self, http, settings, outgoing, *, now):
        self.calls.append(("find", outgoing))
        if self.script and isinstance(self.script[0], Exception):
            raise self.script.pop(0)
        return next((sent for key, _text, sent in self.posts if key == outgoing.key), None)

    def _take(self, outgoing, now):
        sent = Sent(uid=f"letterbox::{len(self.posts)}", url=f"https://box.example/{len(self.posts)}", at=now)
        self.posts.append((outgoing.key, outgoing.text, sent))
        return sent

    @property
    def texts(self):
        return [text for _key, text, _sent in self.posts]


@pytest.fixture
def channel(monkeypatch):
    """The letterbox, installed beside the real ones."""
    made = Letterbox()
    everything = MappingProxyType({**registry.connectors(), made.name: made})
    monkeypatch.setattr(registry, "connectors", lambda: everything)
    return made


@pytest.fixture
def source(workspace, channel):
    """An account of the letterbox that may answer."""
    from talkworthy.listening.models import Source
    from talkworthy.responding.models import Sender
    from talkworthy.workspaces.credentials import sealed

    made = Source.objects.create(
        workspace=workspace,
        connector="letterbox",
        name="Box",
        key="b" * 43,
        state="healthy",
        secrets=sealed({"token": "t"}),
    )
    Sender.objects.create(source=made, enabled=True)
    return made


@pytest.fixture
def people(workspace, cast):
    """Members: alice administers, erin leads, frank and gina are agents."""
    from talkworthy.workspaces.models import Member, User

    found = {"alice": Member.objects.get(user=cast["alice"]), "carol": Member.objects.get(user=cast["carol"])}
    for name, role in (("erin", "lead"), ("frank", "agent"), ("gina", "agent")):
        user = User.objects.create_user(f"{name}@example.org", name=name.title())
        found[name] = Member.objects.create(workspace=workspace, user=user, role=role)
    return found


@pytest.fixture
def case(workspace, source, people):
    """A case of Frank's on a conversation that Zoe began; beside it a decoy in another workspace."""
    from talkworthy.people.models import Identity
    from talkworthy.routing.models import Case, CaseConversation, Conversation
    from talkworthy.workspaces.models import Workspace

    other = Workspace.objects.create(name="Decoy", slug="decoy")
    for space in (other, workspace):
        identity = Identity.objects.create(workspace=space, channel="letterbox", account="zoe", name="Zoe")
        conversation = Conversation.objects.create(
            workspace=space, channel="letterbox", root="letterbox::q", first_at=NOW, last_at=NOW, title="Router"
        )
        made = Case.objects.create(
            workspace=space,
            number=7,
            title="Router",
            channel="letterbox",
            requester=identity,
            owner=people["frank"] if space == workspace else None,
            outcome="thank",
            opened_at=NOW,
        )
        CaseConversation.objects.create(case=made, conversation=conversation)
    return made


@pytest.fixture
def inward(case):
    """Add a message of Zoe's to the conversation."""
    from talkworthy.routing.models import Message

    def added(uid="letterbox::q", text="Your router is lovely, thank you", *, at=NOW - timedelta(hours=1), **more):
        values = {"sentiment": "positive", "intent": "praise", "identity": case.requester, "language": "en"} | more
        return Message.objects.create(
            workspace=case.workspace,
            conversation=case.conversations.get(),
            uid=uid,
            text=text,
            at=at,
            author_name="Zoe",
            **values,
        )

    return added


@pytest.fixture
def outward(case):
    """Add a message of ours to the conversation, as if it had been written elsewhere."""
    from talkworthy.routing.models import Message

    def added(uid="letterbox::ours", *, at=NOW - timedelta(days=1)):
        return Message.objects.create(
            workspace=case.workspace,
            conversation=case.conversations.get(),
            uid=uid,
            text="Hello",
            at=at,
            direction="outward",
        )

    return added


@pytest.fixture
def draft(case, inward, people):
    """Frank's answer to Zoe's message."""
    from talkworthy.responding import actions

    inward()
    return actions.start_draft(case, text="You are welcome", by=people["frank"], now=NOW)


def _next(at):
    """When something falls due next; nothing happens before."""
    from talkworthy.responding.delivering import LIVING
    from talkworthy.responding.models import Delivery

    rows = Delivery.objects.filter(state__in=LIVING).values_list("due_at", "claimed_until")
    return min((max(due, claimed or due) for due, claimed in rows), default=at + timedelta(days=1))


@pytest.fixture
def pass_time():
    """Deliver everything that falls due until a moment, step by step, as the worker does."""
    from talkworthy.responding.delivering import deliver_due

    def passed(until=timedelta(hours=1), *, start=NOW, step=timedelta(seconds=15)):
        at = start
        while at <= start + until:
            while deliver_due(now=at):
                pass
            at = max(at + step, _next(at))

    return passed
