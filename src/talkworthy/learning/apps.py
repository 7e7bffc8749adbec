"""The room of labels and of the models that a workspace trains."""

from django.apps import AppConfig


class LearningConfig(AppConfig):
    """Learning."""

    name = "talkworthy.learning"
    label = "learning"
    verbose_name = "Learning"

    def ready(self) -> None:
        """Join the hooks, and do the jobs."""
        from talkworthy.hooks import hooks
        from talkworthy.learning import importing, joining, looking, recomputing, retraining
        from talkworthy.listening.alerts import register_signs
        from talkworthy.listening.jobs import register_storing, register_work
        from talkworthy.listening.models import AlertRule, Job

        if not hooks().is_registered(joining):
            hooks().register(joining)
        register_work(Job.Kind.RETRAIN, retraining.work)
        register_work(Job.Kind.LABELS, importing.work)
        register_storing(Job.Kind.RECOMPUTE, recomputing.work)
        register_signs(AlertRule.Kind.DRIFT, looking.drift_signs)
