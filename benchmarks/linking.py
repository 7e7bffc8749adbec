"""Time, memory, precision and recall of looking for persons who are one.

    python benchmarks/linking.py [--records 100000] [--data ../shared/data] [--only scale|quality] [--json]

Quality is counted in pairs over groups (`linkage.groups`). The model learns from the records without their labels. Its
comparisons were drawn up while looking at Febrl's second set and at Splink's persons; Febrl's first and third were
looked at for these figures only, but come from the same maker as the second. The two numbers by which groups are joined
are chosen once more on one half of Splink's persons and measured on the other. Organisations were looked at for their
figures only: centres of a city from nine lists, by name, address and telephone. The records
of the scale run are recombined from the names, streets and places of Febrl, with its errors: a letter changed, lost
or doubled, two fields swapped, a value missing.
"""

import argparse
import csv
import gzip
import json
import os
import random
import resource
import sys
import tempfile
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "talkworthy.web.settings")
os.environ.setdefault("TALKWORTHY_DATA", tempfile.mkdtemp(prefix="talkworthy-bench-"))

import django

django.setup()

from talkworthy.analysis import linkage  # noqa: E402
from talkworthy.people.pairing import tied  # noqa: E402

Record = Mapping[str, str | None]
SEED = 7


def main() -> None:
    """Print one line a figure, or all as JSON."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--records", type=int, default=100_000)
    asked.add_argument("--data", type=Path, default=Path(os.environ.get("TALKWORTHY_SHARED", "../shared")) / "data")
    asked.add_argument("--only", choices=("scale", "quality"))
    asked.add_argument("--json", action="store_true")
    given = asked.parse_args()
    found = []
    for figure in figures(given.data, given.records, given.only):
        found.append(figure)
        if not given.json:
            print("  ".join(f"{name} {value}" for name, value in figure.items()), flush=True)
    if given.json:
        json.dump(found, sys.stdout, indent=2)


def figures(data: Path, count: int, only: str | None) -> Iterator[dict[str, Any]]:
    """All figures in turn."""
    if only != "scale":
        yield measured("febrl 2 (drawn up with)", febrl(data, 2))
        yield measured("febrl 1 (not drawn up with)", febrl(data, 1))
        yield measured("febrl 3 (not drawn up with)", febrl(data, 3))
        yield measured("splink persons (drawn up with)", splink_persons(data))
        yield from halves("splink persons", splink_persons(data))
        yield measured("organisations (not drawn up with)", organisations(data))
    if only != "quality":
        yield measured(f"{count:,} records", recombined(data, count))
    yield {"what": "peak memory of this process", "MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def measured(what: str, rows: Iterable[tuple[str, Record]]) -> dict[str, Any]:
    """Time to find the pairs, and how right the groups are."""
    listed = list(rows)
    truth = {str(record["unique_id"]): group for group, record in listed}
    begun = time.perf_counter()
    groups = linkage.groups(tied([record for _group, record in listed]))
    passed = time.perf_counter() - begun
    return {"what": what, "records": len(listed), "seconds": round(passed, 1), **quality(groups, truth)}


def quality(groups: Iterable[list[str]], truth: Mapping[str, str], half: int | None = None) -> dict[str, Any]:
    """How right the pairs of the groups are, of all or of a half of those who are meant."""
    kept = {key: group for key, group in truth.items() if half is None or half_of(group) == half}
    found = {pair for members in groups for pair in combinations(sorted(members), 2) if kept.keys() & set(pair)}
    right = sum(truth[left] == truth[other] for left, other in found)
    true = sum(size * (size - 1) // 2 for size in Counter(kept.values()).values())
    precision, recall = right / max(len(found), 1), right / max(true, 1)
    return {
        "true pairs": true,
        "precision": round(precision, 4),
        "recall": round(recall, 4),
        "F1": round(2 * precision * recall / max(precision + recall, 1e-9), 4),
    }


def halves(what: str, rows: Iterable[tuple[str, Record]]) -> Iterator[dict[str, Any]]:
    """The two numbers of grouping chosen on one half of the persons, and how right they are on the other."""
    listed = list(rows)
    truth = {str(record["unique_id"]): group for group, record in listed}
    pairs = tied([record for _group, record in listed])
    tried = {
        (different, together): list(linkage.groups(pairs, different=different, together=together))
        for different in (-1.0, -2.0, -3.0, -5.0, -8.0)
        for together in (-4.0, -3.0, -2.0, -1.0, 0.0, 1.0)
    }
    for half in (0, 1):
        best = max(tried, key=lambda chosen: quality(tried[chosen], truth, half)["F1"])
        told = f"{what}, {best} chosen on one half, measured on the other"
        yield {"what": told, **quality(tried[best], truth, 1 - half)}


def half_of(group: str) -> int:
    """Which half of the persons one is in."""
    return zlib.crc32(group.encode()) % 2


def febrl(data: Path, number: int) -> Iterator[tuple[str, Record]]:
    """Invented persons; the number in rec_id tells who is one."""
    for row in _rows(data / f"febrl_persons/dataset{number}.csv.gz"):
        yield row["rec_id"].split("-")[1], linkage.comparable(row["rec_id"], _known(row))


def splink_persons(data: Path) -> Iterator[tuple[str, Record]]:
    """Invented persons of whom much is missing."""
    names = {"first_name": "given_name", "surname": "family_name", "dob": "birthday", "city": "city", "email": "email"}
    for row in _rows(data / "splink_persons/fake_1000.csv.gz"):
        known = {ours: [row[theirs]] for theirs, ours in names.items()}
        yield row["cluster"], linkage.comparable(row["unique_id"], known)


def organisations(data: Path) -> Iterator[tuple[str, Record]]:
    """Centres for small children of one city, as nine lists name them."""
    rows = list(_rows(data / "organisation_dedupe/early_childhood_centres.csv.gz"))
    known = {ours: theirs for ours, usual in linkage.SPELLINGS.items() for theirs in usual if theirs in rows[0]}
    for place, row in enumerate(rows):
        yield row["True Id"], linkage.comparable(str(place), linkage.known_of(row, known))


def recombined(data: Path, count: int) -> Iterator[tuple[str, Record]]:
    """So many records: four in five once, one in five a second time with errors."""
    chance = random.Random(SEED)
    rows = [row for number in (1, 2, 3) for row in _rows(data / f"febrl_persons/dataset{number}.csv.gz")]
    columns = {
        name: [row[name] for row in rows if row[name]]
        for name in ("given_name", "surname", "address_1", "suburb", "postcode")
    }
    for number in range(count * 4 // 5):
        row = {name: chance.choice(values) for name, values in columns.items()}
        row["street_number"] = str(chance.randrange(1, 300))
        row["soc_sec_id"] = str(chance.randrange(10**6, 10**7)) if chance.random() < 0.3 else ""
        row["date_of_birth"] = (
            f"19{chance.randrange(30, 100):02}{chance.randrange(1, 13):02}{chance.randrange(1, 29):02}"
        )
        yield str(number), linkage.comparable(f"{number}-0", _known(row))
        if number % 4 == 0:
            yield str(number), linkage.comparable(f"{number}-1", _known(_spoilt(row, chance)))


def _spoilt(row: Mapping[str, str], chance: random.Random) -> dict[str, str]:
    spoilt = dict(row)
    for _error in range(chance.randrange(1, 4)):
        name = chance.choice([name for name, value in spoilt.items() if value])
        value, place = spoilt[name], chance.randrange(len(spoilt[name]))
        spoilt[name] = chance.choice(
            (
                "",
                value[:place] + value[place + 1 :],
                value[:place] + value[place] + value[place:],
                value[:place] + (chance.choice("0123456789") if value[place].isdigit() else "e") + value[place + 1 :],
            )
        )
    if chance.random() < 0.05:
        spoilt["given_name"], spoilt["surname"] = spoilt["surname"], spoilt["given_name"]
    return spoilt


def _known(row: Mapping[str, str]) -> dict[str, list[str]]:
    return {
        "given_name": [row["given_name"]],
        "family_name": [row["surname"]],
        "birthday": [row["date_of_birth"]],
        "identifier": [row["soc_sec_id"]],
        "address": [f"{row['street_number']} {row['address_1']}".strip()],
        "postcode": [row["postcode"]],
        "city": [row["suburb"]],
    }


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from csv.DictReader(file)


if __name__ == "__main__":
    main()
