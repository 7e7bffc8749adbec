"""Processes of one desk, started by `test_two_workers.py`: workers that may be killed, and people who work meanwhile.

Run as a script, it reads one JSON command a line, forks a process for it, and answers with one line. Forking from a
process that has loaded everything makes a worker start in a moment, so that it can be killed often. The clock of all
of them runs sixty times as fast: leases, deadlines and pauses are as in the product, and an hour is a minute.
"""

import json
import os
import random
import sys
import time
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

SPEED = 60
FIRST, NEXT, RESOLUTION = 30, 30, 90
SILENT = max(20, int(os.environ.get("STORY_CASES", "40")) // 5)
"""Minutes of the targets, around the clock. Cases that nobody touches go from one silent owner to the next for ever:
with many of them it takes longer each time, so that what is due ends before more falls due on a busy machine."""


def clock(began: float):
    """The time that the desk sees."""
    return lambda: datetime.fromtimestamp(began + (time.time() - began) * SPEED, UTC)


def prepare(server: str, keyed: bool) -> dict[str, Any]:
    """A workspace whose support has three members, a rule that opens a case of each mention, and a webhook."""
    from django.utils import timezone

    from talkworthy.listening.actions import create_monitor, create_source
    from talkworthy.notifying.actions import add_endpoint
    from talkworthy.responding.models import Sender
    from talkworthy.routing.actions.rules import create_rule, switch_rule
    from talkworthy.routing.models import Case, Target
    from talkworthy.worker.starting import make_ready
    from talkworthy.workspaces.models import Member, Team, TeamMember, User, Workspace

    make_ready(recorded=False)
    now, alice, workspace = timezone.now(), User.objects.get(), Workspace.objects.get()
    team = Team.objects.create(workspace=workspace, name="Support", slug="support")
    for name, role in (("erin", "lead"), ("frank", "agent"), ("gina", "agent")):
        user = User.objects.create_user(f"{name}@example.org", name=name.title())
        member = Member.objects.create(workspace=workspace, user=user, role=role)
        TeamMember.objects.create(team=team, member=member, is_lead=role == "lead")
    from talkworthy.routing.models import Availability

    for member in Member.objects.filter(teams=team):
        Availability.objects.create(member=member, capacity=400)
    for priority in Case.Priority.values:
        Target.objects.create(
            workspace=workspace,
            priority=priority,
            first_answer=FIRST,
            next_answer=NEXT,
            resolution=RESOLUTION,
            silent_assignee=SILENT,
            around_the_clock=True,
        )
    create_monitor(workspace, name="Acme", kind="brand", colour="blue", owner=None, query="acme", by=alice, now=now)
    effects = [{"do": "open_case"}, {"do": "assign_team", "team": team.pk}, {"do": "tag", "tag": "broken"}]
    rule = create_rule(workspace, name="Broken", condition="router", effects=effects, by=alice, now=now)
    switch_rule(rule, on=True, by=alice, now=now)
    told = {"server": f"http://{server}", "what": "mentions", "history": 2000}
    source = create_source(
        workspace,
        connector="mastodon",
        name="Us",
        settings=told,
        secrets={"token": "t"},
        interval=60,
        by=alice,
        now=now,
    )
    Sender.objects.create(source=source, enabled=True, limits={"idempotent": keyed})
    add_endpoint(workspace, name="Board", url=f"http://{server}/hook", events=["case.opened"], by=alice, now=now)
    return {"workspace": workspace.pk}


def work() -> None:
    """A worker as `talkworthy listen` runs it."""
    from talkworthy.worker.loop import run

    run()


def live(seed: int, until: str) -> None:
    """Somebody at a browser: takes, answers, hands on, escalates, snoozes and settles, until a file is there."""
    from django.db.models import Exists, OuterRef
    from django.utils import timezone

    from talkworthy.listening.actions import start_backtest
    from talkworthy.responding import actions as answers
    from talkworthy.responding.models import Delivery, Draft
    from talkworthy.routing import actions
    from talkworthy.routing.actions.problems import Refused, Stale
    from talkworthy.routing.models import Case, CaseRole
    from talkworthy.routing.states import LIVE
    from talkworthy.workspaces.models import Member, Workspace

    chance, workspace = random.Random(seed), Workspace.objects.get()
    members = list(Member.objects.filter(teams__slug="support").select_related("user", "workspace"))
    lead = next(member for member in members if member.role == "lead")
    living = Delivery.objects.filter(draft__case=OuterRef("pk"), state__in=["waiting", "sending", "unsure"])
    while not Path(until).exists():
        now, by = timezone.now(), chance.choice(members)
        numbers = list(Case.objects.filter(state__in=LIVE).exclude(Exists(living)).values_list("pk", flat=True))
        case = Case.objects.get(pk=chance.choice(numbers)) if numbers else None
        act = chance.choices(["answer", "hand", "escalate", "snooze", "settle", "backtest"], [60, 8, 6, 4, 12, 1])[0]
        try:
            if act == "backtest":
                start_backtest(workspace, query="router", by=by.user, now=now)
            elif case is None or case.pk % 6 == 0:  # some cases nobody touches: their deadlines are missed
                pass
            elif act == "answer" and (case.last_inward_at or now) > (case.last_answered_at or case.opened_at) - (
                timedelta(0) if case.last_answered_at else timedelta(days=1)
            ):
                taken = actions.take_case(case, member=by, now=now, version=case.version)
                draft = answers.start_draft(taken, text=f"We look into it: {chance.getrandbits(60):x}.", by=by, now=now)
                if not Draft.objects.filter(case=case, state=Draft.State.SCHEDULED).exists():
                    answers.send_draft(draft, version=draft.version, by=by, now=now)
            elif act == "hand":
                actions.assign_case(case, owner=chance.choice(members), by=by.user, now=now, version=case.version)
            elif act == "escalate":
                actions.set_priority(case, priority="risk", by=by.user, now=now, version=case.version)
                actions.give_role(case, member=lead, role=CaseRole.Role.DECIDES, by=by.user, now=now)
            elif act == "snooze":
                actions.snooze_case(case, until=now + timedelta(minutes=10), by=by.user, now=now, version=case.version)
            elif act == "settle" and case.first_answered_at is not None:
                actions.resolve_case(case, by=by.user, now=now, version=case.version)
        except (Refused, Stale, answers.Refused, answers.Stale):
            pass  # somebody else was quicker
        time.sleep(chance.uniform(0.0, 0.06))


def waiting() -> dict[str, int]:
    """What is still to be done."""
    from django.utils import timezone

    from talkworthy.listening.models import Job
    from talkworthy.notifying.models import WebhookDelivery
    from talkworthy.responding.models import Delivery
    from talkworthy.routing.models import Arrival, Decision, Timer

    now = timezone.now()
    return {
        "decided": Decision.objects.count(),
        "scheduled": Delivery.objects.count(),
        "arrivals": Arrival.objects.count(),
        "timers": Timer.objects.filter(done_at=None, due_at__lte=now).count(),
        "deliveries": Delivery.objects.filter(state__in=["waiting", "sending", "unsure"]).count(),
        "jobs": Job.objects.filter(state__in=["waiting", "running"]).count(),
        "webhooks": WebhookDelivery.objects.filter(state="waiting").count(),
    }


def check() -> dict[str, Any]:
    """What was lost, doubled or forgotten; and how much there was of each."""
    from django.db.models import Count, Q
    from django.utils import timezone

    from talkworthy.archive import Scan
    from talkworthy.listening import cube
    from talkworthy.listening.jobs import ATTEMPTS
    from talkworthy.listening.models import Job
    from talkworthy.listening.stores import archive_of
    from talkworthy.notifying.models import Event, Notification
    from talkworthy.responding.models import Delivery
    from talkworthy.routing.models import Arrival, Case, CaseChange, Conversation, Decision, Message, Timer
    from talkworthy.workspaces.models import Workspace

    now, workspace = timezone.now(), Workspace.objects.get()
    wrong: list[str] = []
    cases = list(Case.objects.order_by("number"))
    if [case.number for case in cases] != list(range(1, len(cases) + 1)):
        wrong.append("numbers of cases are missing or double")
    for conversation in Conversation.objects.annotate(n=Count("cases")).exclude(n=1):
        wrong.append(f"conversation {conversation.root} has {conversation.n} cases")
    for case in cases:
        wrong += _wrong_with_deadlines(case, list(Timer.objects.filter(case=case)), now)
    missed = CaseChange.objects.filter(what="missed").values("case", "new", "why")
    wrong += [f"told twice: {row}" for row in missed.annotate(n=Count("pk")).filter(n__gt=1)]
    unannounced = Timer.objects.filter(outcome="missed", kind__in=["first_answer", "next_answer", "resolution"])
    rung = Counter((row["case"], row["new"], row["why"]) for row in missed)
    for timer in unannounced:
        late = (timer.case_id, timer.kind, timer.due_at.isoformat())
        if late not in rung:
            wrong.append(f"missed without a word: {late}")
    for kind in ("sent", "opened"):
        rows = Counter((row.case_id, json.dumps(row.new)) for row in CaseChange.objects.filter(what=kind))
        wrong += [f"{kind} {n} times: {row}" for row, n in rows.items() if n > 1]
    stored = archive_of(workspace).table(Scan(columns=("uid",), order=None))["uid"].to_pylist()
    wrong += [f"stored {n} times: {uid}" for uid, n in Counter(stored).items() if n > 1]
    if found := cube.differences(workspace, archive_of(workspace)):
        wrong.append(f"counts disagree with the archive: {found}")
    ended = Job.objects.exclude(state="done").exclude(state="failed", attempts__gt=ATTEMPTS)
    # one that was given up after so many deaths said so, and changed nothing by halves
    wrong += [f"job {job.pk} is {job.state}: {job.error}" for job in ended]
    wrong += [f"set aside: {arrival.error}" for arrival in Arrival.objects.exclude(error="")]
    return {
        "wrong": wrong,
        "stored": len(stored),
        "decisions": dict(Decision.objects.values_list("uid", "case__number")),
        "messages": dict(Message.objects.values_list("uid", "conversation__cases__number")),
        "deliveries": {str(row.key): [row.state, row.remote_uid, row.error] for row in Delivery.objects.all()},
        "events": [f"msg_{event.uid.hex}" for event in Event.objects.filter(type="case.opened")],
        "counts": {
            "cases": len(cases),
            "missed": len(rung),
            "silent": Timer.objects.filter(Q(outcome="missed") & Q(kind="silent")).count(),
            "jobs": Job.objects.count(),
            "notifications": Notification.objects.count(),
        },
    }


def _wrong_with_deadlines(case: Any, timers: list[Any], now: datetime) -> list[str]:
    """A case has a timer for all that is promised, and each rang when its time had come."""
    wrong = [
        f"{case} forgot {timer.kind}, due {timer.due_at}"
        for timer in timers
        if timer.done_at is None and timer.due_at < now - timedelta(minutes=3)
    ]
    promised = case.opened_at + timedelta(minutes=FIRST)
    first = [timer for timer in timers if timer.kind == "first_answer" and timer.due_at == promised]
    settled = case.resolved_at is not None and case.resolved_at < promised
    late = case.first_answered_at is None or case.first_answered_at > promised
    if len(first) != 1:
        wrong.append(f"{case} has {len(first)} timers of the first answer")
    elif late and not settled and promised < now - timedelta(minutes=3) and first[0].outcome != "missed":
        wrong.append(f"{case} missed its first answer, and the timer says {first[0].outcome!r}")
    running = Counter(timer.kind for timer in timers if timer.done_at is None)
    wrong += [f"{case} has {n} running timers {kind}" for kind, n in running.items() if n > 1]
    return wrong


COMMANDS = {"prepare": prepare, "work": work, "live": live, "waiting": waiting, "check": check}


def forked(command: dict[str, Any], answers: bool) -> Any:
    """Do it in a process of its own: its number, or what it answers."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.close(reading)
            found = COMMANDS[command.pop("do")](**command)
            if answers:
                with os.fdopen(writing, "w") as out:
                    json.dump(found, out)
            status = 0
        except BaseException:  # a fork must never go on in its parent's loop
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    os.close(writing)
    if not answers:
        os.close(reading)
        return child
    with os.fdopen(reading) as told:
        text = told.read()
    os.waitpid(child, 0)
    return json.loads(text) if text else None


def main() -> None:
    """Load everything once, then do as told."""
    from django.utils import timezone

    timezone.now = clock(float(sys.argv[1]))  # before any room is loaded: all of them see this clock
    import django

    django.setup()
    from talkworthy.connectors import http
    from talkworthy.listening.understanding import Monitors, understood
    from talkworthy.schema import posts_table
    from talkworthy.worker import loop, starting  # noqa: F401 - loaded before forking

    http.PACE = 0.0  # the server of the story needs no pauses
    row = {"uid": "a", "text": "The router is broken", "published_at": timezone.now()}
    understood(posts_table([row]).to_batches()[0], Monitors().matching())  # reads the models
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        answers = command["do"] not in ("work", "live")
        print(json.dumps(forked(command, answers)), flush=True)
        with suppress(ChildProcessError):  # those that were killed
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


if __name__ == "__main__":
    main()
