"""The room that tells people and programs."""

from django.apps import AppConfig

from talkworthy.hooks import hooks


class NotifyingConfig(AppConfig):
    """Notifying."""

    name = "talkworthy.notifying"
    label = "notifying"
    verbose_name = "Notifying"

    def ready(self) -> None:
        """Join the hooks."""
        from talkworthy.notifying import joining

        if not hooks().is_registered(joining):
            hooks().register(joining)
