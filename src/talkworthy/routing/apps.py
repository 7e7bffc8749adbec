"""The room that brings a mention to somebody."""

from django.apps import AppConfig

from talkworthy.hooks import hooks


class RoutingConfig(AppConfig):
    """Routing."""

    name = "talkworthy.routing"
    label = "routing"
    verbose_name = "Routing"

    def ready(self) -> None:
        """Join the hooks."""
        from talkworthy.routing import joining

        if not hooks().is_registered(joining):
            hooks().register(joining)
