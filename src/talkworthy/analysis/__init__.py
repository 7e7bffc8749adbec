"""ANALYSE: what posts say, in which language and mood, what they want, and which are copies. Pure: batch in, columns out."""

from talkworthy.analysis.duplicates import NearDuplicates
from talkworthy.analysis.pipeline import Analyser, Pipeline, PipelineError, default_pipeline

__all__ = ["Analyser", "NearDuplicates", "Pipeline", "PipelineError", "default_pipeline"]
