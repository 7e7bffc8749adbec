"""What a model's card holds, and cards as Markdown, as they stand in docs/reference/models.md below its own part."""

from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any

from talkworthy.analysis.registry import Model

BEGIN = "<!-- cards: begin (written by `python -m talkworthy.analysis.training cards`) -->"
END = "<!-- cards: end -->"

LICENCE = "Apache-2.0"


def card_of(
    name: str,
    version: str,
    purpose: str,
    sources: Sequence[str],
    failures: str,
    *,
    labels: Sequence[str] = (),
    scores: Sequence[dict[str, Any]] = (),
    threshold: float = 0.0,
    undecided_below: float = 0.0,
) -> dict[str, Any]:
    """A card, of a model that is named after its task."""
    return {
        "name": name,
        "version": version,
        "task": name,
        "purpose": purpose,
        "labels": list(labels),
        "licence": LICENCE,
        "trained_on": list(sources),
        "scores": list(scores),
        "failures": failures,
        "threshold": threshold,
        "undecided_below": undecided_below,
    }


def cards(held: Iterable[Model]) -> str:
    """One section a model, with everything that the registry knows of it."""
    return "\n".join([BEGIN, "", *(line for card in held for line in _card(card)), END])


def _card(card: Model) -> list[str]:
    size = len((resources.files("talkworthy.analysis") / "models" / card.file).read_bytes())
    lines = [f"### {card.name}", "", card.purpose, "", "| | |", "| --- | --- |"]
    lines += [
        f"| version | {card.version} |",
        f"| licence | {card.licence} |",
        f"| file | `{card.file}`, {size / 1e6:.2f} MB |",
    ]
    if card.labels:
        lines.append(f"| answers | {', '.join(card.labels)} |")
    if card.threshold:
        lines.append(f'| "yes" from | {card.threshold:.3f} |')
    if card.undecided_below:
        lines.append(f"| undecided below | {card.undecided_below:.2f} |")
    lines.append(f"| trained on | {'; '.join(card.trained_on)} |")
    lines += [f"| {score.measure} | {score.value:.1f} on {score.data} (n = {score.n:,}) |" for score in card.scores]
    return [*lines, f"| known failures | {card.failures} |", ""]


def replaced(page: str, held: Iterable[Model]) -> str:
    """The page with its cards made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + cards(held) + after
