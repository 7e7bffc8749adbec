"""The room of persons and their identities."""

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    """People."""

    name = "talkworthy.people"
    label = "people"
    verbose_name = "People"
