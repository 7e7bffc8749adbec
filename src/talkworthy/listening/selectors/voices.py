"""Reads of the accounts that were counted, asked as a viewer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, QuerySet

from talkworthy.analysis.influence import Term
from talkworthy.listening.models import Voice, VoicesCounted
from talkworthy.listening.weighing import judged_beside
from talkworthy.workspaces.models import Member

PAGE = 50
SORTS = ("influence", "reach", "relevance", "credibility", "posts", "people")
"""What accounts can be ordered by, the highest first."""


@dataclass(frozen=True)
class Heard:
    """A page of accounts; `older`: whether there are more."""

    voices: Sequence[Voice]
    older: bool


def voices(*, viewer: Member, channel: str = "", sort: str = "influence", page: int = 1) -> Heard:
    """A page of accounts, the highest first; those of whom it is undecided come last."""
    start = (page - 1) * PAGE
    found = list(ordered(viewer=viewer, channel=channel, sort=sort)[start : start + PAGE + 1])
    return Heard(found[:PAGE], len(found) > PAGE)


def ordered(*, viewer: Member, channel: str = "", sort: str = "influence") -> QuerySet[Voice]:
    """Every account, of one channel where it is named."""
    found = Voice.objects.filter(workspace_id=viewer.workspace_id)
    if channel:
        found = found.filter(channel=channel)
    ranked = sort if sort in SORTS else SORTS[0]
    return found.order_by(F(ranked).desc(nulls_last=True), F("posts").desc(), "pk")


def counted(*, viewer: Member) -> VoicesCounted | None:
    """When accounts were last counted; None before the first time."""
    return VoicesCounted.objects.filter(workspace_id=viewer.workspace_id, counted_at__isnull=False).first()


def terms_of(voice: Voice, state: VoicesCounted) -> tuple[Term, ...]:
    """What led to the reach of an account, the strongest first; nothing where both counts are alike."""
    judged = judged_beside(voice.counts, state.middles.get(voice.channel, {}))
    return tuple(term for term in judged.terms if abs(term.gain) >= 0.005)


def as_rows(found: QuerySet[Voice]) -> Iterator[list[Any]]:
    """Accounts as rows of a file: COLUMNS."""
    yield from (list(row) for row in found.values_list(*COLUMNS).iterator(chunk_size=2_000))


COLUMNS = (
    "channel", "account", "handle", "name", "influence", "reach", "relevance", "credibility", "posts", "found",
    "people", "computed_at",
)  # fmt: skip
