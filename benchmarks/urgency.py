"""How many posts with something at stake are found urgent, and how many others are by mistake.

    python benchmarks/urgency.py [--data ../shared/data] [--half held] [--missed] [--json]

Two sets, labelled by hand by one person: `urgency_posts.csv` (posts of five public sets, by their ids, whose texts are
read from the data folder) and `urgency_sentences.csv` (sentences written for it: each kind, jokes, negations,
quotations, news). A label is what is at stake, or `none`. Phrases may be
added for what is missed of the half `tune` alone. The half `held` was read by who labelled it before the phrases were
written. `later` are posts that were drawn and labelled when the phrases stood, and is what to report; whoever changes
phrases after that draws others. Halves follow from the hash of id or text.
"""

import argparse
import csv
import gzip
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from talkworthy.analysis import evaluation, urgency
from talkworthy.analysis.labelled import URGENT
from talkworthy.analysis.training.comparing import wilson

HERE = Path(__file__).parent
NONE = "none"
LATER = "later"
SOURCES = {
    "goemotions_reddit": ("train.jsonl.gz", "id", "text"),
    "crisislex_events": ("labelled_tweets.jsonl.gz", "tweet_id", "text"),
    "reddit_top_posts": ("posts.jsonl.gz", "id", "title"),
    "banking77": ("train.jsonl.gz", "id", "text"),
    "app_reviews": ("reviews.csv.gz", "review_id", "text"),
}


@dataclass(frozen=True)
class Row:
    """One labelled text: where it is from, what is at stake, and which half it is in."""

    text: str
    label: str
    group: str
    half: str


def main() -> None:
    """Print one line a figure, or all as JSON."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--data", type=Path, default=Path(os.environ.get("TALKWORTHY_SHARED", "../shared")) / "data")
    asked.add_argument("--half", choices=(LATER, "held", "tune"), default=LATER)
    asked.add_argument("--missed", action="store_true", help="print what is judged wrongly instead")
    asked.add_argument("--json", action="store_true")
    given = asked.parse_args()
    rows = {"posts": list(posts(given.data)) if given.data.is_dir() else [], "sentences": list(sentences())}
    for name, all_rows in rows.items():
        rows[name] = [row for row in all_rows if row.half == given.half]
    if given.missed:
        for row, level in wrong([row for held in rows.values() for row in held]):
            print(f"{level:>3} {row.label:<10} {row.group:<18} {row.text}")
        return
    found = [figure for name, held in rows.items() if held for figure in figures(name, held)]
    if given.json:
        json.dump(found, sys.stdout, indent=2)
        return
    for figure in found:
        print("  ".join(f"{name} {value}" for name, value in figure.items()))


def half_of(key: str) -> str:
    """The half of a row, whatever the order of its file."""
    return "tune" if sha256(key.encode()).digest()[0] % 2 else "held"


def sentences() -> Iterator[Row]:
    """The sentences that were written for it."""
    with (HERE / "urgency_sentences.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            yield Row(row["text"], row["label"], row["why"], half_of(row["text"]))


def posts(data: Path) -> Iterator[Row]:
    """The labelled posts whose set is in the data folder."""
    with (HERE / "urgency_posts.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            text = texts_of(data, row["set"]).get(row["id"])
            if text is not None:
                part = LATER if row["picked"] == LATER else half_of(f"{row['set']} {row['id']}")
                yield Row(text, row["label"], row["picked"], part)


@cache
def texts_of(data: Path, name: str) -> Mapping[str, str]:
    """Texts of one public set by id."""
    file, key, text = SOURCES[name]
    path = data / name / file
    if not path.is_file():
        return {}
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        rows: Iterator[dict[str, Any]] = (
            csv.DictReader(lines) if ".csv" in file else (json.loads(line) for line in lines)
        )
        return {row[key]: row[text] for row in rows}


def wrong(rows: Sequence[Row]) -> Iterator[tuple[Row, int]]:
    """What is judged wrongly, with the urgency it was given."""
    for row, level in zip(rows, urgency.levels([row.text for row in rows]), strict=True):
        if (level >= URGENT) != (row.label != NONE):
            yield row, int(level)


def figures(name: str, rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """Recall, of each kind too, false alarms, precision, and how well urgency ranks; shares with 95 % intervals."""
    levels = urgency.levels([row.text for row in rows])
    at_stake = np.array([row.label != NONE for row in rows])
    loud = levels >= URGENT
    yield {"what": f"{name}: recall", **_share(loud[at_stake])}
    yield {"what": f"{name}: false alarms", **_share(loud[~at_stake])}
    yield {"what": f"{name}: precision", **_share(at_stake[loud])}
    auc = evaluation.auc(at_stake, levels.astype(np.float64))
    yield {"what": f"{name}: AUC", "value": None if auc is None else round(auc, 3), "n": len(rows)}
    for label in sorted({row.label for row in rows} - {NONE}):
        yield {"what": f"{name}: recall of {label}", **_share(loud[[row.label == label for row in rows]])}
    for group in sorted({row.group for row in rows if row.label == NONE}):
        among = [row.label == NONE and row.group == group for row in rows]
        yield {"what": f"{name}: false alarms, {group}", **_share(loud[among])}


def _share(hits: Any) -> dict[str, Any]:
    found = asdict(wilson(int(np.sum(hits)), len(hits)))
    return {key: round(value, 3) for key, value in found.items()}


if __name__ == "__main__":
    main()
