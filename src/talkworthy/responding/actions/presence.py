"""Who is here: written by every open page every few seconds, gone by itself."""

from datetime import datetime, timedelta

from talkworthy.responding.models import Presence
from talkworthy.routing.models import Case
from talkworthy.workspaces.models import Member

STALE = timedelta(seconds=45)
"""After how long without a sign somebody is not here any more."""


def note_presence(case: Case, *, member: Member, is_writing: bool, now: datetime) -> None:
    """They look at the case, or write; rows of long ago go."""
    Presence.objects.filter(case=case, at__lt=now - timedelta(days=1)).delete()
    Presence.objects.update_or_create(case=case, member=member, defaults={"is_writing": is_writing, "at": now})


def others_here(case: Case, *, viewer: Member, now: datetime) -> list[Presence]:
    """Who else is here now, writers first."""
    return list(
        Presence.objects.filter(case=case, at__gt=now - STALE)
        .exclude(member=viewer)
        .select_related("member__user")
        .order_by("-is_writing", "member__user__name", "pk")
    )
