"""A workspace with its playbook, a conversation, a case, and agents."""

import pytest
from tests.conftest import NOW

from talkworthy.routing import actions
from talkworthy.routing.actions.playbooks import playbook_of
from talkworthy.routing.models import Case, Conversation, Message, Playbook
from talkworthy.workspaces.models import Member, Team, TeamMember, User, Workspace


@pytest.fixture
def playbook(workspace: Workspace) -> Playbook:
    """The default playbook of Acme, switched on."""
    return playbook_of(workspace, now=NOW)


@pytest.fixture
def conversation(workspace: Workspace) -> Conversation:
    """A conversation with one message of a customer."""
    held = Conversation.objects.create(
        workspace=workspace, channel="mastodon", root="mastodon:example.org:1", first_at=NOW, last_at=NOW,
        last_inward_at=NOW,
    )  # fmt: skip
    Message.objects.create(
        workspace=workspace, conversation=held, uid=held.root, text="My router is broken", at=NOW, post_id=1
    )
    return held


@pytest.fixture
def case(conversation: Conversation) -> Case:
    """An open case on it, with a decoy beside it."""
    decoy = Conversation.objects.create(
        workspace=conversation.workspace, channel="email", root="email:x:1", first_at=NOW, last_at=NOW
    )
    actions.open_case(decoy, title="Decoy", by=None, now=NOW)
    found, _new = actions.open_case(conversation, title="My router is broken", by=None, now=NOW)
    return found


@pytest.fixture
def agents(workspace: Workspace, bob: User, carol: User) -> Team:
    """Support: Bob and Carol, who are agents."""
    Member.objects.filter(user__in=[bob, carol]).update(role="agent")
    team = Team.objects.create(workspace=workspace, name="Support", slug="support")
    for member in Member.objects.filter(user__in=[bob, carol]).order_by("pk"):
        TeamMember.objects.create(team=team, member=member)
    return team
