"""Rules of routing: listed, made, changed, switched on and off."""

from typing import Annotated, Any

from django.utils import timezone
from ninja import Router, Schema, Status
from pydantic import Field, StringConstraints

from talkworthy.api.routes import operation
from talkworthy.api.shapes import Changes, Given, Id, Moment, Query
from talkworthy.api.tokens import CallerRequest
from talkworthy.routing.actions.rules import change_rule as save_rule
from talkworthy.routing.actions.rules import create_rule as add_rule
from talkworthy.routing.actions.rules import switch_rule
from talkworthy.routing.models import Rule
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
