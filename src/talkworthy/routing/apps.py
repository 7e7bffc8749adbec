"""The room that brings a mention to somebody."""

from django.apps import AppConfig


class RoutingConfig(AppConfig):
    """Routing."""

    name = "talkworthy.routing"
    label = "routing"
    verbose_name = "Routing"
