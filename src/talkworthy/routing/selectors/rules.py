"""Reads of rules, asked as a viewer."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from talkworthy.query import check
from talkworthy.routing.arriving import ATTEMPTS
from talkworthy.routing.models import Arrival, Decision, Rule
from talkworthy.workspaces.models import Member

LATELY = timedelta(days=30)


@dataclass(frozen=True)
class Listed:
    """A rule with what it did lately; `fault` says why it cannot be followed."""

    rule: Rule
    mentions: int
    cases: int
    fault: str


def listed_rules(*, viewer: Member, now: datetime) -> list[Listed]:
    """The rules in their order; two statements."""
    mentions, cases = Counter[int](), Counter[int]()
    lately = Decision.objects.filter(workspace_id=viewer.workspace_id, at__gte=now - LATELY)
    # few different lists of rules hold of many mentions: the desk counts them, and only these are read
    for row in lately.order_by().values("rules").annotate(mentions=Count("pk"), cases=Count("case")):
        for number in {held["rule"] for held in row["rules"]}:
            mentions[number] += row["mentions"]
            cases[number] += row["cases"]
    return [Listed(rule, mentions[rule.pk], cases[rule.pk], _fault(rule.condition)) for rule in _rules(viewer)]


def rule_or_404(number: int, *, viewer: Member, deleted: bool = False) -> Rule:
    """A rule of the viewer's workspace; `deleted`: one that was taken away."""
    rules = Rule.objects.filter(workspace_id=viewer.workspace_id, pk=number, deleted_at__isnull=not deleted)
    found = rules.select_related("workspace").first()
    if found is None:
        raise Http404(_("There is no such rule."))
    return found


def set_aside(*, viewer: Member) -> "QuerySet[Arrival]":
    """Mentions that failed each time they were looked at."""
    return Arrival.objects.filter(workspace_id=viewer.workspace_id, attempts__gte=ATTEMPTS).order_by("at", "pk")


def _rules(viewer: Member) -> "QuerySet[Rule]":
    return Rule.objects.filter(workspace_id=viewer.workspace_id, deleted_at=None)


def _fault(condition: str) -> str:
    errors = check(condition, stage="search").errors
    return errors[0].message if errors else ""
