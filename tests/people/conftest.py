"""Persons by hand, with decoys beside them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
def now() -> datetime:
    """A Wednesday noon."""
    return NOW


@pytest.fixture
def person(workspace: Any, alice: Any) -> Callable[..., Any]:
    """Add a person of Acme: name, then attributes by name."""
    from talkworthy.people import actions

    def made(name: str, *identities: Any, at: datetime = NOW, source: str = "member", **known: Any) -> Any:
        added = actions.create_person(
            known.pop("workspace", workspace),
            name=name,
            basis="interest",
            basis_note="They wrote to us.",
            retain_until=at + timedelta(days=365),
            by=alice,
            now=at,
            identities=identities,
            organisation=known.pop("organisation", ""),
        )
        for key, value in known.items():
            actions.add_attribute(added, name=key, value=value, source=source, by=alice, now=at)
        return added

    return made


@pytest.fixture
def account(workspace: Any) -> Callable[..., Any]:
    """Make an identity as routing does when a case is opened."""
    from talkworthy.people import actions

    def made(id: str, channel: str = "mastodon", at: datetime = NOW, **author: Any) -> Any:
        return actions.identity_of(workspace, {"id": id, **author}, channel, now=at)

    return made


@pytest.fixture
def elsewhere(dan: Any) -> Any:
    """The workspace of a stranger."""
    from talkworthy.workspaces.models import Workspace

    return Workspace.objects.get(slug="elsewhere")
