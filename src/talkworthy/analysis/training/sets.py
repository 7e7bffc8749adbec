"""Labelled sets as rows of text and label, with the licence each is under and the part that no fit may see."""

import csv
import gzip
import json
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HELD_BACK = 10  # one row in ten, by the text's own hash, is never fitted: it is what scores are measured on


@dataclass(frozen=True)
class Row:
    """One labelled text; `group` is its language, project or domain, `post` what it was made from, where it was."""

    text: str
    label: str
    group: str = ""
    post: str = ""

    @property
    def whole(self) -> str:
        """What says whether the row is held back and in which fold it is: rows made from one post lie together."""
        return self.post or self.text


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a .jsonl.gz or .csv.gz file."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        if path.name.endswith(".csv.gz"):
            yield from csv.DictReader(lines)
        else:
            for line in lines:
                yield json.loads(line)


def key(text: str) -> str:
    """What two copies of one text have in common."""
    return " ".join(text.lower().split())


def is_held_back(text: str) -> bool:
    """Whether a text belongs to the tenth that no fit may see."""
    return zlib.crc32(key(text).encode("utf-8", "surrogatepass")) % HELD_BACK == 0


def fold_of(text: str, folds: int) -> int:
    """The fold of a text, independent of whether it is held back."""
    return zlib.crc32(b"fold" + key(text).encode("utf-8", "surrogatepass")) // 16 % folds


def labelled(data: Path, name: str, *, text: str = "text", label: str = "label_name", group: str = "") -> list[Row]:
    """Rows of one file under the data folder, each text once."""
    rows, seen = [], set()
    for row in read(data / name):
        written = row.get(text)
        if written and key(written) not in seen:
            seen.add(key(written))
            rows.append(Row(written, str(row[label]), str(row.get(group, "")) if group else ""))
    return rows
