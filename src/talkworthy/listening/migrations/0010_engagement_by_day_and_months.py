from datetime import UTC
from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import QuerySet, Sum, Value
from django.db.models.functions import TruncDate, TruncMonth

COUNTS = ("posts", "replies", "shares", "likes")
BY_MONTH = ("language", "intent", "source", "site", "community")


def sum_up(apps: Any, schema_editor: Any) -> None:
    """Sum the hours that are counted already into days, and the days into months, within the database.

    Whatever ends it, all of it is undone, and the next start sums anew.
    """
    hours, days, months = (apps.get_model("listening", f"{name}Cube") for name in ("Hour", "Day", "Month"))
    desk = schema_editor.connection.alias
    days.objects.using(desk).filter(dimension__in=("all", "channel")).delete()
    day = TruncDate("hour", tzinfo=UTC)
    sums = {f"n{place}": Sum(name) for place, name in enumerate(COUNTS)}
    for dimension, value in (("all", Value("")), ("channel", models.F("channel"))):
        keys = {"k0": day, "k1": Value(dimension), "k2": value}
        cells = hours.objects.using(desk).order_by().values_list("workspace_id", "monitor", *keys.values())
        insert(schema_editor, days, ("workspace_id", "monitor", "day", "dimension", "value", *COUNTS), cells, sums)
    cells = (
        days.objects.using(desk)
        .filter(dimension__in=BY_MONTH)
        .order_by()
        .values_list("workspace_id", "monitor", "dimension", "value", TruncMonth("day"))
    )
    columns = ("workspace_id", "monitor", "dimension", "value", "month", "posts")
    insert(schema_editor, months, columns, cells, {"n": Sum("posts")})


def insert(
    schema_editor: Any, model: Any, columns: tuple[str, ...], cells: QuerySet[Any], sums: dict[str, Sum]
) -> None:
    """Write what a question would answer into a table, without bringing it here."""
    connection = schema_editor.connection
    sql, parameters = cells.annotate(**sums).query.get_compiler(using=connection.alias).as_sql()
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) {sql}", parameters)


def forget(apps: Any, schema_editor: Any) -> None:
    """Take away what older versions do not know."""
    days = apps.get_model("listening", "DayCube").objects.using(schema_editor.connection.alias)
    days.filter(dimension="all").delete()


class Migration(migrations.Migration):
    dependencies = [("listening", "0009_promises_heard"), ("workspaces", "0001_initial")]

    operations = [
        *(
            migrations.AddField("daycube", name, models.BigIntegerField(null=True))
            for name in ("replies", "shares", "likes")
        ),
        migrations.CreateModel(
            name="MonthCube",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("month", models.DateField()),
                ("monitor", models.BigIntegerField()),
                ("dimension", models.CharField(max_length=12)),
                ("value", models.CharField(max_length=200)),
                ("posts", models.BigIntegerField()),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="workspaces.workspace"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("workspace", "monitor", "dimension", "month", "value"), name="one_cell_a_month"
                    )
                ]
            },
        ),
        migrations.RunPython(sum_up, forget),
    ]
