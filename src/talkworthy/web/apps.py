"""What joins the rooms in the browser."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    """Web."""

    name = "talkworthy.web"
    label = "web"
    verbose_name = "Web"

    def ready(self) -> None:
        """Listen for new passwords."""
        from talkworthy.web import accounts  # noqa: F401 - its receivers connect on import
