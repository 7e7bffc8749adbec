"""A workspace whose playbook is there."""

import pytest
from tests.conftest import NOW

from talkworthy.routing.actions.playbooks import playbook_of
from talkworthy.routing.models import Playbook
from talkworthy.workspaces.models import Workspace


@pytest.fixture
def playbook(workspace: Workspace) -> Playbook:
    """The default playbook of Acme, switched on."""
    return playbook_of(workspace, now=NOW)
