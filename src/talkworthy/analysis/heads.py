"""The linear heads that the pipeline asks for, scored together in one pass."""

from functools import cache

from talkworthy.analysis.scoring import Scorer, head

IN_PIPELINE = ("sentiment", "complaint", "suggestion", "purchase", "help", "praise")


@cache
def scorer() -> Scorer:
    """The one scorer of this process."""
    return Scorer([head(name) for name in IN_PIPELINE])


@cache
def scorer_of(name: str) -> Scorer:
    """A scorer of one head alone."""
    return Scorer([head(name)])
