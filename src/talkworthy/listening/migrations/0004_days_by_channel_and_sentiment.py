from datetime import UTC
from typing import Any

from django.db import migrations
from django.db.models import Sum
from django.db.models.functions import TruncDate


def count_days(apps: Any, schema_editor: Any) -> None:
    """Sum the hours that are counted already, so that long periods are read by the day from now on."""
    hours, days = apps.get_model("listening", "HourCube"), apps.get_model("listening", "DayCube")
    desk = schema_editor.connection.alias
    for dimension in ("channel", "sentiment"):
        cells = (
            hours.objects.using(desk)
            .order_by()
            .values_list("workspace_id", TruncDate("hour", tzinfo=UTC), "monitor", dimension)
            .annotate(n=Sum("posts"))
        )
        rows = [
            days(workspace_id=workspace, day=day, monitor=monitor, dimension=dimension, value=value, posts=posts)
            for workspace, day, monitor, value, posts in cells
        ]
        days.objects.using(desk).bulk_create(rows, batch_size=2_000)


def forget_days(apps: Any, schema_editor: Any) -> None:
    """Take them away again."""
    days = apps.get_model("listening", "DayCube").objects.using(schema_editor.connection.alias)
    days.filter(dimension__in=("channel", "sentiment")).delete()


class Migration(migrations.Migration):
    dependencies = [("listening", "0003_monitor_touchpoint_alter_job_kind")]

    operations = [migrations.RunPython(count_days, forget_days)]
