"""Rules and a playbook over stored history: what would have become a case, whose, by when, and what differs from
what happened.

The verdicts come from the function that answers live, on the posts and monitors as they stand today. What a person
answered otherwise, or a rule that has changed since, is therefore exactly what differs.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from talkworthy.archive import Archive, Scan
from talkworthy.listening.models import Job, Monitor
from talkworthy.listening.stores import archive_of
from talkworthy.people.models import Identity
from talkworthy.query import QueryError, parse
from talkworthy.routing import deadlines
from talkworthy.routing.arriving import COLUMNS
from talkworthy.routing.askers import Seen
from talkworthy.routing.deadlines import NoWorkingTime, Shifts, Targets
from talkworthy.routing.hours import hours_of, shifts_of, targets_of
from talkworthy.routing.models import Decision, EscalationStep, Message, PlaybookVersion, ReplayDifference, Rule, Target
from talkworthy.routing.playbook import Outcome, outcomes_of
from talkworthy.routing.rulebook import Verdict, is_automated, made
from talkworthy.routing.rules import Ruling, kept_effect, plan, sources_named
from talkworthy.routing.steps import Step
from talkworthy.workspaces.models import Team, Workspace

PIECE = 500
SHOWN = 20
"""Posts that are kept with each figure, as its examples."""

Progress = Callable[[int, int | None], None]
"""Told how far it is, of how much; raises to stop the work."""


@dataclass(frozen=True)
class Said:
    """What was, or would be, said of a mention: what a difference is measured by."""

    opens: bool = False
    outcome: str = ""
    priority: str = ""
    team: int | None = None
    member: int | None = None
    touchpoint_owner: bool = False
    steps: frozenset[Step] = frozenset()
    """Of escalation, that rules and outcome give to its case."""

    def as_json(self) -> dict[str, Any]:
        """As the result keeps it."""
        told = {"opens": self.opens, "outcome": self.outcome, "priority": self.priority, "team": self.team}
        return told | {"steps": [step.as_json() for step in sorted(self.steps, key=str)]}


@dataclass(frozen=True)
class Difference:
    """A mention that would go another way than it went; None: no rule held of it."""

    place: int
    uid: str
    post: int
    was: Mapping[str, Any] | None
    would: Mapping[str, Any] | None


Keep = Callable[[Sequence[Difference]], None]
"""Told the differences as they are found, each once and in order."""


@dataclass
class Figure:
    """A count with some of the posts that it is made of."""

    mentions: int = 0
    cases: int = 0
    was: int = 0
    judged: int = 0
    """Cases of which it is known whether a step would have come: answered, or late."""
    posts: list[dict[str, Any]] = field(default_factory=list)

    def add(self, post: Mapping[str, Any], *, is_case: bool) -> None:
        """One more mention."""
        self.mentions += 1
        self.cases += is_case
        if len(self.posts) < SHOWN:
            self.posts.append({"id": post["id"], "uid": post["uid"]})


@dataclass
class Tally:
    """Everything that a replay counts."""

    figures: dict[str, dict[str, Figure]] = field(
        default_factory=lambda: {"outcomes": {}, "teams": {}, "priorities": {}, "steps": {}}
    )
    counts: Counter[str] = field(default_factory=Counter)
    differences: list[Difference] = field(default_factory=list)
    """Those that were not kept yet."""
    threads: set[str] = field(default_factory=set)
    were: dict[int, str] = field(default_factory=dict)
    """Cases that the mentions really went to, with the team of each."""

    def figure(self, kind: str, name: str) -> Figure:
        """The figure of a name."""
        return self.figures[kind].setdefault(name, Figure())


def replay(
    workspace: Workspace,
    *,
    rules: Sequence[Rule],
    version: PlaybookVersion | None,
    since: datetime,
    until: datetime,
    progress: Progress,
    keep: Keep,
    now: datetime,
) -> dict[str, Any]:
    """What these rules, saved or not, and this playbook would have made of the mentions of a period."""
    archive = archive_of(workspace)
    monitors = {
        number: Seen(number, name, kind)
        for number, name, kind in Monitor.objects.filter(workspace=workspace).values_list("pk", "name", "kind")
    }
    book = made(workspace, rules, monitors, version, now=now)
    judge = Judge.of(workspace, now=now)
    ids = _concerning(archive, since, until, _sources(rules), _decided(workspace, since))
    tally = Tally()
    for start in range(0, len(ids), PIECE):
        posts = archive.table(Scan(columns=COLUMNS, ids=tuple(ids[start : start + PIECE]), order="oldest"))
        rows = posts.to_pylist()
        held = _decisions(workspace, [row["uid"] for row in rows])
        ours = _sent(workspace, [row["uid"] for row in rows])
        for row, verdict in zip(rows, book.verdicts(posts), strict=True):
            _count(tally, row, verdict, held.get(row["uid"]), judge, is_sent=row["uid"] in ours)
        keep(tally.differences)
        tally.differences.clear()
        progress(min(start + PIECE, len(ids)), len(ids))
    return _result(tally, workspace, since, until, version, left_out=len(rules) - len(book.rulings))


@dataclass
class Judge:
    """Who is ours or a program, whose touchpoint a monitor is of, and by when an answer would have been due."""

    workspace: Workspace
    now: datetime
    ours: frozenset[tuple[str, str]]
    programs: frozenset[tuple[str, str]]
    teams: Mapping[int, Team]
    touchpoints: Mapping[int, int | None]
    """The team of its touchpoint, by monitor."""
    openers: Mapping[int, Mapping[str, Outcome]]
    """The outcomes that open a case, by version of the playbook."""
    class_steps: Mapping[tuple[int | None, str], Sequence[Step]]
    """The steps of escalation of targets, by team and class."""
    _targets: dict[tuple[int | None, str], tuple[Targets, bool]] = field(default_factory=dict)
    _shifts: dict[tuple[int | None, int], Shifts | None] = field(default_factory=dict)

    @classmethod
    def of(cls, workspace: Workspace, *, now: datetime) -> "Judge":
        """What it needs of a workspace."""
        known = Identity.objects.filter(workspace=workspace)
        tied = Monitor.objects.filter(
            workspace=workspace, touchpoint__isnull=False, touchpoint__deleted_at=None
        ).order_by("pk")
        return cls(
            workspace,
            now,
            frozenset(known.filter(is_ours=True).values_list("channel", "account")),
            frozenset(known.filter(is_automated=True).values_list("channel", "account")),
            {team.pk: team for team in Team.objects.filter(workspace=workspace, deleted_at=None)},
            dict(tied.values_list("pk", "touchpoint__team")),
            {
                version.pk: {name: leaf for name, leaf in outcomes_of(version.tree).items() if leaf.opens}
                for version in PlaybookVersion.objects.filter(playbook__workspace=workspace)
            },
            _class_steps(workspace),
        )

    def passes(self, post: Mapping[str, Any]) -> bool:
        """Whether a case may begin with it: not what we wrote, nor what a program wrote."""
        author = post.get("author") or {}
        account = (post["channel"], str(author.get("id") or author.get("handle") or "")[:400])
        return account not in self.ours and account not in self.programs and not is_automated(post)

    def team_of(self, verdict: Verdict, post: Mapping[str, Any]) -> Team | None:
        """The team that would have got the case."""
        number = verdict.plan.team
        if verdict.plan.touchpoint_owner:
            tied = sorted(held for held in post.get("monitors") or () if held in self.touchpoints)
            number = (self.touchpoints[tied[0]] if tied else None) or number
        return self.teams.get(number) if number else None

    def due(self, team: Team | None, priority: str, at: datetime) -> datetime | None:
        """By when a first answer would have been due; None: nothing is promised."""
        minutes = self._promised(team, priority)[0].first_answer
        return None if minutes is None else self.after(minutes, team, priority, at)

    def steps_of(self, verdict: Verdict, team: Team | None) -> Sequence[Step]:
        """The steps of escalation that would stand on the case: its own, and those of its class."""
        number = team.pk if team else None
        of_class = self.class_steps.get((number, verdict.priority))
        if of_class is None:
            of_class = self.class_steps.get((None, verdict.priority), ())
        return tuple(dict.fromkeys((*verdict.steps, *of_class)))

    def after(self, minutes: int, team: Team | None, priority: str, at: datetime) -> datetime | None:
        """When so many minutes of working time have passed; None: never."""
        always = self._promised(team, priority)[1]
        year = (team.pk if team else None, at.year)
        if not always and year not in self._shifts:
            self._shifts[year] = shifts_of(hours_of(self.workspace, team), now=at)
        try:
            return deadlines.due(at, minutes, None if always else self._shifts[year])
        except NoWorkingTime:
            return None

    def _promised(self, team: Team | None, priority: str) -> tuple[Targets, bool]:
        key = (team.pk if team else None, priority)
        if key not in self._targets:
            self._targets[key] = targets_of(self.workspace, team, priority)
        return self._targets[key]


def _class_steps(workspace: Workspace) -> dict[tuple[int | None, str], list[Step]]:
    """The steps of every target by its team and class; an empty list where a team's own target has none."""
    targets = Target.objects.filter(workspace=workspace, deleted_at=None)
    found: dict[tuple[int | None, str], list[Step]] = {(row.team_id, row.priority): [] for row in targets}
    for step in EscalationStep.objects.filter(target__in=targets, deleted_at=None).select_related("target"):
        if step.target is not None:
            told = Step(step.minutes, step.does, step.after, step.team_id, step.member_id)
            found[step.target.team_id, step.target.priority].append(told)
    return found


def _count(
    tally: Tally, post: Mapping[str, Any], verdict: Verdict, was: Decision | None, judge: Judge, *, is_sent: bool
) -> None:
    tally.counts["mentions"] += 1
    before, after = _said_then(was, judge.openers), _said_now(verdict)
    if before != after or (was is None) != (not verdict.plan.rules):
        tally.counts["different"] += 1
        told = (before.as_json() if was else None, after.as_json() if verdict.plan.rules else None)
        tally.differences.append(Difference(tally.counts["different"], post["uid"], post["id"], *told))
    if was is not None and was.case_id is not None:
        tally.were[was.case_id] = str(was.team or "")
    if not verdict.plan.rules:
        return
    tally.counts["held"] += 1
    opens = verdict.opens and judge.passes(post) and not is_sent
    begins = opens and _begins(tally, post)
    if verdict.triage is not None:
        tally.figure("outcomes", verdict.triage.outcome.name).add(post, is_case=begins)
    if not opens:
        return
    tally.counts["opening"] += 1
    if not begins:
        return
    team = judge.team_of(verdict, post)
    tally.counts["cases"] += 1
    tally.figure("teams", str(team.pk) if team else "").add(post, is_case=True)
    tally.figure("priorities", verdict.priority).add(post, is_case=True)
    _count_steps(tally, post, verdict, was, judge, team)
    due = judge.due(team, verdict.priority, was.at if was else post["published_at"])
    if due is None:
        return
    tally.counts["due"] += 1
    if was is None or was.case is None:
        return
    answered = was.case.first_answered_at
    if answered is not None or due < judge.now:
        tally.counts["judged"] += 1
        tally.counts["missed"] += answered is None or answered > due


def _count_steps(
    tally: Tally, post: Mapping[str, Any], verdict: Verdict, was: Decision | None, judge: Judge, team: Team | None
) -> None:
    """The steps that would stand on the case, and which of them would have come before it was really answered.

    How long its owner was silent is not known of a case that went another way: those steps are not judged.
    """
    begun = was.at if was else post["published_at"]
    for step in judge.steps_of(verdict, team):
        figure = tally.figure("steps", json.dumps(step.as_json(), sort_keys=True))
        figure.add(post, is_case=False)
        due = judge.after(step.minutes, team, verdict.priority, begun)
        if due is None or was is None or was.case is None or step.after != "unanswered":
            continue
        answered = was.case.first_answered_at
        if answered is not None or due < judge.now:
            figure.judged += 1
            figure.cases += answered is None or answered > due


def _begins(tally: Tally, post: Mapping[str, Any]) -> bool:
    """Whether it is the first of its thread that opens a case: the others go to the same one."""
    names = {name for name in (post["uid"], post.get("root"), post.get("in_reply_to")) if name}
    is_new = not names & tally.threads
    tally.threads |= names
    return is_new


def _said_now(verdict: Verdict) -> Said:
    found = verdict.plan
    return Said(
        verdict.opens,
        verdict.triage.outcome.name if verdict.triage else "",
        verdict.priority if verdict.opens else "",
        found.team,
        found.member,
        found.touchpoint_owner,
        frozenset(verdict.steps if verdict.opens else found.steps),
    )


def _said_then(was: Decision | None, openers: Mapping[int, Mapping[str, Outcome]]) -> Said:
    """What a decision said, with the assignment of the effects that it holds."""
    if was is None:
        return Said()
    found = plan(
        Ruling(
            held["rule"],
            held["version"],
            tuple(kept_effect(effect) for effect in held["effects"]),
        )
        for held in was.rules
    )
    leaf = openers.get(was.playbook_id or 0, {}).get(was.outcome)
    opens = found.opens or leaf is not None
    steps = frozenset((*found.steps, *(leaf.escalation if leaf else ())))
    return Said(
        opens, was.outcome, was.priority if opens else "", found.team, found.member, found.touchpoint_owner, steps
    )


def _concerning(
    archive: Archive, since: datetime, until: datetime, sources: frozenset[str], decided: list[int]
) -> list[int]:
    """The posts of the period that are looked at when they arrive, or were, in order."""
    scan = Scan(columns=("id", "monitors", "visibility", "source"), since=since, until=until, order="oldest")
    found: list[int] = []
    wanted = pa.array(decided, pa.int64())
    for batch in archive.scan(scan):
        told = pc.or_(
            pc.greater(pc.fill_null(pc.list_value_length(batch["monitors"]), 0), 0),
            pc.fill_null(pc.equal(batch["visibility"], "private"), False),
        )
        told = pc.or_(told, pc.is_in(batch["source"], pa.array(sorted(sources), pa.string())))
        told = pc.or_(told, pc.is_in(batch["id"], wanted))
        found += batch["id"].filter(told).to_pylist()
    return found


def _sources(rules: Sequence[Rule]) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    for rule in rules:
        try:
            found |= sources_named(parse(rule.condition, stage="search"))
        except QueryError:  # such a rule is left out, and the result says so
            continue
    return found


def _decided(workspace: Workspace, since: datetime) -> list[int]:
    """Posts that were decided on, also those that no monitor finds: nothing is decided on before it is written."""
    decided = Decision.objects.filter(workspace=workspace, at__gte=since, post_id__isnull=False)
    return [number for number in decided.order_by().values_list("post_id", flat=True) if number is not None]


def _decisions(workspace: Workspace, uids: Sequence[str]) -> dict[str, Decision]:
    found = Decision.objects.filter(workspace=workspace, uid__in=uids).select_related("case").defer("path")
    return {decision.uid: decision for decision in found}


def _sent(workspace: Workspace, uids: Sequence[str]) -> frozenset[str]:
    sent = Message.objects.filter(workspace=workspace, uid__in=uids, direction=Message.Direction.OUTWARD)
    return frozenset(sent.values_list("uid", flat=True))


def _result(
    tally: Tally,
    workspace: Workspace,
    since: datetime,
    until: datetime,
    version: PlaybookVersion | None,
    *,
    left_out: int,
) -> dict[str, Any]:
    days = max((until - since) / timedelta(days=1), 1.0)
    for team in tally.were.values():
        tally.figure("teams", team).was += 1
    names = {str(number): name for number, name in Team.objects.filter(workspace=workspace).values_list("pk", "name")}
    titles = {name: leaf.get("title", name) for name, leaf in (version.tree["outcomes"] if version else {}).items()}
    words = {"outcomes": titles, "teams": names, "priorities": {}, "steps": {}}
    counted = ("mentions", "held", "opening", "cases", "different", "due", "judged", "missed")
    return {
        **{name: tally.counts[name] for name in counted},
        "were": len(tally.were),
        "days": round(days, 2),
        "left_out": left_out,
        **{
            kind: [
                {
                    "name": name,
                    "title": words[kind].get(name, name),
                    "mentions": figure.mentions,
                    "cases": figure.cases,
                    "was": figure.was,
                    "judged": figure.judged,
                    "a_day": round(figure.cases / days, 2),
                    "more_a_day": round((figure.cases - figure.was) / days, 2),
                    "posts": figure.posts,
                }
                for name, figure in sorted(held.items(), key=lambda one: (-one[1].mentions, one[0]))
            ]
            for kind, held in tally.figures.items()
        },
    }


def asked(rules: Sequence[Rule], version: PlaybookVersion | None, since: datetime, until: datetime) -> dict[str, Any]:
    """What a job is told: the rules as they stand when it is asked for, so that a later change does not alter it."""
    names = ("pk", "name", "condition", "effects", "stops", "version")
    return {
        "rules": [{name: getattr(rule, name) for name in names} for rule in rules],
        "playbook": version.pk if version else None,
        "since": since.isoformat(),
        "until": until.isoformat(),
    }


def work(job: Job, progress: Progress) -> Mapping[str, Any]:
    """Do a job that was asked for."""
    request = job.request
    version = PlaybookVersion.objects.filter(pk=request["playbook"] or 0, playbook__workspace=job.workspace).first()
    ReplayDifference.objects.filter(job=job).delete()  # of a worker that died: it begins anew
    return replay(
        job.workspace,
        rules=list(_told(request["rules"])),
        version=version,
        since=datetime.fromisoformat(request["since"]),
        until=datetime.fromisoformat(request["until"]),
        progress=progress,
        keep=lambda found: _keep(job, found),
        now=job.created_at,
    )


def _keep(job: Job, found: Sequence[Difference]) -> None:
    ReplayDifference.objects.bulk_create(
        ReplayDifference(job=job, place=one.place, uid=one.uid, post_id=one.post, was=one.was, would=one.would)
        for one in found
    )


def _told(rows: Sequence[Mapping[str, Any]]) -> Iterator[Rule]:
    for row in rows:
        yield Rule(**row)
