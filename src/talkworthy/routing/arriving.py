"""Mentions that wait are looked at: claimed, asked of the rules all at once, and acted on one by one.

The row that waits goes in the transaction that acts on it. So a worker that dies at any moment leaves it to the next
one, with nothing done or all of it. A mention that fails is tried again, and after the third time set aside.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
from django.db import connection, transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from talkworthy.archive import Scan
from talkworthy.archive.columns import STORED
from talkworthy.ecosystem.models import Touchpoint
from talkworthy.listening.models import Monitor
from talkworthy.listening.stores import archive_of
from talkworthy.notifying.actions import notify
from talkworthy.people.actions import identity_of
from talkworthy.people.models import Identity
from talkworthy.routing.actions.cases import give_role, live_case_of, may_own, open_case, set_state, tag_case
from talkworthy.routing.actions.messages import note_change_of, note_message
from talkworthy.routing.actions.steps import carry_steps
from talkworthy.routing.assignment import Need, choose
from talkworthy.routing.hours import candidates_of
from talkworthy.routing.keeping import change_message, empty_message, held_names, keep_post, tied
from talkworthy.routing.models import Arrival, Case, CaseRole, Decision, Message, Timer
from talkworthy.routing.rulebook import RuleBook, Verdict, is_automated, rulebook_of
from talkworthy.routing.telling import address_of
from talkworthy.states.claims import LEASE, free
from talkworthy.workspaces.models import Member, Team, Workspace

log = logging.getLogger(__name__)

MOST = 500
"""Mentions that one worker claims at once: few enough for the claim to hold until the last, and for others to share."""
ATTEMPTS = 3
AGAIN = timedelta(seconds=30)
REOPENED_WITHIN = timedelta(days=14)
"""A settled case that its requester writes to within this time is opened again; later, rules look at it anew."""
THREAD = 50
"""Posts of a thread that come along with the one that opens a case."""
COLUMNS = tuple(
    name for name in STORED.names if name not in ("day", "html", "folded", "text_hash", "near_hash", "summary")
)


def look_at_arrivals(*, now: datetime, most: int = MOST) -> int:
    """Look at what waits, in every workspace; how many were looked at."""
    due = _due(now).values_list("workspace", flat=True).order_by().distinct()
    return sum(_look(workspace, now=now, most=most) for workspace in Workspace.objects.filter(pk__in=list(due)))


def try_again(workspace: Workspace, *, now: datetime, uid: str = "") -> int:
    """Let what was set aside be looked at again: one mention, or all."""
    aside = Arrival.objects.filter(workspace=workspace, attempts__gte=ATTEMPTS)
    return (aside.filter(uid=uid) if uid else aside).update(attempts=0, error="", due_at=now, claimed_until=None)


def await_answers(workspace: Workspace, uid: str, *, now: datetime) -> None:
    """Have what answers a reply of ours looked for once the reply is kept: listening may have met it earlier.

    A worker may die after the channel took the reply and before that is written down; who answered in between belonged
    to nothing of the desk.
    """
    Arrival.objects.get_or_create(
        workspace=workspace, uid=uid, reason="sent", defaults={"post_id": 0, "at": now, "due_at": now}
    )


def _bring_answers(workspace: Workspace, sent: Sequence[Arrival], *, now: datetime) -> None:
    """Let what answers our replies wait to be looked at, where the desk has no message of it yet."""
    uids = [arrival.uid for arrival in sent]
    posts = archive_of(workspace).answers(uids).select(["id", "uid"]).to_pylist() if uids else []
    held = held_names(workspace, "uid", [post["uid"] for post in posts])
    with transaction.atomic():
        Arrival.objects.bulk_create(
            [
                Arrival(workspace=workspace, uid=post["uid"], post_id=post["id"], at=now, due_at=now)
                for post in posts
                if post["uid"] not in held
            ],
            ignore_conflicts=True,
        )
        Arrival.objects.filter(pk__in=[arrival.pk for arrival in sent]).delete()


def _due(now: datetime) -> Any:
    return Arrival.objects.filter(free(now), due_at__lte=now, attempts__lt=ATTEMPTS)


def _look(workspace: Workspace, *, now: datetime, most: int) -> int:
    claimed = _claimed(workspace, now=now, most=most)
    _bring_answers(workspace, [arrival for arrival in claimed if arrival.reason == "sent"], now=now)
    arrivals = [arrival for arrival in claimed if arrival.reason != "sent"]
    posts = _posts(workspace, [arrival for arrival in arrivals if arrival.reason != "gone"])
    rows: dict[str, Mapping[str, Any]] = {row["uid"]: row for row in posts.to_pylist()}
    book = rulebook_of(workspace, now=now)
    verdicts = dict(zip(posts["uid"].to_pylist(), book.verdicts(posts), strict=True))
    desk = Desk(workspace, book, now)
    idle: list[Arrival] = []
    acting = True
    waiting = list(arrivals)
    while waiting and acting:  # what is acted on may begin a conversation that another one belongs to
        known = tied(workspace, [rows[arrival.uid] for arrival in waiting if arrival.uid in rows])
        idle, acting = [], False
        for arrival in waiting:
            verdict = verdicts.get(arrival.uid)
            if arrival.reason == "new" and arrival.uid not in known and (verdict is None or not verdict.plan.rules):
                idle.append(arrival)
                continue
            acting = True
            try:
                desk.act(arrival, rows.get(arrival.uid), verdict)
            except Exception as error:  # one mention must not keep the others waiting
                log.exception("arrival %s failed", arrival.pk)
                _put_off(arrival, error, now=now)
        waiting = idle
    numbers = [arrival.pk for arrival in idle]
    for start in range(0, len(numbers), 500):
        Arrival.objects.filter(pk__in=numbers[start : start + 500]).delete()
    return len(claimed)


def _claimed(workspace: Workspace, *, now: datetime, most: int) -> list[Arrival]:
    """The oldest that wait, ours until the lease ends; what another worker holds is passed over."""
    with transaction.atomic():
        rows = _due(now).filter(workspace=workspace).order_by("due_at", "pk")
        found = list(rows.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)[:most])
        numbers = [arrival.pk for arrival in found]
        for start in range(0, len(numbers), 500):
            Arrival.objects.filter(pk__in=numbers[start : start + 500]).update(claimed_until=now + LEASE)
    return found


def _put_off(arrival: Arrival, error: Exception, *, now: datetime) -> None:
    Arrival.objects.filter(pk=arrival.pk).update(
        attempts=F("attempts") + 1,
        error=f"{type(error).__name__}: {error}"[:2_000],
        due_at=now + AGAIN,
        claimed_until=None,
    )


def _posts(workspace: Workspace, arrivals: Sequence[Arrival]) -> pa.Table:
    ids = tuple(sorted({arrival.post_id for arrival in arrivals}))
    return archive_of(workspace).table(Scan(columns=COLUMNS, ids=ids, order=None))


@dataclass(frozen=True)
class Desk:
    """What acting on mentions of one workspace needs."""

    workspace: Workspace
    book: RuleBook
    now: datetime

    def act(self, arrival: Arrival, post: Mapping[str, Any] | None, verdict: Verdict | None) -> None:
        """Do what is to be done for one mention, and take away the row that waited, or neither."""
        thread = self._thread(post) if post is not None and verdict is not None and verdict.opens else []
        with transaction.atomic():
            if not Arrival.objects.filter(pk=arrival.pk).delete()[0]:
                return
            if arrival.reason == "gone":
                message = empty_message(self.workspace, arrival.uid, now=self.now)
                if message is not None:
                    note_change_of(message, "message deleted", now=self.now)
            elif post is None:
                return  # it is gone from the archive; its deletion arrives by itself
            elif arrival.reason == "edited":
                message = change_message(self.workspace, post, now=self.now)
                if message is not None:
                    note_change_of(message, "message edited", now=self.now)
            elif verdict is not None:
                self._mention(post, verdict, thread)

    def _mention(self, post: Mapping[str, Any], verdict: Verdict, thread: Sequence[Mapping[str, Any]]) -> None:
        decided = Decision.objects.filter(workspace=self.workspace, uid=post["uid"]).exists()
        ours = self._is_ours(post)
        begins = verdict.opens and not (decided or ours or self._is_automated(post))
        if begins:
            for other in thread:
                keep_post(self.workspace, other, is_ours=self._is_ours(other), begins=True, now=self.now)
        identity = self._identity(post, make=begins)
        message = keep_post(self.workspace, post, is_ours=ours, identity=identity, begins=begins, now=self.now)
        case = self._worked_on(message, post, verdict, begins) if message else None
        if decided or not verdict.plan.rules:
            return
        self._tell(post, verdict, case)
        triage = verdict.triage
        Decision.objects.create(
            workspace=self.workspace,
            uid=post["uid"],
            post_id=post["id"],
            case=case,
            rules=verdict.plan.as_json(),
            playbook_id=self.book.playbook if triage else None,
            path=triage.as_json()["path"] if triage else [],
            outcome=triage.outcome.name if triage else "",
            priority=verdict.priority if verdict.opens else "",
            team=case.team_id if case else None,
            owner=case.owner_id if case else None,
            at=self.now,
        )

    def _worked_on(self, message: Message, post: Mapping[str, Any], verdict: Verdict, begins: bool) -> Case | None:
        """The case that works on the message: the live one, a settled one that it opens again, or a new one."""
        case = live_case_of(message.conversation)
        if case is not None:
            note_message(case, message, now=self.now)
            return case
        if message.direction == Message.Direction.INWARD and not self._is_automated(post):
            settled = self._settled(message)
            if settled is not None:
                note_message(settled, message, now=self.now)
                case = set_state(settled, state=Case.State.OPEN, by=None, now=self.now, why=_("They wrote again."))
                if case.owner is not None:
                    words = _("They wrote again in %(case)s.") % {"case": case}
                    key = f"reopened {case.pk} {case.version}"
                    notify(case.owner, kind="reopened", text=words, address=address_of(case), key=key, now=self.now)
                return case
        return self._opened(message, post, verdict) if begins else None

    def _settled(self, message: Message) -> Case | None:
        """The case that was settled a short while ago and that the writer asked for."""
        return (
            Case.objects.filter(
                Q(requester=message.identity) | Q(conversations__is_private=True),
                conversations=message.conversation,
                state=Case.State.RESOLVED,
                resolved_at__gte=self.now - REOPENED_WITHIN,
            )
            .order_by("-resolved_at")
            .first()
        )

    def _opened(self, message: Message, post: Mapping[str, Any], verdict: Verdict) -> Case:
        plan, triage = verdict.plan, verdict.triage
        touchpoint = self._touchpoint(post)
        team = self._team(plan.team)
        owner = self._member(plan.member)
        if plan.touchpoint_owner and touchpoint is not None:
            owner, team = touchpoint.owner, touchpoint.team or team
        skills = sorted(verdict.skills)
        assigned: dict[str, Any] = {"skills": skills} if skills else {}
        if owner is not None and not may_own(owner):
            assigned["may not work on cases"] = str(owner)
            owner = None
        if owner is None and team is not None:
            language = message.language[:2]
            choice = choose(candidates_of(team), Need(language, frozenset(skills)), now=self.now)
            owner = self._member(choice.member)
            assigned |= {"considered": choice.considered, "passed": choice.passed, "load": choice.load}
            if choice.lacking:
                assigned["lacking"] = list(choice.lacking)
        reason = {
            "rules": [
                {"rule": ruling.rule, "version": ruling.version, "name": self.book.names.get(ruling.rule, "")}
                for ruling in plan.rules
            ],
            "triage": triage.as_json() if triage else None,
            "assigned": assigned,
            "uid": message.uid,
        }
        case, is_new = open_case(
            message.conversation,
            title=message.title or message.text,
            priority=verdict.priority,
            urgency=message.urgency or 0,
            influence=triage.influence if triage else 0.0,
            reason=reason,
            requester=message.identity,
            team=team,
            owner=owner,
            touchpoint=touchpoint,
            outcome=triage.outcome.name if triage else "",
            language=message.language,
            by=None,
            now=self.now,
        )
        if not is_new:
            note_message(case, message, now=self.now)
        elif triage is not None:
            carry_steps(case, triage.outcome.escalation, origin={"outcome": triage.outcome.name}, by=None, now=self.now)
            if triage.wait is not None:
                due_at = self.now + timedelta(minutes=triage.wait)
                Timer.objects.create(case=case, kind=Timer.Kind.COMMUNITY, due_at=due_at)
        return case

    def _tell(self, post: Mapping[str, Any], verdict: Verdict, case: Case | None) -> None:
        plan = verdict.plan
        if case is not None and plan.tags:
            tag_case(case, add=plan.tags, by=None, now=self.now)
        if case is not None and plan.steps:
            names = [self.book.names.get(ruling.rule, "") for ruling in plan.rules if ruling.escalates]
            carry_steps(case, plan.steps, origin={"rules": names}, by=None, now=self.now)
        for number in plan.informed if case is not None else ():
            member = self._member(number)
            if member is not None and case is not None:
                give_role(case, member=member, role=CaseRole.Role.INFORMED, by=None, now=self.now)
        for number in plan.notified:
            member = self._member(number)
            if member is not None:
                name = ", ".join(self.book.names.get(ruling.rule, "") for ruling in plan.rules)
                address = address_of(case) if case else f"/{self.workspace.slug}/listen/post/{post['id']}/"
                words = _("A mention for you, by the rule “%(rule)s”.") % {"rule": name}
                notify(member, kind="rule", text=words, address=address, key=f"rule {post['id']}", now=self.now)

    def _thread(self, post: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """What was said around it in its thread, as far as it was collected: also what came before a case was there."""
        thread = archive_of(self.workspace).thread(post["uid"]).select(list(COLUMNS)).to_pylist()
        around = [row for row in thread if row["uid"] != post["uid"]]
        return around[:1] + around[1:][-THREAD:]

    def _identity(self, post: Mapping[str, Any], *, make: bool) -> Identity | None:
        author = post.get("author") or {}
        if make:
            return identity_of(self.workspace, author, post["channel"], now=self.now)
        account = str(author.get("id") or author.get("handle") or "")[:400]
        return Identity.objects.filter(workspace=self.workspace, channel=post["channel"], account=account).first()

    def _is_ours(self, post: Mapping[str, Any]) -> bool:
        identity = self._identity(post, make=False)
        sent = Message.objects.filter(workspace=self.workspace, uid=post["uid"], direction=Message.Direction.OUTWARD)
        return (identity is not None and identity.is_ours) or sent.exists()

    def _is_automated(self, post: Mapping[str, Any]) -> bool:
        identity = self._identity(post, make=False)
        return is_automated(post) or (identity is not None and identity.is_automated)

    def _touchpoint(self, post: Mapping[str, Any]) -> Touchpoint | None:
        numbers = list(post.get("monitors") or ())
        tied_to = Monitor.objects.filter(
            workspace=self.workspace, pk__in=numbers, touchpoint__isnull=False, touchpoint__deleted_at=None
        )
        monitor = tied_to.select_related("touchpoint__owner", "touchpoint__team").order_by("pk").first()
        return monitor.touchpoint if monitor else None

    def _team(self, number: int | None) -> Team | None:
        return Team.objects.filter(workspace=self.workspace, pk=number, deleted_at=None).first() if number else None

    def _member(self, number: int | None) -> Member | None:
        if not number:
            return None
        return Member.objects.filter(workspace=self.workspace, pk=number).select_related("user", "workspace").first()
