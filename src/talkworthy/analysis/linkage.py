"""Which records may speak of one person: how they are made comparable, compared, and why. Pure.

The arithmetic is that of Fellegi and Sunter: each field that agrees or differs moves the odds by so many bits, and the
bits add up. What runs it over many records lies elsewhere; here is what is compared, and what is said of it.
"""

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
    "address", "postcode", "city",
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


def _days_apart(most: int) -> str:
    return f"abs(date_diff('day', try_cast(birthday_l AS DATE), try_cast(birthday_r AS DATE))) <= {most}"


COMPARISONS = (
    Comparison(
        "name",
        ("whole",),
        "whole_l IS NULL OR whole_r IS NULL OR (whole_l <> whole_r"
        " AND (given_l IS NULL OR given_r IS NULL) AND (family_l IS NULL OR family_r IS NULL)"
        " AND coalesce(given_l <> family_r, true) AND coalesce(family_l <> given_r, true))",
        (
            Level("same", _same("whole"), 0.5, 0.0002, "whole"),
            Level("swapped", "given_l = family_r AND family_l = given_r", 0.04, 0.00002),
            Level("same sound", _same("sound"), 0.05, 0.0002),
            Level("alike", f"{_like('given', 0.85)} AND {_like('family', 0.85)}", 0.15, 0.0004),
            Level(
                "swapped and alike",
                "jaro_winkler_similarity(given_l, family_r) >= 0.85"
                " AND jaro_winkler_similarity(family_l, given_r) >= 0.85",
                0.03,
                0.0002,
            ),
            Level("nearly alike", f"{_typed('whole', 3)} AND least(length(whole_l), length(whole_r)) > 8", 0.05, 0.001),
            Level("same family name", _same("family"), 0.06, 0.005, "family"),
            Level("same given name", _same("given"), 0.06, 0.01, "given"),
            Level("one name alike", f"{_like('family', 0.9)} OR {_like('given', 0.9)}", 0.03, 0.02),
            Level("a name on the other side", "given_l = family_r OR family_l = given_r", 0.02, 0.005),
        ),
        (0.02, 0.956),
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
                f"{_typed('email', 3)} AND least(length(email_l), length(email_r)) > 12 OR {_like('mailbox', 0.92)}",
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
            Level("same", _same("birthday"), 0.65, 0.0001),
            Level("one digit apart", _typed("birthday"), 0.15, 0.002),
            Level("within a month", _days_apart(31), 0.04, 0.003),
            Level("same day of another year", "substr(birthday_l, 6, 5) = substr(birthday_r, 6, 5)", 0.03, 0.003),
            Level("two digits apart", _typed("birthday", 2), 0.04, 0.02),
            Level("within a year", _days_apart(366), 0.03, 0.02),
        ),
        (0.06, 0.95),
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
        (Level("same", _same("postcode"), 0.75, 0.002), Level("one sign apart", _typed("postcode"), 0.12, 0.01)),
        (0.13, 0.988),
    ),
    Comparison(
        "city",
        ("city",),
        "city_l IS NULL OR city_r IS NULL",
        (
            Level("same", _same("city"), 0.7, 0.02, "city"),
            Level("alike", f"{_like('city', 0.85)} OR {_typed('city', 2)}", 0.12, 0.005),
        ),
        (0.18, 0.975),
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
