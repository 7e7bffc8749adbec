"""ANALYSE: in which language and mood posts are, what they want, what is a copy, and what rises. Pure."""

from talkworthy.analysis.duplicates import NearDuplicates
from talkworthy.analysis.labelled import evaluate_file
from talkworthy.analysis.memes import Counts, Meme, Term, count_terms, rising
from talkworthy.analysis.pipeline import Analyser, Pipeline, PipelineError, default_pipeline
from talkworthy.analysis.reasons import Evidence, Reason, why
from talkworthy.analysis.trends import Burst, Window, burst_score

__all__ = [
    "Analyser",
    "Burst",
    "Counts",
    "Evidence",
    "Meme",
    "NearDuplicates",
    "Pipeline",
    "PipelineError",
    "Reason",
    "Term",
    "Window",
    "burst_score",
    "count_terms",
    "default_pipeline",
    "evaluate_file",
    "rising",
    "why",
]
