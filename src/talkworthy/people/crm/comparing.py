"""Which side a field is taken from, by what both said when they last agreed. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

FIELDS = ("name", "email", "phone", "url", "address", "postcode", "city")
"""What is exchanged."""

Values = Mapping[str, str]


class Move(Enum):
    """What is to be done with a field."""

    NOTHING = "nothing"
    PULL = "pull"
    PUSH = "push"
    ASK = "ask"


@dataclass(frozen=True)
class Step:
    """A field with what was agreed, what each side says now, and what is to be done."""

    field: str
    base: str
    ours: str
    theirs: str
    move: Move


def compared(base: Values, ours: Values, theirs: Values) -> list[Step]:
    """One step a field. Whoever changed it alone is followed; both, or an emptied field, is asked.

    Without a base (the two have just met) what only one side says is taken over, and what both say differently is
    asked. Letter case and blanks of e-mail addresses and blanks of telephone numbers are no difference.
    """
    return [
        Step(field, base.get(field, ""), ours.get(field, ""), theirs.get(field, ""), _move(field, base, ours, theirs))
        for field in FIELDS
    ]


def _move(field: str, base: Values, ours: Values, theirs: Values) -> Move:
    was, here, there = (_plain(field, values.get(field, "")) for values in (base, ours, theirs))
    if here == there:
        return Move.NOTHING
    if not was:
        if not here:
            return Move.PULL
        return Move.ASK if there else Move.PUSH
    if not here or not there:
        return Move.ASK
    if here == was:
        return Move.PULL
    return Move.PUSH if there == was else Move.ASK


def _plain(field: str, value: str) -> str:
    if field == "phone":
        return "".join(letter for letter in value if letter.isdigit() or letter == "+")
    return value.strip().casefold() if field in ("email", "url") else value.strip()
