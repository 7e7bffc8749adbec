"""Whom a reply's fate concerns, and the row that tells them."""

from collections.abc import Iterable

from talkworthy.notifying.models import Notification
from talkworthy.responding.models import Draft
from talkworthy.workspaces.models import Member


def tell(
    members: Iterable[Member | None], *, kind: str, text: str, address: str, key: str, but: Member | None = None
) -> None:
    """Tell each member once of what the key names."""
    for member in {member.pk: member for member in members if member is not None}.values():
        if but is None or member.pk != but.pk:
            Notification.objects.get_or_create(
                member=member,
                key=key[:120],
                defaults={"workspace_id": member.workspace_id, "kind": kind, "text": text, "address": address},
            )


def concerned(draft: Draft) -> list[Member | None]:
    """Who wrote it, and who owns its case."""
    return [draft.by, draft.case.owner]


def case_address(draft: Draft) -> str:
    """Where the case stands."""
    return f"/{draft.workspace.slug}/cases/{draft.case.number}/"
