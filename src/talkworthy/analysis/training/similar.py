"""The weights of `similar`, fitted to two things at once.

A text must find the one of its matter among those that look most like it (titles of one link, of links that the table
of `matter` never saw), and pairs of questions, new to that table too, must be told apart as people judged them. Both
share one weight a look; how far a sum speaks for a yes, and from where on, is learnt from the judged pairs alone. What
a site in common is worth beside them is learnt last, from the links: it changes nothing where no sites are told.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar

from talkworthy.analysis.evaluation import auc, calibration_error
from talkworthy.analysis.labelled import related_pairs, rows_of
from talkworthy.analysis.meaning import PIECES, Meaning
from talkworthy.analysis.similarity import NAME, Collection
from talkworthy.analysis.training import packing
from talkworthy.analysis.training.matter import MEASURED, QUESTIONS, WEIGHED, is_for_the_table, links_of
from talkworthy.analysis.training.matter import NAME as MATTER

Floats = npt.NDArray[np.float64]

FOLDER, LINKS = "related_questions_qatarliving", "reddit_crosspost_links/posts.jsonl.gz"
STRENGTH = 0.01
NEAREST = 40
"""So many texts that look most like one are what it must be told from."""
EVERY = 3
"""Of the posts without a known partner every so-manieth is among those to be told from."""
SOURCES = (
    "SemEval-2016 task 3, related questions of Qatar Living, training part (repository MIT; weights only)",
    "titles that communities of Reddit gave to one link, umbrae/reddit-top-2.5-million (PDDL 1.0)",
)

FAILURES = (
    "Matters that share no word and no meaning that the tables of word pieces know, as two headlines of one link that"
    " say nothing of what is behind it; languages other than English where no word is shared; the probability holds for"
    " pairs that a search brought together, not for the best of thousands."
)


def train(data: Path, out: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Card and weights; each judged pair is seen with the subjects of both questions and without.

    The table of `matter` is the one that was trained into the folder `out`.
    """
    _card, arrays = packing.load(out, MATTER)
    matter = Meaning(MATTER, pieces=PIECES, table=arrays["vectors"])
    seen = [_looks(matter, data / QUESTIONS, subjects=subjects, unseen=True) for subjects in (True, False)]
    posts = list(rows_of(data / LINKS))
    looks, alike = np.concatenate([looks for looks, _ in seen]), np.concatenate([alike for _, alike in seen])
    lists = _candidates(matter, posts)
    weights = fitted([(table[:, :-1], right) for table, right in lists], looks[:, :-1], alike)
    weights = np.insert(weights, -1, worth_of_sites(lists, weights[:-1]))
    scores = []
    for what, subjects in (("question beside question", False), ("with the subjects of both", True)):
        looks, alike = _looks(matter, data / FOLDER / "val.csv.gz", subjects=subjects)
        chances = 1 / (1 + np.exp(-(looks @ weights[:-1] + weights[-1])))
        right = (chances >= 0.5) == alike
        error = calibration_error(right, np.maximum(chances, 1 - chances))
        where = f"{FOLDER}, validation, {what}"
        scores += [_score(where, "AUC", auc(alike, chances) or 0.5, len(alike))]
        scores += [_score(where, "calibration error", error, len(alike))]
    scores += _found(matter, posts, weights)
    card = {
        "name": NAME,
        "purpose": "Whether two texts speak of the same matter, in the same words or in others.",
        "sources": SOURCES,
        "failures": FAILURES,
        "scores": scores,
    }
    return card, {"weights": weights.astype(np.float32)}


def _looks(
    matter: Meaning, path: Path, *, subjects: bool, unseen: bool = False
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """The looks of judged pairs; `unseen`: only of questions that the table of `matter` did not learn from."""
    rows = [row for row in rows_of(path) if not (unseen and is_for_the_table(row["question"]))]
    first, second, alike = related_pairs(rows, subjects=subjects)
    places = {text: place for place, text in enumerate(dict.fromkeys([*first, *second]))}
    looks = Collection(list(places), matter=matter).looks(
        [places[text] for text in first], [places[text] for text in second]
    )
    return looks.astype(np.float64), np.array(alike)


def _candidates(matter: Meaning, posts: Sequence[Mapping[str, Any]]) -> list[tuple[Floats, npt.NDArray[np.bool_]]]:
    """For each title the looks of those nearest to it, by words and by meaning alike, and which are of its link."""
    sought = links_of(posts, WEIGHED, most=500)
    some = sorted({*sought, *(one for held in sought.values() for one in held), *range(0, len(posts), EVERY)})
    place_of = {place: number for number, place in enumerate(some)}
    held = Collection(
        [posts[place]["title"] for place in some], sites=[[posts[place]["domain"]] for place in some], matter=matter
    )
    found = []
    for place, others in sought.items():
        mine = place_of[place]
        right = np.array([place_of[other] for other in others])
        looks = held.looks_beside(mine)
        near = looks.mean(axis=1)
        near[mine] = -1
        nearest = np.union1d(np.argsort(-near, kind="stable")[:NEAREST], right)
        found.append((looks[nearest].astype(np.float64), np.isin(nearest, right)))
    return found


def fitted(
    lists: Sequence[tuple[Floats, npt.NDArray[np.bool_]]], looks: Floats, alike: npt.NDArray[np.bool_]
) -> Floats:
    """A weight a look and, last, the constant. None is below nothing: no likeness speaks against one matter."""
    count = looks.shape[1]

    def loss(told: Floats) -> tuple[float, Floats]:
        weights, scale, constant = told[:count], told[count], told[count + 1]
        slope = np.concatenate([2 * STRENGTH * weights, [0.0, 0.0]])
        total = STRENGTH * float(weights @ weights)
        for table, right in lists:
            sums = table @ weights
            raised = np.exp(sums - sums.max())
            share, true = raised / raised.sum(), raised * right / (raised * right).sum()
            total -= float(np.log((raised * right).sum() / raised.sum())) / len(lists)
            slope[:count] += table.T @ (share - true) / len(lists)
        sums = looks @ weights
        chance = 1 / (1 + np.exp(-(scale * sums + constant)))
        total -= float(np.log(np.where(alike, chance, 1 - chance)).mean())
        miss = (chance - alike) / len(alike)
        slope[:count] += scale * (looks.T @ miss)
        slope[count:] += miss @ sums, miss.sum()
        return total, slope

    start = np.concatenate([np.ones(count), [1.0, -1.0]])
    told = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[(0, None)] * count + [(0.01, None), (None, None)]
    ).x
    return np.concatenate([told[count] * told[:count], told[count + 1 :]])


def worth_of_sites(lists: Sequence[tuple[Floats, npt.NDArray[np.bool_]]], weights: Floats) -> float:
    """The weight of the last look beside those of the others, by how well each finds its own."""

    def loss(worth: float) -> float:
        total = 0.0
        for table, right in lists:
            sums = table[:, :-1] @ weights + worth * table[:, -1]
            raised = np.exp(sums - sums.max())
            total -= float(np.log((raised * right).sum() / raised.sum()))
        return total

    return float(minimize_scalar(loss, bounds=(0, 20), method="bounded").x)


def _found(matter: Meaning, posts: Sequence[Mapping[str, Any]], weights: Floats) -> list[dict[str, Any]]:
    """How often the nearest title, or one of the ten nearest, is of the same link, of links that no fit saw."""
    sought = links_of(posts, MEASURED, most=500)
    held = Collection([row["title"] for row in posts], sites=[[row["domain"]] for row in posts], matter=matter)
    ranks: dict[str, list[int]] = {"": [], ", titles and the sites that they link to": []}
    for place, others in sought.items():
        looks = held.looks_beside(place)
        alone = looks[:, :-1] @ weights[:-2]
        for (_what, listed), sums in zip(ranks.items(), (alone, alone + weights[-2] * looks[:, -1]), strict=True):
            sums[place] = -np.inf
            listed.append(int((sums > max(sums[other] for other in others)).sum()) + 1)
    where = f"reddit_crosspost_links, links that no fit saw, among {len(posts):,}"
    return [
        _score(f"{where}{what}", f"hit@{most}", np.mean(np.array(listed) <= most), len(listed))
        for what, listed in ranks.items()
        for most in (1, 10)
    ]


def _score(data: str, measure: str, value: Any, n: int) -> dict[str, Any]:
    return {"data": data, "measure": measure, "value": round(100 * float(value), 1), "n": n}
