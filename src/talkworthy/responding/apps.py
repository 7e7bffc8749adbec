"""The room that answers."""

from django.apps import AppConfig

from talkworthy.hooks import hooks


class RespondingConfig(AppConfig):
    """Responding."""

    name = "talkworthy.responding"
    label = "responding"
    verbose_name = "Responding"

    def ready(self) -> None:
        """Join the hooks."""
        from talkworthy.listening.jobs import register_work
        from talkworthy.listening.models import Job
        from talkworthy.responding import joining, many

        if not hooks().is_registered(joining):
            hooks().register(joining)
        register_work(Job.Kind.CASES, many.work)
