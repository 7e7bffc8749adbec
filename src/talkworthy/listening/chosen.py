"""With which models the posts of a workspace are understood: the shipped ones, or those that it trained itself.

A model's file is read once a process. One that is damaged, or that was made for features of another version of the
product, is left out and logged: the shipped head answers in its place, and annotations say so.
"""

import hashlib
import logging
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from talkworthy.analysis.heads import Heads, own_card
from talkworthy.analysis.pipeline import Pipeline, default_pipeline, pipeline_of
from talkworthy.analysis.registry import DamagedModel, arrays_in, model
from talkworthy.analysis.scoring import FEATURES, Head, rarity, unfolded
from talkworthy.hooks.manager import call

if TYPE_CHECKING:  # processes that understand posts know no desk
    from talkworthy.workspaces.models import Workspace

log = logging.getLogger(__name__)

REMEMBERED = 4
"""Sets of models that a process keeps, each of some tens of megabytes."""


@dataclass(frozen=True)
class ModelFile:
    """A file with a workspace's own heads of one task; `features` is the sum of what they were made for."""

    task: str
    number: int
    path: str
    sha256: str
    features: str
    thresholds: tuple[tuple[str, float], ...]

    def heads(self) -> list[Head]:
        """The heads, read and checked; DamagedModel or OSError where they cannot be used."""
        content = Path(self.path).read_bytes()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise DamagedModel(f"{self.path} is not the file that was written: put it back from a backup")
        if self.features != model(FEATURES).sha256:
            raise DamagedModel(f"{self.path} was made for another version of the product: train it again")
        held = arrays_in(content)
        found = []
        for name, threshold in self.thresholds:
            parts = {part.removeprefix(f"{name}."): held[part] for part in held if part.startswith(f"{name}.")}
            found.append(unfolded(own_card(name, threshold, self.number), parts, rarity()))
        return found


@dataclass(frozen=True)
class Chosen:
    """The files of a workspace's own heads, and by column below which probability an answer is "undecided"."""

    files: tuple[ModelFile, ...] = ()
    sure: tuple[tuple[str, float], ...] = ()
    tier: str = "fast"
    """Which tier answers beside them."""
    spoken: tuple[tuple[str, tuple[tuple[str, float], ...]], ...] = ()
    """By the key of a source, which share of what it brought is in which language."""
    spoken_number: int = 0
    """Under which number annotations cite that."""

    @property
    def is_as_shipped(self) -> bool:
        """Whether nothing was chosen."""
        return not self.files and not self.sure and not self.spoken


AS_SHIPPED = Chosen()


def chosen_for(workspace: "Workspace") -> Chosen:
    """What the rooms above chose for a workspace."""
    answers: list[Chosen] = [answer for answer in call("models_chosen", workspace=workspace) if answer is not None]
    return Chosen(
        tuple(file for answer in answers for file in answer.files),
        tuple(limit for answer in answers for limit in answer.sure),
        settings.CONFIGURATION.analysis_tier,
        tuple(source for answer in answers for source in answer.spoken),
        max((answer.spoken_number for answer in answers), default=0),
    )


@lru_cache(maxsize=REMEMBERED)
def heads_for(chosen: Chosen) -> Heads | None:
    """The heads of a choice; None where all are as shipped."""
    if chosen.is_as_shipped:
        return None
    heads, marks = [], []
    for file in chosen.files:
        try:
            heads += file.heads()
        except (DamagedModel, OSError, KeyError, ValueError) as error:
            log.error("the shipped model answers %s: %s", file.task, error)
        else:
            marks.append(f"+{file.task}.{file.number}")
    marks += [f"+language.{chosen.spoken_number}"] if chosen.spoken else []
    marks += [f"~{column.removeprefix('detected_')}.{round(100 * least)}" for column, least in chosen.sure]
    spoken = {source: dict(shares) for source, shares in chosen.spoken}
    return Heads(heads, sure=dict(chosen.sure), spoken=spoken, mark=" ".join(marks))


@lru_cache(maxsize=REMEMBERED)
def pipeline_for(chosen: Chosen) -> Pipeline:
    """The pipeline that understands posts with these models."""
    heads = heads_for(chosen)
    return default_pipeline(chosen.tier) if heads is None else pipeline_of(heads, chosen.tier)
