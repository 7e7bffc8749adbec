"""A step of escalation as rules and outcomes of a playbook carry it: read strictly, and written as a line. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

DOES = ("inform", "reassign", "raise")
AFTER = ("unanswered", "silent")
MOST_MINUTES = 525_600
"""A year: the longest that can be promised."""
MOST_STEPS = 10
"""Steps of one outcome, or of one class."""


class BadStep(ValueError):
    """A step that cannot be carried out: `what` is wrong, with its `facts`."""

    def __init__(self, what: str, **facts: object) -> None:
        super().__init__(f"{what}: {facts}")
        self.what, self.facts = what, facts


@dataclass(frozen=True)
class Step:
    """After so many minutes of working time, what is done, and with whom: nobody named is whoever leads the team.

    `team` is a number or its word in queries, `member` a number or an address.
    """

    minutes: int
    does: str
    after: str = "unanswered"
    team: int | str | None = None
    member: int | str | None = None

    def as_json(self) -> dict[str, Any]:
        """The step as plain values."""
        found: dict[str, Any] = {"minutes": self.minutes, "does": self.does}
        if self.after != "unanswered":
            found["after"] = self.after
        return found | {name: value for name in ("team", "member") if (value := getattr(self, name)) is not None}


def read_step(row: Mapping[str, Any]) -> Step:
    """A step from its row. Raises BadStep."""
    unknown = ", ".join(sorted(map(str, row.keys() - {"minutes", "does", "after", "team", "member"})))
    if unknown:
        raise BadStep("unknown", value=unknown, known="minutes, does, after, team, member")
    does, after, minutes = row.get("does"), row.get("after") or "unanswered", row.get("minutes")
    for value, known in ((does, DOES), (after, AFTER)):
        if value not in known:
            raise BadStep("unknown", value=value, known=", ".join(known))
    if not isinstance(minutes, int) or isinstance(minutes, bool) or not 1 <= minutes <= MOST_MINUTES:
        raise BadStep("minutes", value=minutes, n=MOST_MINUTES)
    team, member = row.get("team"), row.get("member")
    for name in (team, member):
        if name is not None and (isinstance(name, bool) or not isinstance(name, int | str) or not name):
            raise BadStep("whom", value=name)
    named = (team is not None) + (member is not None)
    if (does == "raise" and named) or (does == "inform" and team is not None) or named > 1:
        raise BadStep("whom", value=team if team is not None else member)
    return Step(minutes, str(does), str(after), team, member)


def lines_of_rows(rows: Any) -> str:
    """The rows of steps as lines, to be edited as text: `60 reassign team:support`, `15 silent inform`."""
    return "\n".join(_line(row) for row in rows if isinstance(row, Mapping)) if isinstance(rows, list) else ""


def rows_of_lines(text: str) -> list[dict[str, Any]]:
    """The rows of steps that the lines say; what is wrong in them is found when they are read."""
    return [_row(line.split()) for line in text.splitlines() if line.strip()]


def _line(row: Mapping[str, Any]) -> str:
    words = [row.get("minutes"), row.get("after"), row.get("does")]
    words += [f"{name}:{row[name]}" for name in ("team", "member") if row.get(name) is not None]
    return " ".join(str(word) for word in words if word)


def _row(words: Sequence[str]) -> dict[str, Any]:
    first, *rest = words
    row: dict[str, Any] = {"minutes": _number(first), "does": ""}
    for word in rest:
        name, colon, value = word.partition(":")
        if colon and name in ("team", "member"):
            row[name] = _number(value)
        elif word in AFTER:
            row["after"] = word
        else:
            row["does"] = f"{row['does']} {word}".strip()
    return row


def _number(word: str) -> int | str:
    return int(word) if word.isdecimal() and len(word) < 10 else word
