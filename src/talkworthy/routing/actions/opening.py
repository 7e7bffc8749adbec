"""A member opens a case on a post by hand, and answers a node of triage otherwise than the playbook did."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.analysis.meaning import MEANING
from talkworthy.hooks.manager import call
from talkworthy.listening.models import Monitor
from talkworthy.listening.stores import archive_of
from talkworthy.listening.touchpoints import slugs_of
from talkworthy.listening.voices import heard_of
from talkworthy.people.actions import identity_of
from talkworthy.routing.actions.cases import note_outcome, open_case, set_priority
from talkworthy.routing.actions.problems import Refused
from talkworthy.routing.actions.steps import follow_outcome
from talkworthy.routing.askers import Facts, Seen
from talkworthy.routing.keeping import keep_post
from talkworthy.routing.models import Case, Decision, Override
from talkworthy.routing.playbook import compile_playbook
from talkworthy.routing.rulebook import facts_of
from talkworthy.routing.triage import Triage, decide, known
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.models import Member, User, Workspace


def open_by_hand(workspace: Workspace, post: Mapping[str, Any], *, by: Member, now: datetime) -> tuple[Case, bool]:
    """The case of a post, opened by a member who takes it; where its conversation has a live case, that one."""
    with transaction.atomic():
        return _opened(workspace, post, owner=by, by=by.user, now=now)


def _opened(
    workspace: Workspace,
    post: Mapping[str, Any],
    *,
    owner: Member | None,
    by: User | None,
    now: datetime,
    triage: Triage | None = None,
) -> tuple[Case, bool]:
    identity = identity_of(workspace, post.get("author"), post["channel"], now=now, by=by)
    message = keep_post(workspace, post, is_ours=False, identity=identity, begins=True, now=now)
    if message is None:
        raise Refused(_("This post cannot be worked on."))
    return open_case(
        message.conversation,
        title=message.title or message.text,
        priority=triage.priority if triage else Case.Priority.SERVICE,
        urgency=message.urgency or 0,
        influence=triage.influence if triage else 0.0,
        reason={"by_hand": True, "uid": message.uid},
        requester=message.identity,
        owner=owner,
        outcome=triage.outcome.name if triage else "",
        language=message.language,
        by=by,
        now=now,
    )


def override_node(decision: Decision, *, node: str, answer: str, why: str = "", by: User, now: datetime) -> Override:
    """Answer one node otherwise: the rest of the way is followed anew, the case follows, and the answer is a label."""
    step = next((one for one in decision.path if one["node"] == node), None)
    told = _node(decision, node)
    if step is None or told is None:
        raise Refused(_("This mention did not pass that question."))
    if answer not in told.get("answers", {}):
        raise Refused(_("The question has no such answer."))
    with transaction.atomic():
        decision = Decision.objects.select_for_update().get(pk=decision.pk)
        earlier = Override.objects.filter(decision=decision, node=node, undone_at=None)
        call("node_answer_undone", workspace=decision.workspace, overrides=[one.pk for one in earlier], now=now)
        earlier.update(undone_at=now)
        override = Override.objects.create(
            workspace=decision.workspace,
            decision=decision,
            node=node,
            old=str(step["answer"]),
            new=answer,
            why=why.strip(),
            by=by,
            at=now,
        )
        call(
            "node_answered",
            workspace=decision.workspace,
            uid=decision.uid,
            ask=str(told.get("ask") or ""),
            answer=answer,
            override=override.pk,
            by=by,
            now=now,
        )
        _follow(decision, by=by, now=now)
        note_change(
            decision.workspace,
            verb="override",
            thing=override,
            by=by,
            now=now,
            before={node: step["answer"]},
            after={node: answer},
            why=why.strip(),
        )
    return override


def undo_override(override: Override, *, by: User, now: datetime) -> None:
    """Let the playbook answer that node again."""
    with transaction.atomic():
        if not Override.objects.filter(pk=override.pk, undone_at=None).update(undone_at=now):
            return
        call("node_answer_undone", workspace=override.workspace, overrides=[override.pk], now=now)
        _follow(Decision.objects.select_for_update().get(pk=override.decision_id), by=by, now=now)
        note_change(override.workspace, verb="undo", thing=override, by=by, now=now)


def _node(decision: Decision, name: str) -> Mapping[str, Any] | None:
    tree = decision.playbook.tree if decision.playbook else {}
    found: Mapping[str, Any] | None = {**tree.get("nodes", {}), **tree.get("beside", {})}.get(name)
    return found


def _follow(decision: Decision, *, by: User, now: datetime) -> None:
    """Follow the playbook of the decision again with what persons answered, and bring the case in step."""
    if decision.playbook is None:
        raise Refused(_("No playbook was followed for this mention."))
    post = archive_of(decision.workspace).get(decision.uid)
    if post is None:
        raise Refused(_("The post is not here any more."))
    given = dict(Override.objects.filter(decision=decision, undone_at=None).values_list("node", "new"))
    compiled = compile_playbook(known(decision.playbook.tree), now=decision.at, similarity=MEANING)
    found = decide(compiled, _facts(decision.workspace, post), overrides=given)
    decision.path = [step.as_json() for step in found.path]
    decision.outcome, decision.priority = found.outcome.name, found.priority if found.opens else ""
    if decision.case is not None:
        case = note_outcome(decision.case, outcome=found.outcome.name, by=by, now=now, why=_("triage answered anew"))
        if found.opens:  # else its class says nothing of the work that is left
            set_priority(case, priority=found.priority, by=by, now=now, why=_("triage answered anew"))
    elif found.opens:
        decision.case, _new = _opened(decision.workspace, post, owner=None, by=by, now=now, triage=found)
    if decision.case is not None:
        follow_outcome(
            decision.case, found.outcome.name, found.outcome.escalation if found.opens else (), by=by, now=now
        )
    decision.save()


def _facts(workspace: Workspace, post: Mapping[str, Any]) -> Facts:
    monitors = Monitor.objects.filter(workspace=workspace, pk__in=list(post.get("monitors") or ()))
    seen = {monitor.pk: Seen(monitor.pk, monitor.name, monitor.kind) for monitor in monitors}
    return facts_of(post, seen, heard_of(workspace, [post])[0], slugs_of(workspace))
