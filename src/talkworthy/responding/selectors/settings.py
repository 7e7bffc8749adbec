"""Reads of how a workspace answers, asked as a viewer."""

from dataclasses import dataclass

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from talkworthy.connectors.contract import Sending, SendingLimits
from talkworthy.connectors.registry import connector_named
from talkworthy.listening.models import Source
from talkworthy.responding.actions.settings import BY_PERSONS
from talkworthy.responding.models import ApprovalRule, Autonomy, Drafter, Manner, Sender
from talkworthy.responding.sending import has_credentials, laid_over
from talkworthy.responding.situation import default_level
from talkworthy.routing.playbook import default_tree
from talkworthy.workspaces.models import Member
from talkworthy.workspaces.seen import print_of

SET = ("level", "delay_seconds", "cap_person_a_day", "cap_conversation", "cap_hour")
"""What is set for an outcome."""


@dataclass(frozen=True)
class Row:
    """One line of the autonomy table."""

    outcome: str
    title: str
    autonomy: Autonomy
    by_persons: bool
    seen: str
    """A print of what is set, by which a page tells what it showed."""


@dataclass(frozen=True)
class Account:
    """A source whose channel takes replies."""

    source: Source
    channel: str
    on: bool
    ready: bool
    limits: SendingLimits
    needs: tuple[str, ...]


def autonomy_table(*, viewer: Member) -> list[Row]:
    """Every outcome that answers somebody, with what is set or what the playbook says."""
    rows = {row.outcome: row for row in Autonomy.objects.filter(workspace_id=viewer.workspace_id)}
    found = []
    for name, outcome in default_tree()["outcomes"].items():
        if outcome.get("answers") or name in rows:
            row = rows.get(name) or Autonomy(workspace_id=viewer.workspace_id, outcome=name, level=default_level(name))
            seen = print_of({each: getattr(row, each) for each in SET})
            found.append(Row(name, _(str(outcome.get("title", name))), row, name in BY_PERSONS, seen))
    return found


def approval_rules(*, viewer: Member) -> QuerySet[ApprovalRule]:
    """The rules, in their order."""
    return ApprovalRule.objects.filter(workspace_id=viewer.workspace_id).select_related("team").order_by("pk")


def rule_or_404(rule_id: int, *, viewer: Member) -> ApprovalRule:
    """A rule of the viewer's workspace."""
    found = approval_rules(viewer=viewer).select_related("workspace").filter(pk=rule_id).first()
    if found is None:
        raise Http404(_("There is no such rule."))
    return found


def accounts(*, viewer: Member) -> list[Account]:
    """Every source whose channel takes replies, and whether it does."""
    senders = Sender.objects.filter(source__workspace_id=viewer.workspace_id, enabled=True)
    on = dict(senders.values_list("source", "limits"))
    found = []
    for source in Source.objects.filter(workspace_id=viewer.workspace_id, deleted_at=None).order_by("name", "pk"):
        connector = connector_named(source.connector)
        if connector is not None and isinstance(connector, Sending):
            labels = {setting.name: setting.label for setting in connector.settings}
            needs = tuple(labels.get(name, name) for name in connector.sending.needs)
            limits = laid_over(connector.sending, on.get(source.pk) or {})
            found.append(Account(source, connector.title, source.pk in on, has_credentials(source), limits, needs))
    return found


def source_or_404(source_id: int, *, viewer: Member) -> Source:
    """A source of the viewer's workspace."""
    found = (
        Source.objects.filter(workspace_id=viewer.workspace_id, pk=source_id, deleted_at=None)
        .select_related("workspace")
        .first()
    )
    if found is None:
        raise Http404(_("There is no such source."))
    return found


def drafter_of(*, viewer: Member) -> Drafter:
    """The drafter that is set, or an empty one."""
    return Drafter.objects.filter(workspace_id=viewer.workspace_id).first() or Drafter()


def manner_of(*, viewer: Member) -> Manner:
    """The manner that is set, or an empty one."""
    return Manner.objects.filter(workspace_id=viewer.workspace_id).first() or Manner()
