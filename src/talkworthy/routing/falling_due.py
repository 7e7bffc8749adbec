"""What falls due on cases: deadlines that were missed, owners who are silent, snoozes that end, waits that are over.

A timer is done in the transaction that does what it says, after a conditional claim: two workers do it once, and
what fell due while no worker ran is done when one comes back.
"""

import logging
from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.notifying.actions import notify
from talkworthy.routing import actions, assignment
from talkworthy.routing.hours import candidates_of
from talkworthy.routing.models import Case, CaseChange, Message, Timer
from talkworthy.routing.states import SETTLED
from talkworthy.routing.telling import lacking_words, note_missed
from talkworthy.states.claims import claimed
from talkworthy.workspaces.models import Member

log = logging.getLogger(__name__)

BATCH = 100


def ring_due(*, now: datetime) -> int:
    """Do what is due; returns how many timers rang."""
    done = 0
    for timer in claimed(Timer.objects.filter(done_at=None, due_at__lte=now).order_by("due_at"), now=now, most=BATCH):
        try:
            with transaction.atomic():
                ring(timer, now=now)
        except Exception:  # one timer must not keep the others waiting; its claim ends, and it is tried again
            log.exception("timer %s failed", timer.pk)
        done += 1
    return done


def ring(timer: Timer, *, now: datetime) -> None:
    """Do what one timer says, in the caller's transaction; a timer that is done already does nothing."""
    case = Case.objects.select_for_update().get(pk=timer.case_id)  # the case first, as whoever changes it does
    held = Timer.objects.select_for_update().filter(pk=timer.pk, done_at=None).first()
    if held is None:
        return
    outcome = _RING[Timer.Kind(held.kind)](case, held, now)
    Timer.objects.filter(pk=held.pk, done_at=None).update(done_at=now, outcome=outcome, claimed_until=None)


def _missed(case: Case, timer: Timer, now: datetime) -> str:
    """A promised time went by: whoever has the case and whoever leads its team is told."""
    if case.state in SETTLED:
        return "dropped"
    note_missed(case, timer, now=now)
    return "missed"


def _silent(case: Case, timer: Timer, now: datetime) -> str:
    """The owner has not begun: the case goes to another, or back to the team where nobody else is there."""
    if case.state != Case.State.NEW or case.owner is None:
        return "dropped"
    had = case.owner
    skills = frozenset(case.reason.get("assigned", {}).get("skills", ()))
    need = assignment.Need(case.language[:2], skills, but=had.pk)
    choice = assignment.choose(candidates_of(case.team), need, now=now) if case.team else None
    heir = Member.objects.filter(pk=choice.member).first() if choice and choice.member else None
    why = _("%(who)s did not begin in time") % {"who": had}
    if choice and choice.lacking:
        why = f"{why}; {lacking_words(choice.lacking)}"
    actions.assign_case(case, owner=heir, by=None, now=now, why=why)
    words = _("%(case)s went to somebody else, because nothing happened in time.") % {"case": case}
    notify(had, kind="missed", text=words, address=actions.address_of(case), key=f"silent {timer.pk}", now=now)
    return "missed"


def _snooze(case: Case, timer: Timer, now: datetime) -> str:
    """Back in sight."""
    if case.state != Case.State.SNOOZED:
        return "dropped"
    actions.wake_case(case, by=None, now=now)
    if case.owner is not None:
        words = _("%(case)s is back: its snooze has ended.") % {"case": case}
        notify(case.owner, kind="due", text=words, address=actions.address_of(case), key=f"woke {timer.pk}", now=now)
    return "met"


def _community(case: Case, timer: Timer, now: datetime) -> str:
    """The wait for the community is over: where it answered, the case can be settled by a person; else it is ours."""
    if case.state in SETTLED:
        return "dropped"
    answered = Message.objects.filter(
        conversation__cases=case, direction=Message.Direction.AMONG, at__gte=case.opened_at
    ).exists()
    CaseChange.objects.create(case=case, what="community", new="answered" if answered else "silent", at=now)
    if case.owner is not None:
        words = (
            _("Others have answered in %(case)s: see whether that is enough.")
            if answered
            else _("Nobody else has answered in %(case)s: it is ours.")
        ) % {"case": case}
        notify(case.owner, kind="due", text=words, address=actions.address_of(case), key=f"wait {timer.pk}", now=now)
    return "met" if answered else "missed"


_RING: dict[Timer.Kind, Callable[[Case, Timer, datetime], str]] = {
    Timer.Kind.FIRST_ANSWER: _missed,
    Timer.Kind.NEXT_ANSWER: _missed,
    Timer.Kind.RESOLUTION: _missed,
    Timer.Kind.SILENT: _silent,
    Timer.Kind.SNOOZE: _snooze,
    Timer.Kind.COMMUNITY: _community,
}
