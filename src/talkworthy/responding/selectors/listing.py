"""Cases as programs list them: any state, narrowed, page by page along the queue."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from talkworthy.responding.casequery import case_query, seeks_words
from talkworthy.responding.selectors.inbox import Place
from talkworthy.routing.models import DUE_OR_NEVER, Case
from talkworthy.routing.selectors.cases import cases
from talkworthy.workspaces.models import Member


@dataclass(frozen=True)
class Narrowed:
    """Which cases. Within one name any value will do, and every name must hold; an empty one says nothing."""

    words: str = ""
    states: Sequence[str] = ()
    priorities: Sequence[str] = ()
    channels: Sequence[str] = ()
    tags: Sequence[str] = ()
    teams: Sequence[int] = ()
    owners: Sequence[int | None] = ()
    """Numbers of members; None: nobody has it."""

    def condition(self, *, viewer: Member, now: datetime) -> Q:
        """What holds of them, but for their states. Raises QueryError."""
        found = case_query(self.words, viewer=viewer, now=now)
        named = {"priority": self.priorities, "channel": self.channels, "team": self.teams}
        found &= Q(**{f"{name}__in": list(values) for name, values in named.items() if values})
        if self.tags:
            found &= Q(pk__in=cases(viewer=viewer).filter(tags__tag__in=list(self.tags)).values("pk"))
        if self.owners:
            held = Q(owner__in=[owner for owner in self.owners if owner is not None])
            found &= held | Q(owner=None) if None in self.owners else held
        return found


def listed_cases(
    narrowed: Narrowed, *, viewer: Member, now: datetime, after: Place | None, limit: int
) -> tuple[list[Case], Place | None]:
    """A page along the queue from a place on, and the place where the next one begins; None at the end.

    One statement a state, each along the index of the queue, as the inbox does it; words are found in one.
    """
    found = cases(viewer=viewer).filter(narrowed.condition(viewer=viewer, now=now)).annotate(due_order=DUE_OR_NEVER)
    if after is not None:
        found = found.filter(after.after())
    found = found.order_by("-rank", "due_order", "number")
    states = list(dict.fromkeys(narrowed.states)) or Case.State.values
    parts = [states] if seeks_words(narrowed.words) else [[state] for state in states]
    rows = [case for part in parts for case in found.filter(state__in=part)[: limit + 1]]
    rows.sort(key=lambda case: Place.of(case).key)
    shown = rows[:limit]
    numbers = [case.pk for case in shown]
    whole = cases(viewer=viewer).filter(pk__in=numbers).prefetch_related("tags").in_bulk()
    return [whole[number] for number in numbers], Place.of(shown[-1]) if len(rows) > limit else None
