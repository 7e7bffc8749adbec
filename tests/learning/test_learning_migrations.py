"""What stood before there were labels, and before drift was watched, is taken over."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def migrated(name):
    """The desk as a migration of learning leaves it."""
    executor = MigrationExecutor(connection)
    listening = executor.loader.graph.leaf_nodes("listening")
    executor.migrate([("learning", name)])
    return MigrationExecutor(connection).loader.project_state([("learning", name), *listening]).apps


@pytest.mark.django_db(transaction=True)
def test_corrections_become_labels_and_workspaces_that_are_told_of_anything_are_told_of_drift():
    newest = MigrationExecutor(connection).loader.graph.leaf_nodes("learning")[0][1]
    old = migrated("0001_initial")
    try:
        model = old.get_model
        workspace = model("workspaces", "Workspace").objects.create(name="Acme", slug="acme")
        decoy = model("workspaces", "Workspace").objects.create(name="Decoy", slug="decoy")
        user = model("workspaces", "User").objects.create(email="alice@example.org", name="Alice")
        owner = model("workspaces", "Member").objects.create(workspace=workspace, user=user, role="administrator")
        for number, (new, undone) in enumerate([("negative", None), ("neutral", None), ("positive", NOW)]):
            model("listening", "Correction").objects.create(
                workspace=workspace,
                uid="feed:example.org:1",
                post_id=7,
                task="sentiment",
                old="positive",
                new=new,
                model="fast 1.0",
                by=user,
                at=NOW + timedelta(hours=number),
                undone_at=undone,
            )
        model("listening", "AlertRule").objects.create(workspace=workspace, kind="silent", owner=owner, threshold=3)
        now = migrated(newest)
        label = now.get_model("learning", "Label").objects.get()
        assert (label.value, label.answer, label.kind, label.channel) == ("neutral", "positive", "correction", "feed")
        assert (label.workspace_id, label.post_id, label.by_id, label.text) == (workspace.pk, 7, user.pk, "")
        rules = now.get_model("listening", "AlertRule").objects.filter(kind="drift")
        assert [(rule.workspace_id, rule.owner_id) for rule in rules] == [(workspace.pk, owner.pk)]
        assert decoy.pk != workspace.pk
    finally:
        migrated(newest)
