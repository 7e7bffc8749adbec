"""When something rises, how soon that is seen, and what is seen in error: ours beside a z-score and Kleinberg's bursts.

    python benchmarks/bursts.py [--data ../shared/data] [--json]

Terms: three streams of tweets (CrisisLex T6; their times are in their ids), half of them about an event, looked at
hour by hour, the hours before as baseline. A term is right where most posts with it are about the event. Each method's
limit is set on Oklahoma, so that it names at most one wrong term in twelve hours, and used as it is on the other two;
ours is shown besides from 2 on, as memes are listed. "Deviance" is ours before a rise above twice the usual rate
stopped counting: the signed root of the Poisson deviance, listed from 3 on.
Alarms: times of all tweets of an event (CrisisLex T26, seven events whose minute is known) and of the Higgs rumour.
"""

import argparse
import csv
import gzip
import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from math import inf, lgamma, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from talkworthy.analysis.trends import burst_score
from talkworthy.query import tokens

Counts = npt.NDArray[np.float64]
Score = Callable[[Counts, Counts], float]

TUNED_ON = "Oklahoma_Tornado"
STREAMS = {
    "Oklahoma_Tornado": datetime(2013, 5, 20, 19, 56, tzinfo=UTC),
    "West_Texas_Explosion": datetime(2013, 4, 18, 0, 50, tzinfo=UTC),
    "Alberta_Floods": None,  # it had risen before the stream begins: nothing to be late for
}
EVENTS = {
    "2012_Costa_Rica_earthquake": datetime(2012, 9, 5, 14, 42, tzinfo=UTC),
    "2012_Guatemala_earthquake": datetime(2012, 11, 7, 16, 35, tzinfo=UTC),
    "2012_Italy_earthquakes": datetime(2012, 5, 20, 2, 3, tzinfo=UTC),
    "2013_Glasgow_helicopter_crash": datetime(2013, 11, 29, 22, 22, tzinfo=UTC),
    "2013_Savar_building_collapse": datetime(2013, 4, 24, 2, 57, tzinfo=UTC),
    "2013_Spain_train_crash": datetime(2013, 7, 24, 18, 41, tzinfo=UTC),
    "2013_West_Texas_explosion": datetime(2013, 4, 18, 0, 50, tzinfo=UTC),
}
HIGGS = datetime(2012, 7, 4, 7, 0, tzinfo=UTC)
"""The seminar began; rumours had been about for two days."""
LEAST = 3
LISTED_FROM = {"ours": 2.0, "deviance": 3.0}
"""From which score on memes are listed, and were; the other methods ring from 3 on."""
WRONG_HOURS = 12
STEP = timedelta(minutes=10)
EPOCH = 1288834974657


def main() -> None:
    """Print one line a figure, or all as JSON."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--data", type=Path, default=Path(os.environ.get("TALKWORTHY_SHARED", "../shared")) / "data")
    asked.add_argument("--json", action="store_true")
    given = asked.parse_args()
    found = list(figures(given.data))
    if given.json:
        json.dump(found, sys.stdout, indent=2, default=str)
        return
    for figure in found:
        print("  ".join(f"{name} {value}" for name, value in figure.items()), flush=True)


def figures(data: Path) -> Iterator[dict[str, Any]]:
    """All figures in turn."""
    yield from terms(data / "crisislex_events")
    yield from alarms(data)


# The methods: how unusual the last bin is. `counts` are by bin, `totals` what was counted in all


def ours(counts: Counts, totals: Counts) -> float:
    """The score of trends.py."""
    return burst_score(counts[-1], counts[:-1].sum(), total_now=totals[-1], total_before=totals[:-1].sum())


def deviance(counts: Counts, totals: Counts) -> float:
    """The same without a limit on the rate."""
    before = {"total_now": totals[-1], "total_before": totals[:-1].sum()}
    return burst_score(counts[-1], counts[:-1].sum(), **before, at_most=inf)


def z_score(counts: Counts, totals: Counts) -> float:
    """Standard deviations of the last bin from the mean of those before; a flat past counts as Poisson's."""
    mean = counts[:-1].mean()
    return float((counts[-1] - mean) / max(counts[:-1].std(), sqrt(mean), 1 / sqrt(len(counts))))


def kleinberg(counts: Counts, totals: Counts) -> float:
    """Weight, up to the last bin, of a burst of the two-state automaton (Kleinberg 2002, batched; s = 2, gamma = 1).

    0 where the cheapest sequence of states does not end in the burst.
    """
    share = (counts.sum() + 0.5) / (totals.sum() + 1)
    high = min(2 * share, 0.999)
    price = log(len(counts))
    calm, burst, weight = 0.0, price, 0.0
    for n, of in zip(counts.tolist(), totals.tolist(), strict=True):
        low_cost, high_cost = _cost(n, of, share), _cost(n, of, high)
        was_calm = calm + price < burst
        burst_now = min(burst, calm + price) + high_cost
        calm = min(calm, burst) + low_cost
        weight = (0.0 if was_calm else weight) + max(low_cost - high_cost, -weight)
        burst = burst_now
    return weight if burst < calm else 0.0


def _cost(n: float, of: float, share: float) -> float:
    chosen = lgamma(of + 1) - lgamma(n + 1) - lgamma(of - n + 1)
    return -(chosen + n * log(share) + (of - n) * log(1 - share))


METHODS: dict[str, Score] = {"ours": ours, "deviance": deviance, "z-score": z_score, "Kleinberg": kleinberg}


# Which terms rise, and how soon


def terms(folder: Path) -> Iterator[dict[str, Any]]:
    """Precision and delay of each method on each stream, with the limit that the first of them set."""
    limits: dict[str, float] = {}
    for name, began in STREAMS.items():
        scored = list(_scored_terms(*_stream(folder / f"ontopic_2013_{name}.jsonl.gz")))
        hours = len({hour for hour, *_ in scored})
        for method in METHODS:
            if name == TUNED_ON:
                limits[method] = _limit([row for row in scored if not row[2]], method, hours // WRONG_HOURS)
        tried = [*limits.items(), *LISTED_FROM.items()]
        for method, limit in tried:
            named = [row for row in scored if row[3][method] > limit]
            right = [row for row in named if row[2]]
            low, high = interval(len(right), len(named))
            figure: dict[str, Any] = {
                "what": "terms that rise",
                "stream": name + (" (limit set here)" if name == TUNED_ON else ""),
                "method": method,
                "limit": round(limit, 2),
                "named": len(named),
                "precision": f"{len(right) / max(len(named), 1):.3f} ({low:.3f} to {high:.3f})",
            }
            if began is not None:
                seen = [hour for hour, *_ in right if hour > began]
                figure["minutes until named"] = round((min(seen) - began).total_seconds() / 60) if seen else "never"
                figure["right terms in the first 3 h"] = len(
                    {term for hour, term, *_ in right if began < hour <= began + timedelta(hours=3)}
                )
            yield figure


def _stream(path: Path) -> tuple[list[datetime], list[set[str]], list[bool]]:
    rows = []
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            when = datetime.fromtimestamp(((int(row["tweet_id"]) >> 22) + EPOCH) / 1000, UTC)
            rows.append((when, _words(row["text"]), row["label"] == "on-topic"))
    rows.sort(key=lambda row: row[0])
    return [row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows]


def _words(text: str) -> set[str]:
    words = tokens.clean_tokens(tokens.raw_tokens(tokens.fold(text)))
    return {word for word in words if len(word) > 3 and word[0] not in "@#" and not word.isdigit()}


def _scored_terms(
    times: Sequence[datetime], words: Sequence[set[str]], about: Sequence[bool]
) -> Iterator[tuple[datetime, str, bool, dict[str, float]]]:
    """For each hour that has twelve before it and each word of three posts in it: its end, the word, truth, scores."""
    start = times[0].replace(minute=0, second=0, microsecond=0)
    bins = [int((when - start) / timedelta(hours=1)) for when in times]
    totals = np.bincount(bins).astype(float)
    of_word: dict[str, Counter[int]] = defaultdict(Counter)
    of_event: dict[str, Counter[int]] = defaultdict(Counter)
    for place, held, on_topic in zip(bins, words, about, strict=True):
        for word in held:
            of_word[word][place] += 1
            of_event[word][place] += on_topic
    for word, counted in of_word.items():
        counts = np.zeros(len(totals))
        counts[list(counted)] = list(counted.values())
        for hour in np.flatnonzero(counts >= LEAST).tolist():
            if hour < WRONG_HOURS:
                continue
            past = slice(max(0, hour - 48), hour + 1)
            scores = {name: score(counts[past], totals[past]) for name, score in METHODS.items()}
            right = of_event[word][hour] > counts[hour] / 2
            yield start + timedelta(hours=hour + 1), word, right, scores


def _limit(wrong: Sequence[tuple[datetime, str, bool, dict[str, float]]], method: str, allowed: int) -> float:
    """The lowest limit that at most so many wrong terms are above."""
    scores = sorted((row[3][method] for row in wrong), reverse=True)
    return scores[allowed] if len(scores) > allowed else 0.0


def interval(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share."""
    if not of:
        return 0.0, 1.0
    share, z = hits / of, 1.96
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return middle - half, middle + half


# When an event's posts begin


def alarms(data: Path) -> Iterator[dict[str, Any]]:
    """How long after each event every method's first alarm comes, and how many it raised in the twelve hours before."""
    times: dict[str, list[datetime]] = defaultdict(list)
    with gzip.open(data / "crisislex_events/all_tweet_times.csv.gz", "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            times[row["event"]].append(datetime.strptime(row["timestamp"], "%a %b %d %H:%M:%S %z %Y"))
    with gzip.open(data / "higgs_twitter/activity_time.csv.gz", "rt", encoding="utf-8") as lines:
        times["Higgs"] = [datetime.fromtimestamp(int(row["timestamp"]), UTC) for row in csv.DictReader(lines)]
    delays: dict[str, list[float]] = defaultdict(list)
    early: Counter[str] = Counter()
    for event, began in {**EVENTS, "Higgs": HIGGS}.items():
        figure: dict[str, Any] = {"what": "first alarm, minutes after", "event": event}
        for method, score in METHODS.items():
            rung = _rung(times[event], began, score, LISTED_FROM.get(method, 3.0))
            after = [when for when in rung if when > began]
            delay = (after[0] - began).total_seconds() / 60 if after else float("inf")
            before = len(rung) - len(after)
            figure[method] = f"{delay:.0f}" + (f" ({before} before)" if before else "")
            delays[method].append(delay)
            early[method] += before
        yield figure
    for method in METHODS:
        yield {
            "what": "first alarm, median of events",
            "method": method,
            "minutes": float(np.median(delays[method])),
            "alarms before": early[method],
        }


def _rung(times: Sequence[datetime], began: datetime, score: Score, limit: float) -> list[datetime]:
    """Ends of the bins, from twelve hours before to six after, whose three posts or more pass the limit."""
    first = began - timedelta(hours=36)
    counts = np.zeros(int(timedelta(hours=42) / STEP))
    for when in times:
        place = int((when - first) / STEP)
        if first <= when and place < len(counts):
            counts[place] += 1
    totals = np.full(len(counts), max(counts.max() * 2, 1000.0))
    found = []
    for place in range(int(timedelta(hours=24) / STEP), len(counts)):
        if counts[place] >= LEAST and score(counts[: place + 1], totals[: place + 1]) > limit:
            found.append(first + (place + 1) * STEP)
    return found


if __name__ == "__main__":
    main()
