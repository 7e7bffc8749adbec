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
        from talkworthy.responding import joining

        if not hooks().is_registered(joining):
            hooks().register(joining)
