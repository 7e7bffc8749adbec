"""Edited copies of posts: how many are found, how many are joined in error, and how fast, beside datasketch.

    python benchmarks/duplicates.py [--posts 6000] [--data ../shared/data]

Each text of a sample (none shares three words in a row with one before) is copied once, edited in one way. Between
them stand texts that fill one template, and texts told again with another number or name: to join those is an error.
All are shuffled. Ours goes through the pipeline as posts do in batches of 2,048: each by itself and then through the
window of whoever stores them, as listening does it; with the window of `talkworthy analyse`; each by itself alone.
datasketch is asked as its documentation does it: MinHash over the same runs of four letters, LSH with a threshold.
Without the shared data the recorded posts are taken.
"""

import argparse
import importlib.util
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, cycle
from pathlib import Path
from time import perf_counter

import pyarrow as pa

from pipeline import written_texts
from talkworthy.analysis import NearDuplicates
from talkworthy.analysis.copies import Copies
from talkworthy.analysis.duplicates import BANDS_KEPT, RUN, Duplicates, Folded, bare, text_hash
from talkworthy.analysis.pipeline import Pipeline
from talkworthy.schema import POST

BATCH = 2_048
SHORTEST = 40
TEMPLATE = "We are sorry, order {} of your {} is delayed and will arrive on {} {}"
THINGS = ["kindle", "pixel", "thinkpad", "nintendo", "kettle", "bicycle", "mattress", "toaster"]
MONTHS = ["January", "March", "May", "July", "August", "October"]
Families = list[int | None]


@dataclass(frozen=True)
class Text:
    """A text, whose copy it is (its own number for none), and how it was edited."""

    text: str
    of: int
    kind: str


def main() -> None:
    options = _options()
    texts = _made(written_texts(options.data), options.posts, random.Random(7))
    kinds = sorted({text.kind for text in texts} - {""})
    print(f"{len(texts):,} texts, {sum(bool(text.kind) for text in texts):,} of them edited copies")
    ways: dict[str, Callable[[Sequence[str]], Families]] = {
        "ours, as it is stored": lambda written: _ours(written, None, Copies()),
        "ours, a window": lambda written: _ours(written, NearDuplicates()),
        "ours, each batch": lambda written: _ours(written, None),
    }
    if importlib.util.find_spec("datasketch"):
        for threshold in (0.5, 0.7, 0.8):
            ways[f"datasketch, from {threshold} on"] = lambda written, least=threshold: _datasketch(written, least)
    for name, find in ways.items():
        began = perf_counter()
        found = find([text.text for text in texts])
        seconds = perf_counter() - began
        _print(name, texts, found, seconds, kinds)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--posts", type=int, default=6_000)
    shared = Path(os.environ.get("TALKWORTHY_SHARED", "../shared")) / "data"
    parser.add_argument("--data", type=Path, default=shared)
    return parser.parse_args()


def _made(written: list[str], posts: int, chance: random.Random) -> list[Text]:
    chance.shuffle(written)
    texts: list[Text] = []
    seen: set[tuple[str, ...]] = set()
    for text in written:
        words = bare(text).split()
        runs = set(zip(words, words[1:], words[2:], strict=False))
        if len(" ".join(words)) < SHORTEST or not seen.isdisjoint(runs):
            continue
        seen |= runs
        texts.append(Text(text, len(texts), ""))
        if len(texts) == posts:
            break
    copies = [Text(EDITS[kind](one.text, chance), one.of, kind) for one, kind in zip(texts, cycle(EDITS), strict=False)]
    # what was cut may have lost the word that is exchanged here: nobody could tell whose copy it is
    whole = [text for text, copy in zip(texts, copies, strict=True) if copy.kind != "cut"]
    others = [_told_otherwise(one.text, chance) for one in whole[: posts // 4]]
    others += [
        TEMPLATE.format(n, chance.choice(THINGS), chance.randint(1, 28), chance.choice(MONTHS))
        for n in range(posts // 10)
    ]
    apart = [Text(text, len(texts) + at, "") for at, text in enumerate(dict.fromkeys(filter(None, others)))]
    every = [*texts, *copies, *apart]
    chance.shuffle(every)
    return every


def _mistyped(text: str, chance: random.Random) -> str:
    """One or two letters changed, dropped or doubled, each in a word of its own."""
    letters = list(text)
    places = [at for at, letter in enumerate(text) if letter.isalpha()]
    for at in chance.sample(places, min(chance.randint(1, 2), len(places))):
        letters[at] = chance.choice(["", letters[at] * 2, chance.choice("etaoinshr")])
    return "".join(letters)


def _cut(text: str, chance: random.Random) -> str:
    words = text.split()
    return " ".join(words[: max(round(len(words) * chance.uniform(0.65, 0.9)), 1)]) + "…"


def _rearranged(text: str, chance: random.Random) -> str:
    words = text.split()
    at = chance.randint(1, max(len(words) - 1, 1))
    return " ".join([*words[at:], *words[:at]])


EDITS: dict[str, Callable[[str, random.Random], str]] = {
    "mistyped": _mistyped,
    "cut": _cut,
    "address behind": lambda text, chance: f"{text} https://t.example/{chance.randint(1, 9999)}",
    "hashtag behind": lambda text, chance: f"{text} #{chance.choice(['news', 'fail', 'wow', 'today'])}",
    "emoji behind": lambda text, chance: f"{text} {chance.choice('😀😡🎉👍')}",
    "quoted": lambda text, chance: f"“{text}” via @ann{chance.randint(1, 99)}",
    "capitals": lambda text, _: text.upper(),
    "order": _rearranged,
    "words in front": lambda text, chance: f"{chance.choice(['so true:', 'look at this', 'RT @bob:', 'wow,'])} {text}",
}


def _told_otherwise(text: str, chance: random.Random) -> str:
    """The same text with another number, else with another longer word; empty where it has neither."""
    words = text.split()
    numbers = [at for at, word in enumerate(words) if word.isdecimal()]
    long = [at for at, word in enumerate(words) if len(word) > 5 and word.isalpha()]
    if not numbers and not long:
        return ""
    at = chance.choice(numbers or long)
    words[at] = str(chance.randint(100_000, 999_999)) if numbers else chance.choice(THINGS)
    return " ".join(words)


def _ours(written: Sequence[str], window: NearDuplicates | None, copies: Copies | None = None) -> Families:
    pipeline = Pipeline([Folded(), Duplicates(window)])
    found: Families = []
    for start in range(0, len(written), BATCH):
        piece = written[start : start + BATCH]
        uids = [str(number) for number in range(start, start + len(piece))]
        columns = {"text": pa.array(piece, pa.string()), "uid": pa.array(uids, pa.string())}
        batch = pa.RecordBatch.from_arrays(
            [columns.get(field.name, pa.nulls(len(piece), field.type)) for field in POST],
            schema=pa.schema([field.with_nullable(True) for field in POST]),
        )
        said = pipeline.run(batch, keep=(BANDS_KEPT,))
        found += (said.column("near_hash") if copies is None else copies.joined(said)).to_pylist()
    # the first of a family stands alone until another comes: its own hash is then that of the family
    told = set(found) - {None}
    own = [text_hash(text) for text in written]
    return [hashed if family is None and hashed in told else family for family, hashed in zip(found, own, strict=True)]


def _datasketch(written: Sequence[str], threshold: float) -> Families:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=threshold, num_perm=128)
    family: list[int | None] = []
    for number, text in enumerate(written):
        core = bare(text)
        sketch = MinHash(num_perm=128)
        sketch.update_batch([core[at : at + RUN].encode() for at in range(max(len(core) - RUN + 1, 1))])
        met = index.query(sketch)
        family.append(family[min(met)] if met else number)
        index.insert(number, sketch)
    return family


def _print(name: str, texts: list[Text], found: Families, seconds: float, kinds: list[str]) -> None:
    first = {text.of: place for place, text in enumerate(texts) if not text.kind}
    right: dict[str, list[bool]] = {kind: [] for kind in kinds}
    for place, text in enumerate(texts):
        if text.kind:
            family = found[place]
            right[text.kind].append(family is not None and family == found[first[text.of]])
    joined: dict[int, list[Text]] = {}
    for text, family in zip(texts, found, strict=True):
        if family is not None:
            joined.setdefault(family, []).append(text)
    pairs = [one.of == other.of for members in joined.values() for one, other in combinations(members, 2)]
    recall = sum(map(sum, right.values())) / sum(map(len, right.values()))
    precision = sum(pairs) / max(len(pairs), 1)
    print(f"{name}: recall {recall:.2%}, precision {precision:.2%} of {len(pairs):,} pairs", end="; ")
    print(f"{len(texts) / seconds:,.0f} texts/s", flush=True)
    print("   " + ", ".join(f"{kind} {sum(said) / len(said):.1%}" for kind, said in right.items()))


if __name__ == "__main__":
    main()
