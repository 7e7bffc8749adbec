"""The room of touchpoints and promises."""

from django.apps import AppConfig


class EcosystemConfig(AppConfig):
    """Ecosystem."""

    name = "talkworthy.ecosystem"
    label = "ecosystem"
    verbose_name = "Ecosystem"
