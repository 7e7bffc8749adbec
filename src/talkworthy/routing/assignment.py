"""Who gets a case: whoever is there, has room, speaks the language and has the skills; round robin within. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Candidate:
    """A member of the team, with what they take on."""

    member: int
    state: str = "here"
    away_until: datetime | None = None
    capacity: int = 20
    open_cases: int = 0
    languages: frozenset[str] = frozenset()
    skills: frozenset[str] = frozenset()
    last_assigned_at: datetime | None = None


@dataclass(frozen=True)
class Need:
    """What a case asks for. `but`: a member who must not get it (again)."""

    language: str = ""
    skills: frozenset[str] = frozenset()
    but: int | None = None


@dataclass(frozen=True)
class Choice:
    """Who, and why; `member` None: nobody, and `passed` says how many were passed over for what."""

    member: int | None
    considered: int
    passed: dict[str, int]
    load: float | None = None
    by_language: bool = False
    lacking: tuple[str, ...] = ()
    """Skills that nobody who is there has, or has all of: why nobody was chosen."""


def choose(candidates: Sequence[Candidate], need: Need, *, now: datetime) -> Choice:
    """The member with the least to do for their capacity; of equals whoever waited longest for a case.

    A language is asked for only where somebody who is there speaks it: a case is rather answered than left.
    """
    passed: dict[str, int] = {}
    able = []
    for candidate in candidates:
        reason = _hindrance(candidate, need, now)
        if reason:
            passed[reason] = passed.get(reason, 0) + 1
        else:
            able.append(candidate)
    speaking = [candidate for candidate in able if need.language and need.language in candidate.languages]
    if speaking and len(speaking) < len(able):
        passed["language"] = len(able) - len(speaking)
    chosen = min(
        speaking or able,
        key=lambda one: (one.open_cases / one.capacity, one.last_assigned_at or NEVER, one.member),
        default=None,
    )
    if chosen is None:
        return Choice(None, len(candidates), passed, lacking=_lacking(candidates, need, now))
    return Choice(chosen.member, len(candidates), passed, round(chosen.open_cases / chosen.capacity, 3), bool(speaking))


def _lacking(candidates: Sequence[Candidate], need: Need, now: datetime) -> tuple[str, ...]:
    """The skills that keep a case from everybody; none where somebody who is there has them all, and no room."""
    there = [one.skills for one in candidates if one.member != need.but and _is_there(one, now)]
    if any(need.skills <= skills for skills in there):
        return ()
    return tuple(sorted(need.skills - frozenset[str]().union(*there) or need.skills))


def _is_there(candidate: Candidate, now: datetime) -> bool:
    return candidate.state == "here" or (candidate.away_until is not None and candidate.away_until <= now)


def _hindrance(candidate: Candidate, need: Need, now: datetime) -> str:
    """Why this one is passed over; empty: they may have it."""
    if candidate.member == need.but:
        return "had it"
    if not _is_there(candidate, now):
        return candidate.state
    if candidate.capacity <= 0 or candidate.open_cases >= candidate.capacity:
        return "full"
    if not need.skills <= candidate.skills:
        return "skills"
    return ""
