"""Writing a version and switching it on, each in the trail."""

import pytest
from tests.conftest import NOW

from talkworthy.routing.actions import playbooks as actions
from talkworthy.routing.models import Playbook
from talkworthy.routing.playbook import BadPlaybook, default_tree
from talkworthy.workspaces.models import AuditEntry, User, Workspace


def changed_tree() -> dict[str, object]:
    """The default tree, where an unknown claim is taken as true."""
    tree = default_tree()
    tree["nodes"]["Q4"]["otherwise"] = "true"
    return tree


def test_a_workspace_gets_the_default_playbook_once(workspace: Workspace) -> None:
    first, second = (actions.playbook_of(workspace, now=NOW) for _ in range(2))
    assert first == second
    assert first.active is not None
    assert first.active.version == 1


def test_a_saved_version_is_not_followed_until_it_is_switched_on(playbook: Playbook, alice: User) -> None:
    version = actions.save_version(playbook, tree=changed_tree(), note="braver", seen=1, by=alice, now=NOW)
    playbook.refresh_from_db()
    assert playbook.active is not None
    assert playbook.active.version == 1
    actions.activate_version(version, by=alice, now=NOW)
    playbook.refresh_from_db()
    assert playbook.active == version


def test_the_trail_holds_what_a_version_changed(playbook: Playbook, alice: User) -> None:
    actions.save_version(playbook, tree=changed_tree(), note="braver", seen=1, by=alice, now=NOW)
    entry = AuditEntry.objects.filter(verb="save").get()
    assert (entry.before, entry.after) == ({"nodes.Q4.otherwise": "unknown"}, {"nodes.Q4.otherwise": "true"})


def test_a_tree_that_cannot_be_followed_is_not_kept(playbook: Playbook, alice: User) -> None:
    tree = default_tree()
    tree["start"] = "Q0"
    with pytest.raises(BadPlaybook):
        actions.save_version(playbook, tree=tree, note="", seen=1, by=alice, now=NOW)
    assert playbook.versions.count() == 1


def test_a_second_writer_is_told_of_the_first(playbook: Playbook, alice: User, bob: User) -> None:
    actions.save_version(playbook, tree=changed_tree(), note="", seen=1, by=alice, now=NOW)
    with pytest.raises(actions.NewerVersion, match="version 2"):
        actions.save_version(playbook, tree=default_tree(), note="", seen=1, by=bob, now=NOW)
    assert playbook.versions.count() == 2
