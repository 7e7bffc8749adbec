"""The machine's turn: a new case whose class lets a machine draft gets a draft by itself, and goes out where it may.

Each case has one turn, as a row that is claimed. It is looked for only where a drafter is turned on and a class of
outcome allows drafting; what people began to answer is left to them.
"""

from datetime import datetime, timedelta

from talkworthy.responding import actions
from talkworthy.responding.models import Autonomy, Drafter, Turn
from talkworthy.responding.situation import default_level
from talkworthy.routing.models import Case
from talkworthy.routing.playbook import default_tree
from talkworthy.states.claims import claim, free

FRESH = timedelta(hours=24)
"""An older case is not drafted for any more."""
TRIES = 4
DRAFTS = ("draft", "send")


def take_turn(*, now: datetime) -> int:
    """Draft for one case that is due; returns how many turns were taken, 0 or 1."""
    for turn in Turn.objects.filter(free(now), done_at=None, due_at__lte=now).order_by("due_at", "pk")[:5]:
        if claim(turn, now=now, lease=timedelta(minutes=5)):
            _take(turn, now=now)
            return 1
    return 0


def give_turns(*, now: datetime) -> int:
    """A turn for each fresh case whose class lets a machine draft; returns how many were given."""
    given = 0
    for workspace in Drafter.objects.filter(enabled=True).values_list("workspace", flat=True):
        fresh = Case.objects.filter(
            workspace=workspace,
            outcome__in=drafted_outcomes(workspace),
            state__in=[Case.State.NEW, Case.State.OPEN],
            opened_at__gt=now - FRESH,
            first_answered_at=None,
            machine_turn=None,
            drafts=None,
        )
        for case in fresh[:20]:
            _turn, is_new = Turn.objects.get_or_create(case=case, defaults={"due_at": now})
            given += is_new
    return given


def drafted_outcomes(workspace: int) -> list[str]:
    """The outcomes for which a machine may draft."""
    levels = {name: default_level(name) for name in default_tree()["outcomes"]}
    levels |= dict(Autonomy.objects.filter(workspace=workspace).values_list("outcome", "level"))
    return sorted(name for name, level in levels.items() if level in DRAFTS)


def _take(turn: Turn, *, now: datetime) -> None:
    """Draft, and send where everything allows it. A model in trouble is asked again, with growing pauses."""
    turn.attempts += 1
    try:
        case = Case.objects.select_related("workspace").get(pk=turn.case_id)
        if case.drafts.exists() or case.first_answered_at is not None:
            turn.note, turn.done_at = "answered", now
        else:
            draft = actions.ask_machine(case, by=None, now=now)
            actions.send_if_allowed(draft, now=now)
            turn.note, turn.done_at = "", now
    except actions.Refused as error:
        turn.note = str(error)
        turn.due_at = now + timedelta(minutes=2**turn.attempts)
        turn.done_at = now if turn.attempts >= TRIES else None
    turn.claimed_until = None
    turn.save()
