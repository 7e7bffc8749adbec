"""Rules of routing: listed, made, changed, switched on and off, placed, tried on history."""

from typing import Annotated, Any

from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Query as Asks
from ninja import Router, Schema, Status
from pydantic import Field, StringConstraints

from talkworthy.api.jobs import JobShape, job_shape
from talkworthy.api.routes import known_names, operation
from talkworthy.api.shapes import Changes, Deleted, Given, Id, Moment, Query
from talkworthy.api.tokens import CallerRequest
from talkworthy.listening.models import Job
from talkworthy.routing.actions import replays
from talkworthy.routing.actions import rules as actions
from talkworthy.routing.actions.rules import change_rule as save_rule
from talkworthy.routing.actions.rules import create_rule as add_rule
from talkworthy.routing.actions.rules import switch_rule
from talkworthy.routing.models import Rule
from talkworthy.routing.selectors.playbooks import version_or_404
from talkworthy.routing.selectors.rules import listed_rules, rule_or_404

router = Router(tags=["rules"])

RuleName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=120)]


class RuleGiven(Given):
    """A rule to be made. It is switched off until it is switched on."""

    name: RuleName
    condition: Query
    effects: list[dict[str, Any]] = Field(description="In order, such as {“do”: “assign_team”, “team”: 3}.")
    stops: bool = Field(False, description="Whether later rules are not looked at where it holds.")


class RuleChanged(Changes):
    """What is to change; the rest stays."""

    version: int = Field(description="The version that was read: where it is no longer the newest, it is refused.")
    name: RuleName = ""
    condition: Query = ""
    effects: list[dict[str, Any]] = []
    stops: bool = False


class Switched(Given):
    """Whether it is on."""

    on: bool


class Placed(Given):
    """Where it stands in the order, from 1 on."""

    place: Annotated[int, Field(ge=1, le=100_000)]


class ReplayGiven(Given):
    """What is tried on history: a rule, saved or not, among the rules that are on, and a version of the playbook."""

    rule: Id | None = Field(None, description="A saved rule, as if it were on.")
    draft: RuleGiven | None = Field(None, description="A rule that is not saved; with `rule`, in its place.")
    version: Annotated[int, Field(ge=1)] | None = Field(None, description="Of the playbook; null: the one followed.")
    days: Annotated[int, Field(ge=1, le=365)] = 30


class ReplayShape(JobShape):
    """A replay: the job, and what it found once it is done. The differences are asked for by themselves."""

    found: dict[str, Any] | None


class Difference(Schema):
    """A mention that would go another way than it went; null: no rule held of it."""

    place: int
    uid: str
    post: str = Field(description="Its number in the archive.")
    was: dict[str, Any] | None
    would: dict[str, Any] | None


class DifferencesAsked(Schema):
    """Which page of them."""

    after: Annotated[int, Field(ge=0, le=1_000_000_000)] = Field(0, description="From the page before.")
    limit: int = Field(100, ge=1, le=1_000)


class Differences(Schema):
    """A page of differences, in the order of time."""

    differences: list[Difference]
    after: int | None = Field(None, description="Pass it as `after` for the next page; null at the end.")


class RuleShape(Schema):
    """A condition in the query language, and what is done where it holds."""

    id: Id
    name: str
    condition: str
    effects: list[dict[str, Any]]
    stops: bool
    on: bool
    position: int
    version: int
    changed_at: Moment


class RuleListed(RuleShape):
    """A rule with what it did in thirty days, and why it cannot be followed where it cannot."""

    mentions: int
    cases: int
    fault: str


class Rules(Schema):
    """The rules in the order in which they are looked at."""

    rules: list[RuleListed]


@operation(router, "GET", "/rules", scope="rules:read", response=Rules)
def list_rules(request: CallerRequest) -> dict[str, Any]:
    """The rules in their order, with what each did lately."""
    rows = listed_rules(viewer=request.auth.member, now=timezone.now())
    return {
        "rules": [
            {**_shape(row.rule), "mentions": row.mentions, "cases": row.cases, "fault": row.fault} for row in rows
        ]
    }


@operation(router, "POST", "/rules", scope="rules:write", response={201: RuleShape})
def create_rule(request: CallerRequest, given: RuleGiven) -> Status[dict[str, Any]]:
    """Add a rule at the end, switched off."""
    caller = request.auth
    rule = add_rule(caller.workspace, **given.model_dump(), by=caller.user, now=timezone.now())
    return Status(201, _shape(rule))


@operation(router, "GET", "/rules/{int:rule_id}", scope="rules:read", response=RuleShape)
def get_rule(request: CallerRequest, rule_id: int) -> dict[str, Any]:
    """One rule."""
    return _shape(rule_or_404(rule_id, viewer=request.auth.member))


@operation(router, "PATCH", "/rules/{int:rule_id}", scope="rules:write", response=RuleShape)
def change_rule(request: CallerRequest, rule_id: int, given: RuleChanged) -> dict[str, Any]:
    """Change what is named; another condition or other effects are a new version."""
    rule = rule_or_404(rule_id, viewer=request.auth.member)
    changes = given.model_dump(include=given.model_fields_set - {"version"})
    return _shape(save_rule(rule, by=request.auth.user, now=timezone.now(), seen=given.version, **changes))


@operation(router, "PUT", "/rules/{int:rule_id}/on", scope="rules:write", response=RuleShape)
def turn_rule(request: CallerRequest, rule_id: int, given: Switched) -> dict[str, Any]:
    """Switch it on or off."""
    rule = rule_or_404(rule_id, viewer=request.auth.member)
    switch_rule(rule, on=given.on, by=request.auth.user, now=timezone.now())
    rule.refresh_from_db()
    return _shape(rule)


@operation(router, "PUT", "/rules/{int:rule_id}/place", scope="rules:write", response=Rules)
def place_rule(request: CallerRequest, rule_id: int, given: Placed) -> dict[str, Any]:
    """Put it at a place in the order in which rules are looked at; beyond the last it is the last."""
    rule = rule_or_404(rule_id, viewer=request.auth.member)
    actions.place_rule(rule, place=given.place, by=request.auth.user, now=timezone.now())
    return list_rules(request)


@operation(router, "DELETE", "/rules/{int:rule_id}", scope="rules:write", response=Deleted)
def delete_rule(request: CallerRequest, rule_id: int) -> dict[str, Any]:
    """Take a rule away; it can be restored, switched off."""
    rule = rule_or_404(rule_id, viewer=request.auth.member)
    actions.delete_rule(rule, by=request.auth.user, now=timezone.now())
    return {"id": str(rule.pk)}


@operation(router, "POST", "/rules/{int:rule_id}/restore", scope="rules:write", response=RuleShape)
def restore_rule(request: CallerRequest, rule_id: int) -> dict[str, Any]:
    """Bring a deleted rule back, switched off."""
    rule = rule_or_404(rule_id, viewer=request.auth.member, deleted=True)
    actions.restore_rule(rule, by=request.auth.user, now=timezone.now())
    return _shape(rule_or_404(rule_id, viewer=request.auth.member))


@operation(router, "POST", "/replays", scope="rules:write", response={202: JobShape})
def start_replay(request: CallerRequest, given: ReplayGiven) -> Status[dict[str, Any]]:
    """Try rules and a version of the playbook on history, in the background. Nothing is changed by it."""
    caller, now = request.auth, timezone.now()
    saved = rule_or_404(int(given.rule), viewer=caller.member) if given.rule is not None else None
    version = version_or_404(given.version, viewer=caller.member) if given.version is not None else None
    tried = saved
    if given.draft is not None:
        tried = replays.drafted(**given.draft.model_dump(), replaced=saved)
        actions.refuse_bad(caller.workspace.pk, given.draft.condition, given.draft.effects)
    number = caller.workspace.pk
    rules = replays.rules_on(number) if tried is None else replays.rules_with(number, tried, saved)
    job = replays.start_replay(rules, version, days=given.days, by=caller.member, now=now)
    return Status(202, job_shape(job, now=now))


@operation(router, "GET", "/replays/{int:job_id}", scope="rules:read", response=ReplayShape)
def get_replay(request: CallerRequest, job_id: int) -> dict[str, Any]:
    """How far a replay is, and what it found."""
    job = _replay(job_id, request)
    return {**job_shape(job, now=timezone.now()), "found": job.result}


@operation(router, "GET", "/replays/{int:job_id}/differences", scope="rules:read", response=Differences)
def list_differences(request: CallerRequest, job_id: int, asked: Asks[DifferencesAsked]) -> dict[str, Any]:
    """The mentions that would go another way, in the order of time, page by page."""
    known_names(request, DifferencesAsked)
    job = _replay(job_id, request)
    rows = list(job.replay_differences.filter(place__gt=asked.after)[: asked.limit + 1])
    shown = rows[: asked.limit]
    return {
        "differences": [
            {"place": row.place, "uid": row.uid, "post": str(row.post_id), "was": row.was, "would": row.would}
            for row in shown
        ],
        "after": shown[-1].place if len(rows) > asked.limit else None,
    }


def _replay(number: int, request: CallerRequest) -> Job:
    found = Job.objects.filter(workspace=request.auth.workspace, kind=Job.Kind.REPLAY, pk=number).first()
    if found is None:
        raise Http404(_("There is no such replay."))
    return found


def _shape(rule: Rule) -> dict[str, Any]:
    return {
        "id": str(rule.pk),
        "name": rule.name,
        "condition": rule.condition,
        "effects": rule.effects,
        "stops": rule.stops,
        "on": rule.enabled,
        "position": rule.position,
        "version": rule.version,
        "changed_at": rule.changed_at,
    }
