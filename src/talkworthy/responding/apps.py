"""The room that answers."""

from django.apps import AppConfig


class RespondingConfig(AppConfig):
    """Responding."""

    name = "talkworthy.responding"
    label = "responding"
    verbose_name = "Responding"
