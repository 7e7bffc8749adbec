"""What people does when others call: forget and hand out what was derived, and keep to the terms of records."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from talkworthy.hooks import joins
from talkworthy.people import forgetting, retention
from talkworthy.workspaces.models import Workspace


@joins
def data_forgotten(
    workspace: Workspace, uids: Sequence[str], authors: Sequence[tuple[str, str]], now: datetime
) -> Mapping[str, int]:
    """Remove the accounts, and persons of whom nothing else is known."""
    return dict(forgetting.forget_accounts(workspace, authors))


@joins
def data_exported(
    workspace: Workspace, uids: Sequence[str], authors: Sequence[tuple[str, str]]
) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """The accounts, and the persons behind them with all that is kept of them."""
    identities = forgetting.identities_of(workspace, authors)
    persons = {
        record
        for identity in identities
        if identity.person is not None
        for record in forgetting.records_of(identity.person)
    }
    return forgetting.kept_of(workspace, sorted(persons), [identity.pk for identity in identities])


@joins
def work_due(now: datetime) -> int:
    """Ask about records whose day has come, and purge those that were put away."""
    return retention.keep_terms(now=now)
