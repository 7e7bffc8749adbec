"""One complaint from the post to its erasure, through every room; only the network's transport is the test's own."""

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.conf import settings
from django.db import connection
from tests.connectors.sending_servers import MastodonServer

from talkworthy.connectors.http import Http
from talkworthy.hooks.manager import call
from talkworthy.listening.actions import create_monitor, create_source, start_person_erasure
from talkworthy.listening.collecting import Listener, fetch_source, parse_pending
from talkworthy.listening.jobs import claim_job, run_job
from talkworthy.listening.stores import archive_of
from talkworthy.people.actions import create_person
from talkworthy.people.forgetting import records_of
from talkworthy.people.selectors import accounts_of
from talkworthy.responding.actions import Refused, approve_draft, ask_approval, save_approval_rule, send_draft
from talkworthy.responding.actions import start_draft as begin_draft
from talkworthy.responding.delivering import LEASE, deliver_due
from talkworthy.responding.models import Delivery, Sender
from talkworthy.routing.actions.cases import resolve_case
from talkworthy.routing.actions.playbooks import playbook_of
from talkworthy.routing.actions.rules import create_rule, switch_rule
from talkworthy.routing.models import Case, Conversation, Decision, Message, Target, Timer
from talkworthy.workspaces.models import Member, Team, TeamMember, User

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)
RECORDED = json.loads((Path(__file__).parents[1] / "recorded" / "mastodon" / "replies.json").read_text())
COMPLAINT = "My Acme router is broken since the update, I am utterly flummoxed. Please help me!"
AGAIN = "Thanks, but it is broken once more, still flummoxed. What now?"
OTHER = "The Acme router of my office is broken, please help!"


class SocialServer(MastodonServer):
    """It also tells its mentions, in the shape of a recorded one."""

    def __init__(self):
        super().__init__()
        self.told = []
        self.clock = NOON

    def tell(self, id, words, *, at, acct="zoe@far.example", under=None):
        """Somebody mentions us."""
        (note,) = json.loads(json.dumps(RECORDED["mention"]))
        author = note["status"]["account"] | {"id": acct[:3], "acct": acct, "username": acct.split("@")[0]}
        author |= {"display_name": acct[:3].title(), "url": f"https://far.example/@{acct[:3]}"}
        author |= {"uri": f"https://far.example/users/{acct[:3]}"}
        stamp = at.isoformat().replace("+00:00", "Z")
        status = note["status"] | {"id": id, "content": f"<p>{words}</p>", "in_reply_to_id": under, "account": author}
        status |= {"created_at": stamp, "url": f"https://far.example/@{acct[:3]}/{id}", "mentions": []}
        self.told.append(note | {"id": str(len(self.told) + 1), "account": author, "status": status})

    def read(self, request, path):
        if path == "/api/v1/notifications":
            after = int(request.url.params.get("min_id", 0))
            return httpx.Response(200, json=[note for note in reversed(self.told) if int(note["id"]) > after])
        return super().read(request, path)

    def write(self, request):
        super().write(request)
        self.kept[-1]["created_at"] = self.clock.isoformat().replace("+00:00", "Z")
        return httpx.Response(200, json=self.kept[-1])


@pytest.fixture
def server():
    return SocialServer()


@pytest.fixture
def door(server):
    """The real door to the network, with the server behind it."""
    return lambda source: Http(
        transport=server, resolve=lambda host, port: ["93.184.216.34"], sleep=lambda seconds: None
    )


@pytest.fixture
def desk(workspace, alice):
    """Frank and Gina of Support, who answer in an hour, each other's words approved; a rule asks the playbook."""
    people = {}
    team = Team.objects.create(workspace=workspace, name="Support", slug="support")
    for name, role in (("frank", "agent"), ("gina", "lead")):
        user = User.objects.create_user(f"{name}@example.org", name=name.title())
        people[name] = Member.objects.create(workspace=workspace, user=user, role=role)
    TeamMember.objects.create(team=team, member=people["frank"])
    for priority in Case.Priority.values:
        minutes = {"first_answer": 60, "next_answer": 30, "resolution": 600, "around_the_clock": True}
        Target.objects.create(workspace=workspace, priority=priority, **minutes)
    playbook_of(workspace, now=NOON)
    effects = [{"do": "triage"}, {"do": "assign_team", "team": team.pk}]
    rule = create_rule(workspace, name="Broken", condition="broken", effects=effects, by=alice, now=NOON)
    switch_rule(rule, on=True, by=alice, now=NOON)
    asked = {"condition": {}, "team": None, "count": 1, "by_another": True, "enabled": True}
    save_approval_rule(workspace, name="Four eyes", **asked, by=alice, now=NOON)
    create_monitor(workspace, name="Acme", kind="brand", colour="blue", owner=None, query="acme", by=alice, now=NOON)
    return people


@pytest.fixture
def source(workspace, alice):
    told = {"server": "https://social.example", "what": "mentions"}
    made = create_source(
        workspace, connector="mastodon", name="Us", settings=told, secrets={"token": "t"}, by=alice, now=NOON
    )
    Sender.objects.create(source=made, enabled=True)
    return made


@pytest.fixture
def hear(workspace, source, door):
    """Fetch, parse, understand, store, and let every room do what is due: what the worker does in one round."""

    def heard(now):
        fetch_source(source, door(source), now=now)
        listener = Listener(workspace)
        while parse_pending(workspace, archive=listener.archive):
            pass
        listener.store_pending(now=now)
        while any(call("work_due", now=now)):
            pass

    return heard


def test_a_complaint_is_heard_decided_answered_once_settled_and_forgotten(
    workspace, alice, desk, source, server, door, hear
):
    server.tell("1", COMPLAINT, at=NOON - timedelta(minutes=2))
    server.tell("7", OTHER, at=NOON - timedelta(minutes=1), acct="yan@far.example")
    hear(NOON)
    case = _becomes_a_case(workspace, desk)
    delivery = _is_answered_after_approval(case, desk, now=NOON + timedelta(minutes=5))
    _arrives_once_though_the_worker_dies(delivery, server, door, now=NOON + timedelta(minutes=6))
    _follow_up_asks_for_the_next_answer(case, server, hear, now=NOON + timedelta(minutes=30))
    case.refresh_from_db()
    resolve_case(case, outcome="help", by=desk["frank"].user, now=NOON + timedelta(hours=1))
    assert not Timer.objects.filter(case=case, done_at=None).exists()
    _is_forgotten(workspace, alice, case)


def _becomes_a_case(workspace, desk):
    decision = Decision.objects.get(workspace=workspace, uid="mastodon:social.example:1")
    case = decision.case
    assert (case.owner, case.team.slug, case.state) == (desk["frank"], "support", "new")
    assert case.first_answer_due_at == NOON + timedelta(minutes=60)
    assert decision.path[0]["node"] == "Q1" and case.outcome == decision.outcome != ""
    assert case.requester.handle == "zoe@far.example"
    assert Case.objects.filter(workspace=workspace).count() == 2
    return case


def _is_answered_after_approval(case, desk, *, now):
    frank, gina = desk["frank"], desk["gina"]
    draft = begin_draft(case, text="We are sorry. Please restart it twice.", by=frank, now=now)
    with pytest.raises(Refused, match="approved"):
        send_draft(draft, version=draft.version, by=frank, now=now)
    ask_approval(draft, by=frank, now=now)
    with pytest.raises(Refused, match="does not count"):
        approve_draft(draft, version=draft.version, by=frank, now=now)
    approve_draft(draft, version=draft.version, by=gina, now=now)
    return send_draft(draft, version=draft.version, by=frank, now=now)


def _arrives_once_though_the_worker_dies(delivery, server, door, *, now):
    server.clock = now
    server.breaks = [(None, KeyboardInterrupt())]  # it took the reply, and nobody is left to write that down
    with pytest.raises(KeyboardInterrupt):
        deliver_due(now=now, opens=door)
    delivery.refresh_from_db()
    assert (delivery.state, len(server.kept)) == ("sending", 1)
    assert not deliver_due(now=now + timedelta(minutes=1), opens=door)  # its claim holds
    while deliver_due(now=now + LEASE + timedelta(seconds=1), opens=door):
        pass
    delivery.refresh_from_db()
    assert (delivery.state, delivery.remote_uid) == (Delivery.State.DELIVERED, "mastodon:social.example:100")
    assert len(server.kept) == 1 and server.kept[0]["in_reply_to_id"] == "1"
    case = Case.objects.get(pk=delivery.draft.case_id)
    assert (case.state, case.first_answer_due_at) == ("waiting", None)


def _follow_up_asks_for_the_next_answer(case, server, hear, *, now):
    server.tell("2", AGAIN, at=now, under="100")
    hear(now + timedelta(minutes=1))
    case.refresh_from_db()
    assert (case.state, case.next_answer_due_at) == ("open", now + timedelta(minutes=30))
    directions = Message.objects.filter(conversation__cases=case).order_by("at").values_list("direction", flat=True)
    assert list(directions) == ["inward", "outward", "inward"]
    assert Decision.objects.count() <= 3 and Case.objects.count() == 2


def _is_forgotten(workspace, alice, case):
    person = create_person(
        workspace,
        name="Zoe Quillfeather",
        basis="contract",
        basis_note="Customer",
        retain_until=NOON + timedelta(days=900),
        by=alice,
        now=NOON,
        identities=[case.requester],
    )
    words = ("flummoxed", "zoe@far", "@zoe", "Quillfeather")
    assert set(_found_in_tables(words)) >= {"flummoxed", "zoe@far", "Quillfeather"}
    assert set(_found_in_files(words)) >= {"flummoxed", "zoe@far"}
    job = start_person_erasure(
        workspace, accounts=accounts_of(person), records=records_of(person), why="Asked", by=alice, now=NOON
    )
    while waiting := claim_job(now=NOON):
        run_job(waiting, Listener(workspace))
    job.refresh_from_db()
    assert job.state == "done", job.error
    assert _found_in_tables(words) == {} and _found_in_files(words) == {}
    told = job.result["tables"]
    assert job.result["posts"] == 2 and job.result["payloads_emptied"] >= 1
    assert told["drafts"] and told["messages"] and told["decisions"] and told["people.Person"] == 1
    assert archive_of(workspace).get("mastodon:social.example:7")["text"] == OTHER  # the neighbour's stays
    assert Conversation.objects.filter(messages__text=OTHER).exists()


def _found_in_tables(words):
    """Which words stand in which tables of the desk."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            held = str(cursor.fetchall())
            for word in words:
                if word in held:
                    found.setdefault(word, []).append(table)
    return found


def _found_in_files(words):
    """Which words stand in which files of the data folder, packed or not."""
    found = {}
    for path in Path(settings.DATA).rglob("*"):
        if path.is_file():
            held = path.read_bytes() + _unpacked(path)
            for word in words:
                if word.encode() in held:
                    found.setdefault(word, []).append(path.name)
    return found


def _unpacked(path):
    """What a packed file holds, as text."""
    body = path.read_bytes()
    if body[:4] == b"PAR1":
        return str(pq.read_table(path).to_pylist()).encode()
    with suppress(pa.ArrowInvalid, OSError):
        opened = pa.ipc.open_file(body) if body[:6] == b"ARROW1" else pa.ipc.open_stream(body)
        return str(opened.read_all().to_pylist()).encode()
    return b""
