"""Which models answer, as plain values that a job can keep, as what listening asks for, and as annotations cite it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from talkworthy.analysis.similarity import NAME as SIMILAR
from talkworthy.learning.habits import habits_of
from talkworthy.learning.models import Sureness, TrainedModel
from talkworthy.learning.stores import file_of
from talkworthy.listening.chosen import Chosen, ModelFile
from talkworthy.workspaces.models import Workspace

COLUMN = {"language": "detected_language"}
"""Columns that annotations cite by a shorter name."""


@dataclass(frozen=True)
class Choice:
    """The number of the workspace's own model of each task that has one answering, and the least probabilities."""

    models: Mapping[str, int] = field(default_factory=dict)
    sure: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As plain values."""
        return {"models": dict(self.models), "sure": dict(self.sure)}


def answering_now(workspace: Workspace) -> Choice:
    """What was activated, and how sure answers must be."""
    active = TrainedModel.objects.filter(workspace=workspace, activated_at__isnull=False).order_by("task")
    sure = Sureness.objects.filter(workspace=workspace).exclude(task=SIMILAR).order_by("task")
    return Choice(dict(active.values_list("task", "number")), dict(sure.values_list("task", "least")))


def choice_cited(analysed_by: str) -> Choice:
    """What an annotation cites: `fast 1.0 +sentiment.3 ~intent.60`."""
    models, sure = {}, {}
    for part in analysed_by.split():
        name, _, number = part[1:].rpartition(".")
        if number.isdecimal() and part.startswith("+"):
            models[name] = int(number)
        elif number.isdecimal() and part.startswith("~"):
            sure[COLUMN.get(name, name)] = int(number) / 100
    return Choice(models, sure)


def chosen_of(workspace: Workspace, choice: Choice) -> Chosen:
    """The files of a choice; a number that the workspace has no model of is the shipped one."""
    found = TrainedModel.objects.filter(workspace=workspace, task__in=choice.models).select_related("workspace")
    files = [
        ModelFile(
            trained.task,
            trained.number,
            str(file_of(trained)),
            trained.sha256,
            trained.features,
            tuple(sorted(trained.thresholds.items())),
        )
        for trained in found.order_by("task")
        if choice.models[trained.task] == trained.number
    ]
    habits = habits_of(workspace)
    spoken = {source: tuple(told["shares"].items()) for source, told in (habits.sources if habits else {}).items()}
    return Chosen(
        tuple(files),
        tuple(sorted(choice.sure.items())),
        settings.CONFIGURATION.analysis_tier,
        tuple(sorted(spoken.items())),
        habits.number if habits else 0,
    )
