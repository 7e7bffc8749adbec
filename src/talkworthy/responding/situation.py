"""What is known at this moment of one draft: facts for approval and autonomy, read from the desk."""

from datetime import datetime, timedelta

from django.db.models import Q

from talkworthy.analysis import urgency
from talkworthy.people.forgetting import records_of
from talkworthy.people.models import PersonRole
from talkworthy.query import tokens
from talkworthy.responding.approval import Approver, DraftFacts, Rule, Standing, Word, rules_for, standing
from talkworthy.responding.autonomy import Allowed, Situation
from talkworthy.responding.models import Approval, ApprovalRule, Autonomy, Delivery, Draft, Stop
from talkworthy.responding.reply import warnings_for
from talkworthy.responding.warnings import Kind
from talkworthy.routing.models import Message
from talkworthy.routing.playbook import default_tree
from talkworthy.workspaces.models import Member, Workspace
from talkworthy.workspaces.permissions import Permission, may

INFLUENCE = 0.9
"""From where on a case's author counts as an influencer: heard further than nine of ten accounts."""
FOLLOWERS = 10_000
LEFT = (Delivery.State.SENDING, Delivery.State.UNSURE, Delivery.State.DELIVERED)
"""States of a delivery that may have reached the channel; caps count them all."""


def draft_facts(draft: Draft) -> DraftFacts:
    """What approval rules look at."""
    return DraftFacts(
        visibility=draft.visibility,
        priority=draft.case.priority,
        channel=draft.conversation.channel,
        outcome=draft.case.outcome,
        machine=bool(draft.made_by),
    )


def asked_rules(draft: Draft) -> tuple[Rule, ...]:
    """The approval rules that hold of a draft."""
    return rules_for(rules_of(draft.workspace_id), draft_facts(draft))


def rules_of(workspace_id: int) -> list[Rule]:
    """The approval rules of a workspace that are on."""
    return [rule_of(row) for row in ApprovalRule.objects.filter(workspace_id=workspace_id, enabled=True).order_by("id")]


def rule_of(row: ApprovalRule) -> Rule:
    """A row as the pure part reads it."""
    return Rule(
        id=row.pk,
        name=row.name,
        condition=row.condition,
        team=row.team_id,
        count=row.count,
        by_another=row.by_another,
    )


def approver_of(member: Member) -> Approver:
    """A member as far as approval is concerned."""
    teams = frozenset(member.teams.filter(deleted_at=None).values_list("pk", flat=True))
    return Approver(member.pk, may(member.role, Permission.APPROVE), teams)


def writers_of(draft: Draft) -> frozenset[int]:
    """Everybody who saved a version of it: none of them is another."""
    saved = set(draft.versions.exclude(by=None).values_list("by", flat=True))
    return frozenset(saved | ({draft.by_id} if draft.by_id else set()))


def standing_of(draft: Draft) -> Standing:
    """Whether the newest version is approved enough, and by whom it was refused."""
    said = Approval.objects.filter(draft=draft).exclude(by=None).select_related("by")
    words = [Word(approver_of(word.by), word.draft_version, word.approved) for word in said if word.by]
    return standing(asked_rules(draft), words, version=draft.version, writers=writers_of(draft))


def current_stop(workspace: Workspace | int) -> Stop | None:
    """The stop that holds now; one for everything comes before one for machines."""
    number = workspace if isinstance(workspace, int) else workspace.pk
    return (
        Stop.objects.filter(workspace_id=number, lifted_at=None)
        .select_related("by")
        .order_by("machines_only", "-at")
        .first()
    )


def allowed_of(workspace: Workspace | int, outcome: str) -> Allowed:
    """What the class of an outcome allows; a class without a row allows what the playbook says."""
    number = workspace if isinstance(workspace, int) else workspace.pk
    row = Autonomy.objects.filter(workspace_id=number, outcome=outcome).first()
    if row is None:
        return Allowed(level=default_level(outcome))
    return Allowed(
        level=row.level,
        delay_seconds=row.delay_seconds,
        cap_person_a_day=row.cap_person_a_day,
        cap_conversation=row.cap_conversation,
        cap_hour=row.cap_hour,
    )


def default_level(outcome: str) -> str:
    """What the default playbook says of an outcome; never to send, which an administrator decides.

    A case that a person opened has no outcome: there a machine may suggest.
    """
    if not outcome:
        return "suggest"
    level = str((default_tree()["outcomes"].get(outcome) or {}).get("autonomy", "observe"))
    return "draft" if level == "send" else level


def situation_of(draft: Draft, *, now: datetime, but: Delivery | None = None) -> Situation:
    """Everything that the never-send rules and caps look at. `but` is the delivery that is not counted: the own one."""
    message = Message.objects.filter(workspace_id=draft.workspace_id, uid=draft.in_reply_to).first()
    stop = current_stop(draft.workspace_id)
    if message is None or message.identity is None:
        return Situation(known=False, stopped=stop is not None)
    identity, person = message.identity, message.identity.person
    records = records_of(person) if person else []
    theirs = Q(identity=identity) | Q(identity__person__in=records)
    alarms = _alarms(draft, theirs)
    ours = Message.objects.filter(workspace_id=draft.workspace_id, direction=Message.Direction.OUTWARD)
    earlier = ours.filter(conversation__in=Message.objects.filter(theirs).values("conversation"))
    sent = Delivery.objects.filter(workspace_id=draft.workspace_id, automatic=True, state__in=LEFT)
    sent = sent.exclude(pk=but.pk) if but is not None else sent
    wrong = {warned.kind for warned in warnings_for(draft)}
    roles = (PersonRole.Role.INFLUENCER, PersonRole.Role.PRESS)
    known_as = PersonRole.objects.filter(person__in=records, role__in=roles, until=None).exists()
    return Situation(
        first_contact=not earlier.exists(),
        negative=message.sentiment not in ("neutral", "positive") or message.intent == "complaint",
        vulnerable=bool({"self-harm", "safety"} & alarms),
        legal="legal" in alarms or draft.case.priority == "risk",
        security="security" in alarms,
        influencer=known_as or draft.case.influence >= INFLUENCE or (identity.followers or 0) >= FOLLOWERS,
        automated=identity.is_automated or identity.is_ours,
        person_answered=_person_answered(draft),
        stopped=stop is not None,
        strange_link=Kind.STRANGE_LINK in wrong,
        personal=bool({Kind.ASKS_PERSONAL, Kind.TELLS_PERSONAL} & wrong),
        sent_to_person_today=sent.filter(theirs, tried_at__gte=now - timedelta(days=1)).count(),
        sent_in_conversation=sent.filter(draft__conversation=draft.conversation_id).count(),
        sent_this_hour=sent.filter(tried_at__gte=now - timedelta(hours=1)).count(),
    )


def _alarms(draft: Draft, theirs: Q) -> set[str]:
    """Kinds of alarming phrases in anything that they wrote in this conversation."""
    said = Message.objects.filter(theirs, conversation_id=draft.conversation_id).values_list("title", "text")
    return {alarm.kind for words in said for alarm in urgency.alarms(tokens.folded(None, "\n".join(words)))}


def _person_answered(draft: Draft) -> bool:
    """Whether a person of ours spoke in the conversation: what went out, less what machines sent."""
    ours = Message.objects.filter(conversation_id=draft.conversation_id, direction=Message.Direction.OUTWARD)
    machines = Delivery.objects.filter(draft__conversation=draft.conversation_id, automatic=True).exclude(remote_uid="")
    return ours.exclude(uid__in=machines.values("remote_uid")).exists()
