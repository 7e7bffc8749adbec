"""The room that brings a mention to somebody."""

from django.apps import AppConfig
from django.db.models.signals import post_migrate

from talkworthy.hooks import hooks


class RoutingConfig(AppConfig):
    """Routing."""

    name = "talkworthy.routing"
    label = "routing"
    verbose_name = "Routing"

    def ready(self) -> None:
        """Join the hooks."""
        from talkworthy.listening.jobs import register_work
        from talkworthy.listening.models import Job
        from talkworthy.routing import joining, replaying, word_index

        if not hooks().is_registered(joining):
            hooks().register(joining)
        register_work(Job.Kind.REPLAY, replaying.work)
        post_migrate.connect(word_index.keep_word_index, sender=self, dispatch_uid="word index")
