"""What the sources of a workspace usually speak."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("learning", "0007_ties_that_are_carried"),
        ("workspaces", "0002_alter_member_role_team_teammember_team_members_and_more"),
    ]

    operations = [
        migrations.CreateModel(
            name="SpokenLanguages",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField(default=0)),
                ("sources", models.JSONField(default=dict)),
                ("answers", models.BooleanField(default=True)),
                ("looked_at", models.DateTimeField(null=True)),
                (
                    "workspace",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="workspaces.workspace"
                    ),
                ),
            ],
        ),
    ]
