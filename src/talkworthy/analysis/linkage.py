"""Which records may speak of one person: how they are made comparable, compared, and why. Pure.

The arithmetic is that of Fellegi and Sunter: each field that agrees or differs moves the odds by so many bits, and the
bits add up. What runs it over many records lies elsewhere; here is what is compared, and what is said of it.
"""

import heapq
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from talkworthy.analysis.names import folded_name, latin_name, skeleton

SUGGESTED_FROM = 0.8
"""Probability from which a pair is put before people."""

COLUMNS = (
    "unique_id", "given", "family", "whole", "sound", "handle", "email", "mailbox", "phone", "identifier", "birthday",
    "address", "postcode", "city", "occupation", "gender",
)  # fmt: skip
"""What a record has once it is made comparable; all but the first may be null."""


@dataclass(frozen=True)
class Level:
    """One way in which two values may compare: its name, its condition in SQL, and how often it holds.

    `m` is its share among pairs that are one person, `u` among any two: what is assumed before the records themselves
    are looked at. `rarity` names a column whose rare values count for more.
    """

    name: str
    condition: str
    m: float
    u: float
    rarity: str = ""


@dataclass(frozen=True)
class Comparison:
    """One field: the levels from the strictest down; what meets none of them differs. Null says nothing."""

    field: str
    columns: tuple[str, ...]
    null: str
    levels: tuple[Level, ...]
    differs: tuple[float, float]
    """m and u of differing."""


@dataclass(frozen=True)
class Evidence:
    """What one field says of a pair: both values, how they compare, and by how many bits that moves the odds."""

    field: str
    left: str
    right: str
    level: str
    bits: float


def _same(column: str) -> str:
    return f"{column}_l = {column}_r"


def _like(column: str, least: float) -> str:
    return f"jaro_winkler_similarity({column}_l, {column}_r) >= {least}"


def _typed(column: str, most: int = 1) -> str:
    return f"damerau_levenshtein({column}_l, {column}_r) <= {most}"


def _misspelt(one: str, other: str) -> str:
    """Two spellings of one name: alike from the beginning, or a slip of the hand or two."""
    least = f"least(length({one}), length({other}))"
    return (
        f"(jaro_winkler_similarity({one}, {other}) >= 0.88"
        f" OR damerau_levenshtein({one}, {other}) <= CASE WHEN {least} > 5 THEN 2 WHEN {least} > 2 THEN 1 ELSE 0 END)"
    )


def _days_apart(most: int) -> str:
    return f"abs(date_diff('day', try_cast(birthday_l AS DATE), try_cast(birthday_r AS DATE))) <= {most}"


def _part(start: int, length: int) -> str:
    return f"substr(birthday_l, {start}, {length}) = substr(birthday_r, {start}, {length})"


def _part_apart(start: int, length: int, allowed: Sequence[int]) -> str:
    """Whether one part of two dates differs by so much."""
    left, right = (f"try_cast(substr(birthday_{side}, {start}, {length}) AS INT)" for side in "lr")
    return f"abs({left} - {right}) IN ({', '.join(map(str, allowed))})"


_GIVEN, _FAMILY = _misspelt("given_l", "given_r"), _misspelt("family_l", "family_r")
_CROSSED = (_misspelt("given_l", "family_r"), _misspelt("family_l", "given_r"))
_ONE_GIVEN, _ONE_FAMILY = "(given_l IS NULL OR given_r IS NULL)", "(family_l IS NULL OR family_r IS NULL)"

COMPARISONS = (
    Comparison(
        "name",
        ("whole",),
        "whole_l IS NULL OR whole_r IS NULL OR (whole_l <> whole_r"
        " AND (given_l IS NULL OR given_r IS NULL) AND (family_l IS NULL OR family_r IS NULL)"
        " AND coalesce(given_l <> family_r, true) AND coalesce(family_l <> given_r, true))",
        (
            Level("same", _same("whole"), 0.4, 0.0002, "whole"),
            Level("swapped", "given_l = family_r AND family_l = given_r", 0.04, 0.00002),
            Level("alike", f"{_GIVEN} AND {_FAMILY}", 0.2, 0.0004, "family"),
            Level("swapped and alike", f"{_CROSSED[0]} AND {_CROSSED[1]}", 0.03, 0.0002),
            Level("same sound", _same("sound"), 0.03, 0.0002),
            Level("nearly alike", f"{_typed('whole', 3)} AND least(length(whole_l), length(whole_r)) > 8", 0.03, 0.001),
            Level(
                "same family name and initial",
                "family_l = family_r AND substr(given_l, 1, 1) = substr(given_r, 1, 1)"
                " AND least(length(given_l), length(given_r)) = 1",
                0.01,
                0.0005,
                "family",
            ),
            Level("same family name, given name unknown", f"{_same('family')} AND {_ONE_GIVEN}", 0.06, 0.003, "family"),
            Level("same given name, family name unknown", f"{_same('given')} AND {_ONE_FAMILY}", 0.06, 0.005, "given"),
            Level(
                "one name alike, the other unknown",
                f"{_FAMILY} AND {_ONE_GIVEN} OR {_GIVEN} AND {_ONE_FAMILY}",
                0.05,
                0.008,
            ),
            Level(
                "a name on the other side, the rest unknown",
                f"({_CROSSED[0]} OR {_CROSSED[1]}) AND (given_l IS NULL OR given_r IS NULL"
                " OR family_l IS NULL OR family_r IS NULL)",
                0.03,
                0.004,
            ),
            Level("same family name", _same("family"), 0.01, 0.005, "family"),
            Level("same given name", _same("given"), 0.01, 0.01, "given"),
            Level("one name alike", f"{_FAMILY} OR {_GIVEN}", 0.02, 0.02),
            Level("a name on the other side", "given_l = family_r OR family_l = given_r", 0.005, 0.005),
        ),
        (0.02, 0.93),
    ),
    Comparison(
        "handle",
        ("handle",),
        "handle_l IS NULL OR handle_r IS NULL",
        (
            Level("same", _same("handle"), 0.6, 0.00002, "handle"),
            Level("alike", f"{_like('handle', 0.93)} AND least(length(handle_l), length(handle_r)) > 4", 0.15, 0.0003),
        ),
        (0.25, 0.9997),
    ),
    Comparison(
        "email",
        ("email",),
        "email_l IS NULL OR email_r IS NULL",
        (
            Level("same", _same("email"), 0.65, 0.00001, "email"),
            Level("same before the @", _same("mailbox"), 0.05, 0.00005, "mailbox"),
            Level(
                "alike",
                "damerau_levenshtein(email_l, email_r) <= greatest(2, least(length(email_l), length(email_r)) // 5)"
                f" AND {_like('mailbox', 0.72)} OR {_like('mailbox', 0.92)}"
                " AND least(length(mailbox_l), length(mailbox_r)) > 5",
                0.15,
                0.0003,
            ),
        ),
        (0.15, 0.9996),
    ),
    Comparison(
        "phone",
        ("phone",),
        "phone_l IS NULL OR phone_r IS NULL",
        (Level("same", _same("phone"), 0.7, 0.00002), Level("one digit apart", _typed("phone"), 0.1, 0.0001)),
        (0.2, 0.9999),
    ),
    Comparison(
        "identifier",
        ("identifier",),
        "identifier_l IS NULL OR identifier_r IS NULL",
        (
            Level("same", _same("identifier"), 0.85, 0.00001),
            Level("one sign apart", _typed("identifier"), 0.08, 0.0001),
        ),
        (0.07, 0.9999),
    ),
    Comparison(
        "birthday",
        ("birthday",),
        "birthday_l IS NULL OR birthday_r IS NULL",
        (
            Level("same", _same("birthday"), 0.6, 0.0001, "birthday"),
            Level("one digit apart", _typed("birthday"), 0.12, 0.002),
            Level(
                "day and month swapped",
                f"{_part(1, 4)} AND substr(birthday_l, 6, 2) = substr(birthday_r, 9, 2)"
                " AND substr(birthday_l, 9, 2) = substr(birthday_r, 6, 2)",
                0.01,
                0.0001,
            ),
            Level("within a month", _days_apart(31), 0.04, 0.003),
            Level("same day of another year", _part(6, 5), 0.03, 0.003),
            Level(
                "each part close",
                f"{_part_apart(1, 4, (0, 1, 10))} AND {_part_apart(6, 2, (0, 1, 11))}"
                f" AND {_part_apart(9, 2, (0, 1, 2, 3))}",
                0.04,
                0.004,
            ),
            Level(
                "same year, day unknown",
                f"{_part(1, 4)} AND (birthday_l LIKE '%-01-01' OR birthday_r LIKE '%-01-01')",
                0.02,
                0.0008,
            ),
            Level("two digits apart", _typed("birthday", 2), 0.03, 0.02),
            Level("same year", _part(1, 4), 0.03, 0.01),
            Level("within a year", _days_apart(366), 0.02, 0.02),
        ),
        (0.05, 0.94),
    ),
    Comparison(
        "address",
        ("address",),
        "address_l IS NULL OR address_r IS NULL",
        (
            Level("same", _same("address"), 0.5, 0.0001),
            Level("alike", _like("address", 0.9), 0.25, 0.001),
            Level("somewhat alike", _like("address", 0.8), 0.1, 0.01),
        ),
        (0.15, 0.989),
    ),
    Comparison(
        "postcode",
        ("postcode",),
        "postcode_l IS NULL OR postcode_r IS NULL",
        (
            Level("same", _same("postcode"), 0.7, 0.002, "postcode"),
            Level("one sign apart", _typed("postcode"), 0.1, 0.01),
            Level(
                "same district",
                "least(length(postcode_l), length(postcode_r)) > 4"
                " AND left(postcode_l, length(postcode_l) - 3) = left(postcode_r, length(postcode_r) - 3)",
                0.08,
                0.01,
            ),
        ),
        (0.12, 0.978),
    ),
    Comparison(
        "city",
        ("city",),
        "city_l IS NULL OR city_r IS NULL",
        (
            Level("same", _same("city"), 0.7, 0.02, "city"),
            Level("alike", f"{_like('city', 0.85)} OR {_typed('city', 2)}", 0.12, 0.005),
            Level("somewhat alike", f"{_typed('city', 3)} AND least(length(city_l), length(city_r)) > 6", 0.02, 0.005),
        ),
        (0.16, 0.97),
    ),
    Comparison(
        "occupation",
        ("occupation",),
        "occupation_l IS NULL OR occupation_r IS NULL",
        (Level("same", _same("occupation"), 0.7, 0.03, "occupation"),),
        (0.3, 0.97),
    ),
    Comparison(
        "gender",
        ("gender",),
        "gender_l IS NULL OR gender_r IS NULL",
        (Level("same", _same("gender"), 0.97, 0.5),),
        (0.03, 0.5),
    ),
)

BLOCKS: tuple[tuple[str, ...], ...] = (
    ("email",), ("mailbox",), ("phone",), ("identifier",), ("handle",), ("whole",), ("sound",),
    ("birthday",), ("family", "postcode"), ("given", "postcode"), ("address",), ("family", "city"), ("given", "city"),
)  # fmt: skip
"""Only pairs that have all of one of these in common are compared: of 100,000 records there are 5 × 10⁹ pairs."""


WIDE_BLOCKS: tuple[tuple[str, ...], ...] = (
    ("family",), ("given",), ("city", "substr(birthday, 1, 4)"), ("city", "substr(birthday, 6, 5)"),
    ("substr(given, 1, 2)", "substr(family, 1, 2)"), ("substr(birthday, 3, 5)", "substr(given, 1, 1)"),
    ("substr(mailbox, 1, 5)",), ("given = family",), ("family = given",),
)  # fmt: skip
"""Looked at besides where there are few records: they find more, and cost with the square of the number."""

FEW = 20_000
"""Records up to which the wide ones are looked at."""


CERTAIN: tuple[tuple[str, ...], ...] = (("email", "whole"), ("identifier",), ("whole", "birthday"))
"""Who has one of these in common is one person nearly always: by them the share of such pairs is guessed."""

TAUGHT_BY: tuple[tuple[str, ...], ...] = (("whole",), ("birthday",), ("email",), ("postcode",))
"""Pairs with one of these in common teach what the other fields are worth."""


def comparable(key: str, known: Mapping[str, Sequence[str]]) -> dict[str, str | None]:
    """A record made comparable: of each thing the first value that says something."""
    given = _first(known, "given_name", latin_name)
    family = _first(known, "family_name", latin_name)
    full = _first(known, "name", latin_name)
    if not full and (given or family):
        full = f"{given or ''} {family or ''}".strip()
    if full and not (given or family):
        words = full.split()
        given, family = (words[0], words[-1]) if len(words) > 1 else (None, None)
    email = _first(known, "email", _email)
    return {
        "unique_id": key,
        "given": given,
        "family": family,
        "whole": full if full and len(full) > 1 else None,
        "sound": _sound(full) if full and given and family else None,
        "handle": _first(known, "handle", _handle),
        "email": email,
        "mailbox": email.split("@")[0] if email and "@" in email else None,
        "phone": _first(known, "phone", _phone),
        "identifier": _first(known, "identifier", lambda text: re.sub(r"\W", "", folded_name(text))),
        "birthday": _first(known, "birthday", _birthday),
        "address": _first(known, "address", latin_name),
        "postcode": _first(known, "postcode", lambda text: re.sub(r"\W", "", folded_name(text))),
        "city": _first(known, "city", latin_name),
        "occupation": _first(known, "occupation", latin_name),
        "gender": _first(known, "gender", lambda text: folded_name(text)[:1]),
    }


def without_matches(u: float, m: float, *, share: float, least: float) -> float:
    """How often two agree who are not one person, from how often any two do: some of those are one, after all."""
    return max((u - share * m) / (1 - share), least) if share < 1 else u


def probability(bits: float) -> float:
    """The probability that belongs to odds of so many bits."""
    return 1 / (1 + math.exp2(-bits)) if bits > -1000 else 0.0


def evidence(pair: Mapping[str, Any]) -> list[Evidence]:
    """What each field says of a pair, the weightiest first. Fields of which one side says nothing are left out.

    `pair` has for each comparison `gamma` (the level counted from the lowest, 0 where it differs, -1 where nothing is
    known), its bits as `mw`, and both values.
    """
    found = []
    for comparison in COMPARISONS:
        gamma = pair.get(f"gamma_{comparison.field}", -1)
        if gamma is None or gamma < 0:
            continue
        level = "differs" if gamma == 0 else comparison.levels[len(comparison.levels) - gamma].name
        column = comparison.columns[0]
        bits = float(pair.get(f"mw_{comparison.field}") or 0.0) + float(pair.get(f"rare_{comparison.field}") or 0.0)
        values = [str(pair.get(f"{column}_{side}") or "") for side in "lr"]
        found.append(Evidence(comparison.field, values[0], values[1], level, round(bits, 2)))
    return sorted(found, key=lambda each: -abs(each.bits))


def clusters(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """For each record in a pair the least record that it is tied to, directly or through others."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for left, right in pairs:
        one, other = root(left), root(right)
        if one != other:
            parent[max(one, other)] = min(one, other)
    return {key: root(key) for key in parent}


DIFFERENT = -3.0
"""Bits that count for two of a group of whom nothing in common was found."""
TOGETHER = -2.0
"""Mean bits over all pairs between two groups from which on they are one: many weak ties hold where one would not."""


def groups(
    pairs: Iterable[tuple[str, str, float]], *, different: float = DIFFERENT, together: float = TOGETHER
) -> list[list[str]]:
    """Who is one, from pairs with their probabilities: the groups with the strongest mean tie are joined first.

    A single tie between two large groups joins nothing: all that are not tied speak against it.
    """
    members: dict[str, list[str]] = {}
    ties: dict[str, dict[str, tuple[float, int]]] = {}
    for left, right, chance in pairs:
        for one, other in ((left, right), (right, left)):
            members.setdefault(one, [one])
            ties.setdefault(one, {})[other] = (_bits(chance), 1)

    def mean(one: str, other: str) -> float:
        bits, known = ties[one][other]
        count = len(members[one]) * len(members[other])
        return (bits + different * (count - known)) / count

    waiting = [(-mean(one, other), one, other) for one in ties for other in ties[one] if one < other]
    heapq.heapify(waiting)
    while waiting:
        against, one, other = heapq.heappop(waiting)
        if -against < together:
            break
        if one not in members or other not in members or abs(mean(one, other) + against) > 1e-9:
            continue  # one of them has grown since
        if len(members[one]) < len(members[other]):
            one, other = other, one
        members[one] += members.pop(other)
        for third, (bits, known) in ties.pop(other).items():
            del ties[third][other]
            if third != one:
                before, already = ties[one].get(third, (0.0, 0))
                ties[one][third] = ties[third][one] = (before + bits, already + known)
        for third in ties[one]:
            heapq.heappush(waiting, (-mean(one, third), min(one, third), max(one, third)))
    return [sorted(held) for held in members.values()]


def _bits(chance: float) -> float:
    kept = min(max(chance, 1e-6), 1 - 1e-6)
    return math.log2(kept / (1 - kept))


SPELLINGS: dict[str, tuple[str, ...]] = {
    "given_name": ("given_name", "first_name", "firstname"),
    "family_name": ("family_name", "surname", "last_name", "lastname"),
    "name": ("name", "full_name", "Site name"),
    "handle": ("handle", "username"),
    "email": ("email", "Email Address"),
    "phone": ("phone", "Phone", "telephone"),
    "identifier": ("identifier", "soc_sec_id"),
    "birthday": ("birthday", "date_of_birth", "dob"),
    "address": ("address", "address_1", "Address", "street"),
    "postcode": ("postcode", "postcode_fake", "Zip", "zip"),
    "city": ("city", "suburb", "birth_place", "town"),
    "occupation": ("occupation",),
    "gender": ("gender", "sex"),
}
"""Columns of files of records, by what they say; the first that is there is read."""


def known_of(row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, list[str]]:
    """What a row of a file says of somebody; a number of the street stands before it."""
    known = {name: [str(row[column])] for name, column in columns.items() if row.get(column) not in (None, "")}
    if row.get("street_number") and "address" in known:
        known["address"] = [f"{row['street_number']} {known['address'][0]}"]
    return known


def _sound(full: str) -> str | None:
    """How the words of a name sound, in whatever order they stand."""
    sound = "".join(sorted(skeleton(word) for word in full.split()))
    return sound if len(sound) > 3 else None


def _first(known: Mapping[str, Sequence[str]], name: str, read: Any) -> str | None:
    for value in known.get(name, ()):
        if value and (made := read(value)):
            return str(made)
    return None


def _email(text: str) -> str:
    return re.sub(r"\+[^@]*@", "@", text.strip().casefold())


def _handle(text: str) -> str:
    """A handle without its server and without signs: ann_x@example.social is annx."""
    bare = text.strip().removeprefix("@").split("@")[0]
    bare = bare.removesuffix(".bsky.social")
    return re.sub(r"[^\w]|_", "", latin_name(bare)) if len(bare) > 2 else ""


def _phone(text: str) -> str:
    """The last nine digits: what is before them is the country, written in three ways."""
    digits = re.sub(r"\D", "", text)
    return digits[-9:] if len(digits) > 6 else ""


def _birthday(text: str) -> str:
    digits = re.sub(r"\D", "", text)
    if len(digits) != 8:
        return ""
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:])).isoformat()
    except ValueError:
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
