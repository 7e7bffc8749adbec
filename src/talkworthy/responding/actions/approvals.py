"""Verbs on approval: ask for it, give it, refuse it."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.responding.actions.drafts import step
from talkworthy.responding.actions.problems import Refused, Stale
from talkworthy.responding.approval import may_approve
from talkworthy.responding.models import Approval, Draft
from talkworthy.responding.situation import approver_of, asked_rules, standing_of, writers_of
from talkworthy.responding.telling import case_address, concerned, tell
from talkworthy.workspaces.audit import note_change
from talkworthy.workspaces.models import Member


def ask_approval(draft: Draft, *, by: Member, now: datetime) -> Draft:
    """Give it to those who must approve; where nobody must, it is approved at once."""
    with transaction.atomic():
        locked = _locked(draft)
        if not locked.text.strip():
            raise Refused(_("There is nothing in it yet."))
        enough = standing_of(locked).enough
        if locked.state == (Draft.State.APPROVED if enough else Draft.State.ASKED):
            return locked  # the second of two clicks
        if locked.state not in (Draft.State.WRITING, Draft.State.ASKED, Draft.State.APPROVED):
            words = _("It cannot be given for approval: it is %(state)s. Change it first.")
            raise Refused(words % {"state": locked.get_state_display()})
        if enough:
            step(locked, Draft.State.APPROVED, by=by, now=now)
            return locked
        if locked.state == Draft.State.APPROVED:
            step(locked, Draft.State.WRITING, by=by, now=now, why=_("More approvals are asked for since."))
        step(locked, Draft.State.ASKED, by=by, now=now)
        tell(
            approvers(locked),
            kind="approval asked",
            text=_("An answer in case %(case)s waits for your approval.") % {"case": locked.case},
            address=case_address(locked),
            key=f"draft {locked.pk} v{locked.version} asked",
            now=now,
            but=by,
        )
    return locked


def approve_draft(draft: Draft, *, version: int, by: Member, now: datetime, why: str = "") -> Draft:
    """Say yes to the version that was read; when all who must have done so, it may go out."""
    with transaction.atomic():
        locked = _for_word(draft, version=version, by=by)
        _say(locked, approved=True, by=by, now=now, why=why)
        if standing_of(locked).enough:
            step(locked, Draft.State.APPROVED, by=by, now=now, why=why)
            tell(
                concerned(locked),
                kind="approved",
                text=_("Your answer in case %(case)s is approved.") % {"case": locked.case},
                address=case_address(locked),
                key=f"draft {locked.pk} v{locked.version} approved",
                now=now,
                but=by,
            )
    return locked


def refuse_draft(draft: Draft, *, version: int, why: str, by: Member, now: datetime) -> Draft:
    """Say no, and why."""
    if not why.strip():
        raise Refused(_("Say why, so that it can be mended."))
    with transaction.atomic():
        locked = _for_word(draft, version=version, by=by)
        _say(locked, approved=False, by=by, now=now, why=why)
        step(locked, Draft.State.REFUSED, by=by, now=now, why=why)
        tell(
            concerned(locked),
            kind="refused",
            text=_("Your answer in case %(case)s was not approved.") % {"case": locked.case},
            address=case_address(locked),
            key=f"draft {locked.pk} v{locked.version} refused",
            now=now,
            but=by,
        )
    return locked


def approvers(draft: Draft) -> list[Member]:
    """Those whose word counts for a rule that asks for one."""
    rules, writers = asked_rules(draft), writers_of(draft)
    members = Member.objects.filter(workspace_id=draft.workspace_id).select_related("user")
    return [member for member in members if may_approve(approver_of(member), rules, writers)]


def _locked(draft: Draft) -> Draft:
    return (
        Draft.objects.select_for_update(of=("self",))
        .select_related("workspace", "case", "conversation")
        .get(pk=draft.pk)
    )


def _for_word(draft: Draft, *, version: int, by: Member) -> Draft:
    locked = _locked(draft)
    if locked.version != version:
        raise Stale(_("It was changed after you read it. Read the newest version."), draft=locked, text="")
    if locked.state != Draft.State.ASKED:
        raise Refused(_("It does not wait for approval: it is %(state)s.") % {"state": locked.get_state_display()})
    if not may_approve(approver_of(by), asked_rules(locked), writers_of(locked)):
        raise Refused(_("Your word does not count for it: you wrote in it, or the rules ask somebody else."))
    return locked


def _say(draft: Draft, *, approved: bool, by: Member, now: datetime, why: str) -> None:
    Approval.objects.update_or_create(
        draft=draft,
        draft_version=draft.version,
        by=by,
        defaults={"approved": approved, "why": why.strip(), "at": now},
    )
    verb = "approve" if approved else "refuse"
    note_change(
        draft.workspace, verb=verb, thing=draft, by=by.user, now=now, after={"version": draft.version}, why=why.strip()
    )
