"""What a member has seen of cases: their own marks, which nobody else sees; no change of the case."""

from collections.abc import Sequence

from talkworthy.responding.models import CaseSeen
from talkworthy.routing.models import Case
from talkworthy.workspaces.models import Member


def see_cases(cases: Sequence[Case], *, member: Member) -> None:
    """They have seen the newest words of these cases."""
    CaseSeen.objects.bulk_create(
        [
            CaseSeen(case=case, member=member, up_to=case.last_inward_at)
            for case in cases
            if case.last_inward_at is not None
        ],
        update_conflicts=True,
        unique_fields=["member", "case"],
        update_fields=["up_to"],
    )


def mark_unread(cases: Sequence[Case], *, member: Member) -> None:
    """As if they had not looked yet."""
    CaseSeen.objects.filter(case__in=[case.pk for case in cases], member=member).delete()
