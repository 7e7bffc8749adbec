"""Where a workspace's trained models lie."""

from pathlib import Path

from django.conf import settings

from talkworthy.learning.models import TrainedModel
from talkworthy.workspaces.models import Workspace


def models_folder(workspace: Workspace) -> Path:
    """The folder of a workspace's trained models."""
    return Path(settings.DATA) / "models" / str(workspace.uid)


def file_of(trained: TrainedModel) -> Path:
    """The file of a trained model."""
    return models_folder(trained.workspace) / f"{trained.task}-{trained.number}.npz"
