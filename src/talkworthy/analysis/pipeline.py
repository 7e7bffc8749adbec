"""Analysers put together: a batch of posts in, the same batch with annotations out.

The order is checked when the pipeline is built. Running it is pure: the same batch always has the same
annotations, on any machine and next to any other posts (near copies excepted, which are found within a batch).
"""

from collections.abc import Collection, Sequence
from functools import cache
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import pyarrow as pa

from talkworthy.analysis.tiers import CASCADE, FAST, VERSION, Answered, Tier
from talkworthy.schema import ANNOTATIONS, POST

if TYPE_CHECKING:
    from talkworthy.analysis.heads import Heads


@runtime_checkable
class Analyser(Protocol):
    """Reads some columns of a batch and adds others."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    @property
    def requires(self) -> Sequence[str]:
        """Columns that must be there before it runs."""

    @property
    def assigns(self) -> Sequence[str]:
        """Columns that it adds, in this order at the end; or fills, where they stand in a post already."""

    def annotate(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the assigned columns."""


class PipelineError(ValueError):
    """The analysers do not fit together; `analyser` names the first that does not."""

    def __init__(self, analyser: str, problem: str) -> None:
        super().__init__(f"analyser {analyser!r} {problem}")
        self.analyser = analyser


class Pipeline:
    """Analysers in order, checked: what each requires is there before it, and no column has two makers."""

    def __init__(
        self,
        analysers: Sequence[Analyser],
        *,
        name: str = "custom",
        given: Sequence[str] = tuple(POST.names),
        mark: str = "",
    ) -> None:
        self.analysers = tuple(analysers)
        self.name = name
        self.title = f"{name} {VERSION} {mark}".rstrip()
        """What `analysed_by` says of its answers."""
        present, makers = set(given), dict[str, str]()
        for analyser in self.analysers:
            missing = [column for column in analyser.requires if column not in present]
            if missing:
                raise PipelineError(analyser.name, f"requires {', '.join(missing)}, which nothing before it provides")
            for column in analyser.assigns:
                if column in makers:
                    raise PipelineError(analyser.name, f"assigns {column}, which {makers[column]!r} assigns already")
                makers[column] = analyser.name
                present.add(column)

    def run(self, batch: pa.RecordBatch, *, keep: Sequence[str] = ()) -> pa.RecordBatch:
        """Posts with annotations; annotation columns the batch already has are made anew.

        Annotation columns follow the post's in the order of ANNOTATIONS; those that no analyser of this
        pipeline assigns are null. What analysers add beyond what they assign is dropped, but for what the caller keeps.
        """
        given = [name for name in batch.schema.names if name not in ANNOTATIONS.names]
        batch = batch.select(given)
        for analyser in self.analysers:
            batch = analyser.annotate(batch)
        assigned = {name for analyser in self.analysers for name in analyser.assigns}
        return self._in_order(batch, {*given, *assigned, *keep})

    def _in_order(self, batch: pa.RecordBatch, kept: Collection[str]) -> pa.RecordBatch:
        made = {name: batch.column(name) for name in batch.schema.names}
        made.setdefault("analysed_by", pa.array([self.title] * len(batch), pa.string()))
        fields = [field for field in batch.schema if field.name in kept and field.name not in ANNOTATIONS.names]
        arrays = [made[field.name] for field in fields]
        for field in ANNOTATIONS:
            arrays.append(made[field.name].cast(field.type) if field.name in made else pa.nulls(len(batch), field.type))
        return pa.RecordBatch.from_arrays(arrays, schema=pa.schema([*fields, *ANNOTATIONS]))


@cache
def default_pipeline(tier: str = FAST) -> Pipeline:
    """The pipeline that the product runs; its models are read on first use and kept.

    ValueError for a tier that there is none of, NotInstalled for one whose model is missing.
    """
    return pipeline_of(None, tier)


def pipeline_of(heads: "Heads | None", tier: str = FAST) -> Pipeline:
    """The pipeline that the product runs, with a workspace's own heads; None are the shipped ones."""
    from talkworthy.analysis.duplicates import Duplicates, Folded
    from talkworthy.analysis.extraction import Extraction
    from talkworthy.analysis.heads import shipped
    from talkworthy.analysis.language import Language

    asked = heads or shipped()
    held = Tier(tier, asked)
    sentiment, intent, urgency = judging(asked, held)
    language = Language(sure=asked.sure.get("detected_language"), spoken=asked.spoken)
    told = [Answered(held)] if tier == CASCADE else []
    return Pipeline(
        [Extraction(), language, sentiment, intent, *told, Folded(), urgency, Duplicates()], name=tier, mark=asked.mark
    )


def judging(heads: "Heads", tier: Tier | None = None) -> tuple[Analyser, Analyser, Analyser]:
    """The analysers that ask the heads, in order; what they need besides the text is the column `folded`."""
    from talkworthy.analysis.intent import Intent
    from talkworthy.analysis.sentiment import Sentiment
    from talkworthy.analysis.urgency import Urgency

    return Sentiment(heads, tier), Intent(heads, tier), Urgency(heads, tier)
