"""Kinds of work and of alerts that learning brings: recomputing, labels from a file, drift."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("listening", "0006_voices")]

    operations = [
        migrations.AlterField(
            model_name="job",
            name="kind",
            field=models.CharField(
                choices=[
                    ("backtest", "Backtest"),
                    ("import", "Import"),
                    ("export", "Export"),
                    ("erasure", "Erasure"),
                    ("rematch", "Match history again"),
                    ("replay", "Replay of routing"),
                    ("link", "Look for links between people"),
                    ("sync", "Exchange with the CRM"),
                    ("retrain", "Training on labels"),
                    ("influence", "Count who is heard"),
                    ("recompute", "Recompute annotations"),
                    ("labels", "Import of labels"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="alertrule",
            name="kind",
            field=models.CharField(
                choices=[
                    ("unusual", "More mentions than usual"),
                    ("silent", "A source has gone silent"),
                    ("empty", "A monitor finds nothing any more"),
                    ("drift", "A model meets other posts than before"),
                ],
                max_length=10,
                verbose_name="kind",
            ),
        ),
    ]
