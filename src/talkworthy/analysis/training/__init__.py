"""Rebuild the shipped models: `python -m talkworthy.analysis.training TASK… DATA OUT` (or `talkworthy train`).

Seeded and without chance: the same data give the same files. The folder of data has the layout of
`docs/reference/models.md`. Order matters where one head helps another: `all` knows it.
"""

from pathlib import Path
from typing import Any

from talkworthy.analysis.belonging import NAME as BELONGING
from talkworthy.analysis.careful import careful_name
from talkworthy.analysis.entities import NAME as ENTITIES
from talkworthy.analysis.evaluation import Measured
from talkworthy.analysis.influence import NAME as INFLUENCE
from talkworthy.analysis.masking import NAME
from talkworthy.analysis.scoring import FEATURES
from talkworthy.analysis.training import (
    belonging,
    entities,
    fitting,
    heads,
    influence,
    language,
    matter,
    packing,
    similar,
)
from talkworthy.analysis.training.cards import card_of
from talkworthy.analysis.training.helping import rarity_of, readers_of
from talkworthy.analysis.training.tasks import TASKS, Task, task

HELD_BACK = "the tenth of its own sets that was held back"
TRAINED = (
    FEATURES,
    "language",
    INFLUENCE,
    *(held.name for held in TASKS),
    matter.NAME,
    "similar",
    BELONGING,
    ENTITIES,
)
CAREFUL = tuple(careful_name(held.name) for held in TASKS)


def train(name: str, data: Path, out: Path, *, version: str = "1.0.0", kept: Path | None = None) -> dict[str, Any]:
    """Train one model (or "all") from `data` into the folder `out`; the card or cards that were written.

    What the careful tier's encoder makes of texts takes a while: it is left in the folder `kept`, and found there.
    """
    if name == "all":
        return {held: train(held, data, out, version=version, kept=kept) for held in TRAINED}
    if name == FEATURES:
        counted = (held for held in TASKS if held.name != NAME)  # its texts are written for the head alone
        texts = dict.fromkeys(row.text for held in counted for row in held.rows(data))
        card = card_of(
            FEATURES,
            version,
            "How rare each hashed feature is; shared by all heads.",
            ("the texts of the sets below, unlabelled",),
            "None of its own.",
        )
        return _saved(out, card, fitting.learn_rarity(list(texts)[::2]))
    if name == "language":
        return _saved(out, *language.train(data))
    if name == INFLUENCE:
        return _saved(out, *influence.train(data, version=version))
    if name == BELONGING:
        return _saved(out, *belonging.train(data, version=version))
    if name == ENTITIES:
        return _saved(out, *entities.train(data, version=version))
    if name in (matter.NAME, "similar"):
        told, arrays = matter.train(data) if name == matter.NAME else similar.train(data, out)
        card = card_of(name, version, told["purpose"], told["sources"], told["failures"], scores=told["scores"])
        return _saved(out, card, arrays)
    if name in CAREFUL:
        return _train_careful_head(task(name.removeprefix(careful_name(""))), data, out, kept)
    return _train_head(task(name), data, out, kept)


def _train_head(chosen: Task, data: Path, out: Path, kept: Path | None) -> dict[str, Any]:
    trained = heads.train(
        chosen,
        chosen.rows(data),
        rarity_of(out),
        readers_of(chosen, out, data, kept),
        {name: rows(data) for name, rows in chosen.measured_on},
    )
    card = card_of(chosen.name, chosen.version, chosen.purpose, chosen.sources, chosen.failures, labels=chosen.labels)
    card |= {
        "threshold": trained.threshold,
        "undecided_below": chosen.undecided_below,
        "scores": scores_of(HELD_BACK, trained.measured, chosen),
    }
    for where, measured in trained.elsewhere.items():
        card["scores"] += scores_of(where, measured, chosen)
    return _saved(out, card, trained.arrays)


def _train_careful_head(chosen: Task, data: Path, out: Path, kept: Path | None) -> dict[str, Any]:
    from talkworthy.analysis.training.careful import heads as careful_heads

    trained = careful_heads.train(chosen, data, out, kept)
    told = f"Careful: network {trained.blend.own:.2f}, fast head {trained.blend.fast:.2f}."
    name, purpose = careful_name(chosen.name), f"{chosen.purpose} {told}"
    card = card_of(name, chosen.version, purpose, chosen.sources, chosen.failures, labels=chosen.labels)
    card |= {"task": chosen.name, "threshold": trained.threshold, "undecided_below": chosen.undecided_below}
    for where, measured in trained.measured.items():
        card["scores"] += scores_of(where or HELD_BACK, measured, chosen)
    return _saved(out, card, trained.arrays)


def scores_of(where: str, measured: Measured, chosen: Task) -> list[dict[str, Any]]:
    """What was measured as it stands in a card."""
    figures = (
        {"F1": measured.f1, "AUC": measured.auc}
        if len(chosen.labels) == 1
        else {"accuracy": measured.accuracy, "macro recall": measured.macro_recall}
    )
    figures |= {"macro F1": measured.macro_f1, "calibration error": measured.calibration_error}
    return [
        {"data": where, "measure": name, "value": round(100 * value, 1), "n": measured.n}
        for name, value in figures.items()
        if value is not None
    ]


def _saved(out: Path, card: dict[str, Any], arrays: dict[str, Any]) -> dict[str, Any]:
    packing.save(out, card, arrays)
    return card
