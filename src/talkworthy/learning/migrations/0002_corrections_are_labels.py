"""What was corrected before there were labels is a label, too; its channel is the first part of the uid."""

from django.db import migrations


def take_over(apps, schema_editor):
    """The newest correction of each post and task that was not taken back."""
    alias = schema_editor.connection.alias
    corrections, labels = apps.get_model("listening", "Correction"), apps.get_model("learning", "Label")
    newest = {}
    for made in corrections.objects.using(alias).filter(undone_at=None).order_by("at", "pk").iterator():
        newest[made.workspace_id, made.task, made.uid] = made
    labels.objects.using(alias).bulk_create(
        [
            labels(
                workspace_id=made.workspace_id,
                uid=made.uid,
                post_id=made.post_id,
                task=made.task,
                value=made.new,
                answer=made.old,
                model=made.model,
                kind="correction",
                channel=made.uid.split(":")[0][:40],
                correction=made.pk,
                by_id=made.by_id,
                at=made.at,
            )
            for made in newest.values()
        ],
        batch_size=500,
    )


class Migration(migrations.Migration):
    dependencies = [("learning", "0001_initial"), ("listening", "0005_models_of_a_workspace")]

    operations = [migrations.RunPython(take_over, migrations.RunPython.noop)]
