"""Posts that stand under a touchpoint's monitor by examples."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ecosystem", "0001_initial"),
        ("learning", "0006_pairs_of_one_matter"),
        ("workspaces", "0002_alter_member_role_team_teammember_team_members_and_more"),
    ]

    operations = [
        migrations.CreateModel(
            name="CarriedTie",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("uid", models.TextField()),
                ("post_id", models.BigIntegerField()),
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
                "indexes": [models.Index(fields=["workspace", "uid"], name="carried_ties_of_a_post")],
                "constraints": [models.UniqueConstraint(fields=("touchpoint", "uid"), name="one_carried_tie")],
            },
        ),
    ]
