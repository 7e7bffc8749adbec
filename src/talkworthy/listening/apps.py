"""The room that listens."""

from django.apps import AppConfig


class ListeningConfig(AppConfig):
    """Listening."""

    name = "talkworthy.listening"
    label = "listening"
    verbose_name = "Listening"
