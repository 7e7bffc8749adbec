"""The room that listens."""

from django.apps import AppConfig


class ListeningConfig(AppConfig):
    """Listening."""

    name = "talkworthy.listening"
    label = "listening"
    verbose_name = "Listening"

    def ready(self) -> None:
        """Hand over what a leaving member owned."""
        from talkworthy.listening import ownership  # noqa: F401 - its receiver connects on import
