"""Targets: how soon cases of each class are answered and settled, and the steps of escalation that stand with them."""

from typing import Annotated, Any

from django.db import transaction
from django.utils import timezone
from ninja import Query, Router, Schema, Status
from pydantic import Field

from talkworthy.api.cases import team_or_404
from talkworthy.api.problems import Problem
from talkworthy.api.routes import known_names, operation
from talkworthy.api.shapes import Deleted, Given, Id
from talkworthy.api.tokens import CallerRequest
from talkworthy.routing.actions import steps as step_actions
from talkworthy.routing.actions import teams as actions
from talkworthy.routing.models import Case, EscalationStep, Target
from talkworthy.routing.selectors import settings as selectors
from talkworthy.routing.steps import MOST_MINUTES
from talkworthy.workspaces.models import Member, Team
from talkworthy.workspaces.selectors import member_or_404

router = Router(tags=["targets"])

Minutes = Annotated[int, Field(ge=1, le=MOST_MINUTES)]


class TargetsAsked(Schema):
    """Whose targets."""

    team: Id | None = Field(None, description="null: those of every team without its own.")


class Promised(Given):
    """Minutes of working time until each; null: no promise."""

    first_answer: Minutes | None = None
    next_answer: Minutes | None = None
    resolution: Minutes | None = None
    silent_assignee: Minutes | None = Field(None, description="Until a silent owner loses the case.")
    around_the_clock: bool = Field(False, description="Whether every minute counts, not those of working time.")


class TargetsGiven(Given):
    """The targets of the named classes; those that are not named stay. A class without any minutes is taken away."""

    team: Id | None = None
    classes: dict[Case.Priority, Promised]


class StepShape(Schema):
    """What happens on a case of the class after so long."""

    id: Id
    after: str = Field(description="unanswered or silent")
    minutes: int
    does: str = Field(description="inform, reassign or raise")
    member: Id | None
    team: Id | None = Field(description="Neither member nor team: whoever leads the team of the case.")


class TargetShape(Schema):
    """What is promised to cases of a class."""

    id: Id
    priority: str
    first_answer: int | None
    next_answer: int | None
    resolution: int | None
    silent_assignee: int | None
    around_the_clock: bool
    steps: list[StepShape]


class Targets(Schema):
    """The targets of a team, or of every team without its own, by class."""

    team: Id | None
    targets: list[TargetShape]


class TargetsBack(Given):
    """Targets that were taken away."""

    ids: Annotated[list[Id], Field(min_length=1, max_length=10)]


class StepGiven(Given):
    """A further step of escalation of a target."""

    after: EscalationStep.After = EscalationStep.After.UNANSWERED
    minutes: Minutes
    does: EscalationStep.Does
    member: Id | None = None
    team: Id | None = None


@operation(router, "GET", "/targets", scope="rules:read", response=Targets)
def list_targets(request: CallerRequest, asked: Query[TargetsAsked]) -> dict[str, Any]:
    """What is promised to cases by class, and what happens where it is not kept."""
    known_names(request, TargetsAsked)
    return _shape(team_or_404(asked.team, request.auth.member), request.auth.member)


@operation(router, "PUT", "/targets", scope="rules:write", response=Targets)
def set_targets(request: CallerRequest, given: TargetsGiven) -> dict[str, Any]:
    """Set the targets of the named classes. Open deadlines follow in the background."""
    caller = request.auth
    team = team_or_404(given.team, caller.member)
    rows = {priority.value: promised.model_dump() for priority, promised in given.classes.items()}
    actions.save_targets(caller.workspace, team, rows, by=caller.user, now=timezone.now())
    return _shape(team, caller.member)


@operation(router, "POST", "/targets/restore", scope="rules:write", response=Targets)
def restore_targets(request: CallerRequest, given: TargetsBack) -> dict[str, Any]:
    """Bring targets back that were taken away, with their steps; open deadlines follow."""
    caller = request.auth
    numbers = [int(one) for one in given.ids]
    rows = actions.restore_targets(caller.workspace, numbers, by=caller.user, now=timezone.now())
    if not rows:
        raise Problem("not-found", "None of them was taken away here.")
    return _shape(rows[0].team, caller.member)


@operation(router, "POST", "/targets/{int:target_id}/steps", scope="rules:write", response={201: StepShape})
def add_step(request: CallerRequest, target_id: int, given: StepGiven) -> Status[dict[str, Any]]:
    """A further step of escalation; open cases for which it is still to come get it."""
    caller = request.auth
    with transaction.atomic():
        step = step_actions.add_step(
            selectors.target_or_404(target_id, viewer=caller.member),
            after=given.after.value,
            minutes=given.minutes,
            does=given.does.value,
            member=None if given.member is None else member_or_404(int(given.member), viewer=caller.member),
            team=team_or_404(given.team, caller.member),
            by=caller.user,
            now=timezone.now(),
        )
    return Status(201, _step(step))


@operation(router, "DELETE", "/targets/steps/{int:step_id}", scope="rules:write", response=Deleted)
def delete_step(request: CallerRequest, step_id: int) -> dict[str, Any]:
    """Take a step away; what it did stays, and it can be restored."""
    step = selectors.step_or_404(step_id, viewer=request.auth.member)
    step_actions.delete_step(step, by=request.auth.user, now=timezone.now())
    return {"id": str(step.pk)}


@operation(router, "POST", "/targets/steps/{int:step_id}/restore", scope="rules:write", response=StepShape)
def restore_step(request: CallerRequest, step_id: int) -> dict[str, Any]:
    """Bring a step back, as a new one is."""
    step = selectors.step_or_404(step_id, viewer=request.auth.member)
    step_actions.restore_step(step, by=request.auth.user, now=timezone.now())
    return _step(step)


def _shape(team: Team | None, viewer: Member) -> dict[str, Any]:
    steps = selectors.steps(team, viewer=viewer)
    held = selectors.targets(team, viewer=viewer)
    return {
        "team": None if team is None else str(team.pk),
        "targets": [
            _target(held[name], [step for step in steps if step.target_id == held[name].pk])
            for name in Case.Priority.values
            if name in held
        ],
    }


def _target(row: Target, steps: list[EscalationStep]) -> dict[str, Any]:
    names = ("priority", *actions.PROMISES, "around_the_clock")
    told = {name: getattr(row, name) for name in names}
    return {**told, "id": str(row.pk), "steps": [_step(step) for step in steps]}


def _step(step: EscalationStep) -> dict[str, Any]:
    return {
        "id": str(step.pk),
        "after": str(step.after),
        "minutes": step.minutes,
        "does": str(step.does),
        "member": None if step.member_id is None else str(step.member_id),
        "team": None if step.team_id is None else str(step.team_id),
    }
