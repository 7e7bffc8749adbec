"""The room that tells people and programs."""

from django.apps import AppConfig


class NotifyingConfig(AppConfig):
    """Notifying."""

    name = "talkworthy.notifying"
    label = "notifying"
    verbose_name = "Notifying"
