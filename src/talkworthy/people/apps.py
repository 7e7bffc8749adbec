"""The room of persons and their identities."""

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    """People."""

    name = "talkworthy.people"
    label = "people"
    verbose_name = "People"

    def ready(self) -> None:
        """Join the hooks."""
        from talkworthy.hooks import hooks
        from talkworthy.people import joining

        if not hooks().is_registered(joining):
            hooks().register(joining)
