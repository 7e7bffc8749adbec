"""The room of workspaces, people's access and the audit trail."""

from django.apps import AppConfig


class WorkspacesConfig(AppConfig):
    """Workspaces."""

    name = "talkworthy.workspaces"
    label = "workspaces"
    verbose_name = "Workspaces"
