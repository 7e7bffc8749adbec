"""What other models say of stored posts, value by value and answer by answer. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from talkworthy.archive import CHANGED
from talkworthy.listening.labels import URGENT_FROM

ANSWERS = ("sentiment", "intent", "urgency", "detected_language")
MADE = (
    *ANSWERS,
    "sentiment_score",
    "sentiment_probability",
    "intent_probability",
    "language_probability",
    "analysed_by",
)
"""The columns that models make; hashes and the folded text do not depend on them."""
CHANCES = {
    "sentiment": "sentiment_probability",
    "intent": "intent_probability",
    "detected_language": "language_probability",
}
EXAMPLES = 20
"""Posts that are kept with each change of an answer, by lot: those whose numbers end lowest."""
URGENT, CALM = "urgent", "calm"
_LOT = (1 << 31) - 1

Row = Mapping[str, Any]
Move = tuple[str, str, str]
"""Task, the answer before, and after."""


@dataclass
class Tally:
    """What is told of the posts that were looked at."""

    posts: int = 0
    changed: int = 0
    """Posts of which some answer is another one."""
    rewritten: int = 0
    """Posts of which any value is another one, if only a probability or the version."""
    kept: int = 0
    """Answers that people corrected, which stay."""
    moves: Counter[Move] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    """What had answered before."""
    examples: dict[Move, list[dict[str, Any]]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """As plain values, the most frequent first."""
        moves = [
            {"task": task, "before": before, "after": after, "posts": n, "examples": self.examples[task, before, after]}
            for (task, before, after), n in sorted(self.moves.items(), key=lambda one: (one[0][0], -one[1], one[0]))
        ]
        counts = {"posts": self.posts, "changed": self.changed, "rewritten": self.rewritten, "kept": self.kept}
        return {**counts, "moves": moves, "versions": self.versions.most_common()}

    @classmethod
    def from_json(cls, held: Mapping[str, Any]) -> "Tally":
        """What `as_json` gave."""
        moves = {(move["task"], move["before"], move["after"]): move for move in held.get("moves", ())}
        return cls(
            **{name: held.get(name, 0) for name in ("posts", "changed", "rewritten", "kept")},
            moves=Counter({key: move["posts"] for key, move in moves.items()}),
            versions=Counter(dict(held.get("versions", ()))),
            examples={key: list(move["examples"]) for key, move in moves.items()},
        )

    def add(self, stored: Row, made: Row, corrected: frozenset[str]) -> dict[str, Any]:
        """Count a post; returns the values that are to be written, none where nothing differs."""
        self.posts += 1
        self.versions[stored["analysed_by"] or ""] += 1
        self.kept += sum(_differs(stored[task], made[task]) for task in corrected)
        values = {name: made[name] for name in MADE if name not in corrected and _differs(stored[name], made[name])}
        moves = [move for task in ANSWERS if task in values and (move := _move(task, stored, made))]
        self.rewritten += bool(values)
        self.changed += bool(moves)
        for move in moves:
            self.moves[move] += 1
            self._keep(move, stored, made)
        return values

    def _keep(self, move: Move, stored: Row, made: Row) -> None:
        chance = CHANCES.get(move[0])
        given = [None if chance is None else row[chance] for row in (stored, made)]
        held = self.examples.setdefault(move, [])
        held.append({"id": stored["id"], "uid": stored["uid"], "chances": given})
        held.sort(key=lambda post: post["id"] & _LOT)
        del held[EXAMPLES:]


def changes(posts: Sequence[tuple[Row, Mapping[str, Any]]], *, by: str) -> pa.Table:
    """The values of posts as rows of CHANGED."""
    rows = [
        {
            "id": post["id"],
            "uid": post["uid"],
            "published_at": post["published_at"],
            "column": name,
            "value": _written(value),
            "seq": None,
            "by": by,
        }
        for post, values in posts
        for name, value in values.items()
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema([column.with_nullable(True) for column in CHANGED]))


def _move(task: str, stored: Row, made: Row) -> Move | None:
    """The change of an answer; an urgency changes where it crosses the point from which cards say so."""
    if task == "urgency":
        before, after = (URGENT if (row[task] or 0) >= URGENT_FROM else CALM for row in (stored, made))
    else:
        before, after = str(stored[task] or ""), str(made[task] or "")
    return None if before == after else (task, before, after)


def _differs(one: Any, other: Any) -> bool:
    return bool(one != other)


def _written(value: Any) -> str | None:
    """As text that reads back as the same value; a probability has four decimals."""
    if value is None:
        return None
    return f"{value:.9g}" if isinstance(value, float) else str(value)
