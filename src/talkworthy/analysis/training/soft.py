"""A teacher's answers to texts: probabilities that a small model learns from beside the true labels."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

SOURCE = "answers of a MiniLM (all-MiniLM-L6-v2, Apache-2.0) that was fitted on the same tweets, to unlabelled public tweets and comments"


@dataclass(frozen=True)
class Taught:
    """Texts and the probabilities that the teacher gave: shape (texts, labels)."""

    texts: Sequence[str]
    chances: npt.NDArray[np.float32]


def read(path: Path) -> Taught | None:
    """Answers from a .jsonl.gz of `[text, [logit, …]]`, or None where there is no such file."""
    if not path.exists():
        return None
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    logits = np.array([row[1] for row in rows], np.float32)
    grown = np.exp(logits - logits.max(axis=1, keepdims=True))
    return Taught([row[0] for row in rows], grown / grown.sum(axis=1, keepdims=True))
