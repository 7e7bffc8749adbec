"""The room that listens."""

from django.apps import AppConfig


class ListeningConfig(AppConfig):
    """Listening."""

    name = "talkworthy.listening"
    label = "listening"
    verbose_name = "Listening"

    def ready(self) -> None:
        """Hand over what a leaving member owned, keep touchpoints' monitors in step, and join the hooks."""
        from talkworthy.hooks import hooks
        from talkworthy.listening import (
            carrying,  # noqa: F401 - its receivers connect on import
            joining,
            ownership,  # noqa: F401 - its receiver connects on import
        )

        if not hooks().is_registered(joining):
            hooks().register(joining)
