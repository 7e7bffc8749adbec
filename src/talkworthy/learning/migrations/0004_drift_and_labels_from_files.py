"""Looks at drift and the rule that tells of it; labels that come from a file or from the playbook."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


def watch(apps, schema_editor):
    """Every workspace that is told of anything is told of drift, by the owner of its first rule."""
    alias = schema_editor.connection.alias
    rules = apps.get_model("listening", "AlertRule").objects.using(alias)
    owners = {}
    for workspace, owner in rules.order_by("pk").values_list("workspace", "owner"):
        owners.setdefault(workspace, owner)
    watched = set(rules.filter(kind="drift").values_list("workspace", flat=True))
    for workspace, owner in owners.items():
        if workspace not in watched:
            rules.create(workspace_id=workspace, kind="drift", owner_id=owner, threshold=0.0025)


class Migration(migrations.Migration):
    dependencies = [
        ("learning", "0003_samples"),
        ("listening", "0007_work_of_learning"),
        ("workspaces", "0002_alter_member_role_team_teammember_team_members_and_more"),
    ]

    operations = [
        migrations.CreateModel(
            name="DriftLook",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("task", models.CharField(max_length=30)),
                ("week", models.DateField()),
                ("figures", models.JSONField()),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="workspaces.workspace"
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("workspace", "task"), name="one_look_a_task")],
            },
        ),
        migrations.AddField(model_name="label", name="brought_by", field=models.BigIntegerField(null=True)),
        migrations.AddField(
            model_name="label", name="text", field=models.TextField(blank=True, default=""), preserve_default=False
        ),
        migrations.AlterField(
            model_name="label",
            name="kind",
            field=models.CharField(
                choices=[
                    ("correction", "Corrected"),
                    ("confirmation", "Confirmed"),
                    ("import", "From a file"),
                    ("answer", "Answered in the playbook"),
                ],
                max_length=12,
            ),
        ),
        migrations.RunPython(watch, migrations.RunPython.noop),
    ]
