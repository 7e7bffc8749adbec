"""The linear heads that the pipeline asks, scored together in one pass: the shipped ones, or a workspace's own."""

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType

from talkworthy.analysis.registry import Model, model
from talkworthy.analysis.scoring import Head, Scorer, head

IN_PIPELINE = ("sentiment", "complaint", "suggestion", "purchase", "help", "praise")
NONE_SET: Mapping[str, float] = MappingProxyType({})


class Heads:
    """The heads of one pipeline, and how sure their answers must be.

    `own` stand in the place of shipped ones of the same name; `sure` says, by column, below which probability an
    answer is "undecided", where that is another than the model's own; `spoken`, by source, which share of what it
    brought is in which language. `mark` is what annotations cite beside the
    pipeline's version: empty where everything is as shipped.
    """

    def __init__(
        self,
        own: Sequence[Head] = (),
        *,
        sure: Mapping[str, float] = NONE_SET,
        spoken: Mapping[str, Mapping[str, float]] | None = None,
        mark: str = "",
    ) -> None:
        replaced = {held.model.name: held for held in own}
        self._held = {name: replaced.get(name) or head(name) for name in IN_PIPELINE}
        self.scorer = Scorer(list(self._held.values()))
        self.sure = sure
        self.spoken = spoken or {}
        self.mark = mark

    def head(self, name: str) -> Head:
        """The head of a name; one that the pipeline does not ask is the shipped one."""
        return self._held.get(name) or head(name)

    def card(self, name: str) -> Model:
        """The card of a head."""
        return self.head(name).model


@cache
def shipped() -> Heads:
    """The heads as they are shipped, once a process."""
    return Heads()


def scorer() -> Scorer:
    """The one scorer of the shipped heads of this process."""
    return shipped().scorer


@cache
def scorer_of(name: str) -> Scorer:
    """A scorer of one shipped head alone."""
    return Scorer([head(name)])


def cited(analysed_by: str | None, name: str) -> int | None:
    """The number of the workspace's own head that made an annotation, as `analysed_by` cites it; None where shipped."""
    for part in (analysed_by or "").split():
        task, _, number = part.removeprefix("+").rpartition(".")
        if part.startswith("+") and task == name and number.isdecimal():
            return int(number)
    return None


def own_card(name: str, threshold: float, number: int) -> Model:
    """The card of a workspace's own head: the shipped one's, under a version that says whose it is."""
    card = model(name)
    return Model(
        **{
            **{field: getattr(card, field) for field in card.__dataclass_fields__},
            "version": f"{card.version}+{number}",
            "threshold": threshold,
            "trained_on": (*card.trained_on, "labels of this workspace"),
            "scores": (),
        }
    )
