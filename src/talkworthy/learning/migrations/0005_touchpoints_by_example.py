"""Touchpoints that people gave examples of, and the posts that these tied."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ecosystem", "0001_initial"),
        ("learning", "0004_drift_and_labels_from_files"),
        ("workspaces", "0002_alter_member_role_team_teammember_team_members_and_more"),
    ]

    operations = [
        migrations.CreateModel(
            name="LearnedTie",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.TextField()),
                ("post_id", models.BigIntegerField()),
                ("probability", models.FloatField()),
                ("nearest", models.JSONField(default=list)),
                ("at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "touchpoint",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="ecosystem.touchpoint"
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="workspaces.workspace"
                    ),
                ),
            ],
            options={
                "ordering": ["-post_id"],
                "indexes": [models.Index(fields=["workspace", "uid"], name="learned_ties_of_a_post")],
                "constraints": [models.UniqueConstraint(fields=("touchpoint", "uid"), name="one_learned_tie")],
            },
        ),
        migrations.CreateModel(
            name="TaughtTouchpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("answers", models.BooleanField(default=True)),
                ("looked_at", models.DateTimeField(null=True)),
                ("looked_to", models.BigIntegerField(null=True)),
                ("due_at", models.DateTimeField(default=django.utils.timezone.now, null=True)),
                ("claimed_until", models.DateTimeField(null=True)),
                (
                    "touchpoint",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="ecosystem.touchpoint"
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="workspaces.workspace"
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["due_at"], name="taught_touchpoints_due")],
            },
        ),
    ]
