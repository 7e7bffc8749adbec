"""Who may be asked at a node of a playbook, and on what each answer rests. Pure; knows no English.

An asker reads the facts of one mention and answers, or says nothing where it does not know: then the node's
`otherwise` holds. What no asker can tell: jokes (irony is not read by the models), and whether a claim is false
(a team writes the claims that it knows to be false as the query of that answer).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from math import log1p
from typing import Any

import regex

from talkworthy.analysis import lexicons, urgency
from talkworthy.analysis.careful import careful_name
from talkworthy.analysis.heads import cited
from talkworthy.analysis.registry import Model, model
from talkworthy.analysis.tiers import CAREFUL, FAST, score_one, was_careful
from talkworthy.query import tokens

OURS = ("brand", "product", "touchpoint", "person")
"""Kinds of monitors that speak of us."""
GRAVE = ("self-harm", "safety", "legal")
"""Kinds of urgent phrases that make a crisis matter; an outage or a hacked account that one person meets does not."""
GRAVE_POINTS = 55.0
HARM = 0.35
ATTACK = 0.6
"""Chance of offence from which on a mention that asks for nothing is an attack."""
MOST_PIECES = 8


@dataclass(frozen=True)
class Seen:
    """A monitor that found the mention."""

    id: int
    name: str
    kind: str


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of one mention. `post` is a row of schema POST with its annotations."""

    post: Mapping[str, Any]
    monitors: Sequence[Seen] = ()
    influence: int | None = None
    """How far the author is heard, 0 to 100: the share of accounts that lie below. None: not known."""
    touchpoints: tuple[str, ...] = ()
    """Slugs of the touchpoints whose monitors found it."""
    voice: Mapping[str, float] = field(default_factory=dict)
    """The parts of it, for the evidence."""
    answered_by_others: int = 0
    """Answers in the thread by others than the author and us."""
    answered_by_us: bool = False
    may_share: bool = False
    """The person agreed that we share what they say of us."""
    is_automated: bool = False
    is_told_to_us: bool = False
    """It answers us, or names our account first: whoever writes so speaks of what they met."""
    offensive: float | None = None
    """Chance of offence, where it was scored with others; None: scored when it is needed."""
    may_alarm: bool = True
    """False where a look at many at once has shown that no urgent phrase is in it."""


@dataclass(frozen=True)
class Evidence:
    """On what an answer rests. `by`: rule, model, query, fact, person or nobody; `says` names it, in one word.

    `pieces` are the words that led to it: text, weight, start and end in title and text as one (None: no stretch).
    """

    by: str
    says: str
    value: str = ""
    probability: float | None = None
    model: str = ""
    accuracy: str = ""
    pieces: tuple[tuple[str, float, int | None, int | None], ...] = ()
    numbers: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The evidence as plain values, without what is empty."""
        told = {
            "by": self.by,
            "says": self.says,
            "value": self.value,
            "probability": self.probability,
            "model": self.model,
            "accuracy": self.accuracy,
            "pieces": [list(piece) for piece in self.pieces],
            "numbers": dict(self.numbers),
        }
        return {name: value for name, value in told.items() if value not in ("", None, [], {})}


Told = tuple[str, Evidence]
Asker = Callable[[Facts], Told | None]


def folded_text(facts: Facts) -> str:
    """The whole text as urgent phrases are looked for in it."""
    return tokens.folded(None, whole_text(facts))


def risk(facts: Facts) -> Told | None:
    """Phrases of self-harm, danger or law in a mention that is not about somebody else."""
    found = urgency.alarms(folded_text(facts)) if facts.may_alarm else []
    heard = [alarm for alarm in found if alarm.kind in GRAVE]
    pieces = tuple((f"{alarm.kind}: {alarm.phrase}", alarm.points, None, None) for alarm in heard[:MOST_PIECES])
    strongest = max((alarm.points for alarm in heard), default=0.0)
    kinds = {alarm.kind for alarm in heard}
    concerns_us = facts.is_told_to_us or any(seen.kind in OURS for seen in facts.monitors)
    if urgency.CERTAIN in kinds:
        return "yes", Evidence("rule", "alarm", urgency.CERTAIN, pieces=pieces)
    worst = ", ".join(sorted(kinds))
    said = int(facts.post.get("urgency") or 0)
    if strongest >= GRAVE_POINTS and concerns_us and said >= GRAVE_POINTS:
        return "yes", Evidence("rule", "alarm", worst, pieces=pieces, numbers={"urgency": said})
    return "no", Evidence("rule", "no_alarm", worst, pieces=pieces, numbers={"urgency": said})


def relation(facts: Facts) -> Told | None:
    """Which kinds of monitors found it: ours, a rival's, the field's. What was written to us alone is about us."""
    for answer, kinds in (("us", OURS), ("rival", ("rival",)), ("field", ("field",))):
        names = [seen.name for seen in facts.monitors if seen.kind in kinds]
        if answer != "us" and facts.is_told_to_us:
            return "us", Evidence("fact", "written_to_us")
        if names:
            return answer, Evidence("fact", "monitors", ", ".join(names))
    return "other", Evidence("fact", "no_monitor")


def advice(facts: Facts) -> Told | None:
    """Whether it asks before buying, or asks at all."""
    intent = str(facts.post.get("intent") or "")
    if intent in ("purchase", "help"):
        return "yes", _intent(facts)
    if _asks(facts):
        return "yes", Evidence("rule", "question")
    return "no", _intent(facts)


def kind(facts: Facts) -> Told | None:
    """A review has stars; else the intent; an insult that wants nothing is an attack, loud anger a rant."""
    if facts.post.get("rating") is not None:
        return "review", Evidence("fact", "rating", f"{facts.post['rating']:g}")
    intent = str(facts.post.get("intent") or "")
    if intent in ("help", "purchase", "suggestion", "praise"):
        return intent, _intent(facts)
    chance = round(offences([facts])[0] if facts.offensive is None else facts.offensive, 4)
    card = _card("offensive", facts)
    offence = Evidence("model", "offensive", "", chance, _named(card), _accuracy(card))
    if intent == "complaint":
        return ("attack", offence) if chance >= 0.85 else ("complaint", _intent(facts))
    if chance >= ATTACK:
        return ("rant" if facts.post.get("sentiment") == "negative" and _first_person(facts) else "attack"), offence
    return ("remark", _intent(facts)) if intent else None


def truth(facts: Facts) -> Told | None:
    """What speaks of one's own experience, is told to us, asks or wishes is taken at its word; a claim is not known."""
    intent = str(facts.post.get("intent") or "")
    if intent in ("help", "purchase", "suggestion", "praise"):
        return "true", Evidence("rule", "own_wish", intent)
    if facts.post.get("rating") is not None:
        return "true", Evidence("rule", "own_review")
    own = _first_person(facts)
    if own:
        return "true", Evidence("rule", "own_experience", pieces=own)
    if facts.is_told_to_us or str(facts.post.get("text") or "").lstrip().startswith("@"):
        return "true", Evidence("rule", "told_to_us")
    if _asks(facts):
        return "true", Evidence("rule", "question")
    if intent == "complaint" or facts.post.get("sentiment") == "negative":
        return "unknown", Evidence("rule", "claim")
    return "true", Evidence("rule", "no_claim")


def experience(facts: Facts) -> Told | None:
    """First person with a feeling; stars say it too."""
    rating = facts.post.get("rating")
    if rating is not None:
        answer = "bad" if rating < 3 else "good" if rating > 3 else "none"
        return answer, Evidence("fact", "rating", f"{rating:g}")
    own = _first_person(facts)
    intent, feeling = str(facts.post.get("intent") or ""), str(facts.post.get("sentiment") or "")
    if intent in ("help", "purchase", "suggestion"):
        return "none", _intent(facts)
    if intent == "complaint" and (own or feeling == "negative"):
        return "bad", _intent(facts, own)
    if intent == "praise":
        return "good", _intent(facts, own)
    if own and feeling in ("negative", "positive"):
        return ("bad" if feeling == "negative" else "good"), _feeling(facts, own)
    return "none", Evidence("rule", "no_experience", pieces=own)


def wish(facts: Facts) -> Told | None:
    """What the intent asks for; a question that is none of them asks for information."""
    intent = str(facts.post.get("intent") or "")
    answers = {"help": "help", "purchase": "advice", "suggestion": "change", "complaint": "help"}
    if intent in answers:
        return answers[intent], _intent(facts)
    if _asks(facts):
        return "information", Evidence("rule", "question")
    return "nothing", _intent(facts)


def share(facts: Facts) -> Told | None:
    """Whether the person agreed to it."""
    return ("yes" if facts.may_share else "no"), Evidence("fact", "consent", "yes" if facts.may_share else "no")


def value(facts: Facts) -> Told | None:
    """A question that nobody answered."""
    asks = _asks(facts) or str(facts.post.get("intent") or "") in ("help", "purchase")
    heard = facts.answered_by_others > 0 or facts.answered_by_us
    numbers = {"answers": float(facts.answered_by_others)}
    if asks and not heard:
        return "yes", Evidence("rule", "unanswered", numbers=numbers)
    return "no", Evidence("rule", "answered" if asks else "no_question", numbers=numbers)


def harm(facts: Facts) -> Told | None:
    """How far the author is heard above the middle of all accounts, and how far the mention spread, both 0 to 1.

    loud = (2 · influence / 100 − 1)², nothing up to the middle and where it is not known: 0.36 at 80, 0.64 at 90.
    """
    loud = 0.0 if facts.influence is None else max(0.0, facts.influence / 50 - 1) ** 2
    counts = facts.post.get("engagement") or {}
    spread = min(1.0, log1p((counts.get("shares") or 0) + (counts.get("replies") or 0)) / log1p(1_000))
    risen = 1 - (1 - loud) * (1 - spread)
    heard = {} if facts.influence is None else {"influence": float(facts.influence), **facts.voice}
    numbers = {**heard, "spread": round(spread, 3), "together": round(risen, 3), "from": HARM}
    return ("yes" if risen >= HARM else "no"), Evidence("rule", "influence", numbers=numbers)


def community(facts: Facts) -> Told | None:
    """Whether others answer already."""
    numbers = {"answers": float(facts.answered_by_others)}
    return ("yes" if facts.answered_by_others else "no"), Evidence("fact", "answers", numbers=numbers)


ASKERS: Mapping[str, tuple[Asker, tuple[str, ...]]] = {
    "risk": (risk, ("yes", "no")),
    "relation": (relation, ("us", "rival", "field", "other")),
    "advice": (advice, ("yes", "no")),
    "kind": (kind, ("help", "purchase", "complaint", "suggestion", "praise", "review", "remark", "rant", "attack")),
    "truth": (truth, ("true", "unknown")),
    "experience": (experience, ("bad", "good", "none")),
    "wish": (wish, ("help", "advice", "information", "change", "nothing")),
    "share": (share, ("yes", "no")),
    "value": (value, ("yes", "no")),
    "harm": (harm, ("yes", "no")),
    "community": (community, ("yes", "no")),
}
"""Askers by name, with the answers that each may give."""

ANSWERS: Mapping[str, tuple[str, ...]] = {name: answers for name, (_asker, answers) in ASKERS.items()}


def whole_text(facts: Facts) -> str:
    """Title and text as one, as models and evidence see them."""
    title, text = facts.post.get("title"), str(facts.post.get("text") or "")
    return f"{title}\n{text}" if title else text


def _asks(facts: Facts) -> bool:
    """A sign of a question in any script, outside of links."""
    return bool(_QUESTION.search(_LINK.sub(" ", whole_text(facts))))


_LINK = regex.compile(r"https?://\S+")
_QUESTION = regex.compile(r"[?？؟;՞፧⁇⁈](?=\s|$|[\p{P}\p{S}])|¿")


def _first_person(facts: Facts) -> tuple[tuple[str, float, int | None, int | None], ...]:
    """The words by which the writer speaks of themselves, in the list of the post's language."""
    language = str(facts.post.get("detected_language") or facts.post.get("language") or "")[:2]
    known = _first_persons()
    words = known.get(language) or known.get("en", frozenset())
    whole = whole_text(facts)
    found = []
    for match in _WORD.finditer(whole):
        if match.group().replace("’", "'").casefold() in words:
            found.append((match.group(), 1.0, match.start(), match.end()))
    return tuple(found[:MOST_PIECES])


_WORD = regex.compile(r"\p{L}+(?:['’]\p{L}+)*")


@cache
def _first_persons() -> Mapping[str, frozenset[str]]:
    return {
        language: frozenset(word for word, _weight in lexicons.entries(language, "first_person"))
        for language in lexicons.languages("first_person")
    }


def offences(facts: Sequence[Facts]) -> list[float]:
    """How likely each mention offends, told by the tier that has read its post."""
    found = [0.0] * len(facts)
    for tier, carefully in ((FAST, False), (CAREFUL, True)):
        places = [place for place, one in enumerate(facts) if was_careful(one.post) == carefully]
        if places:
            chances, _limits = score_one("offensive", [whole_text(facts[place]) for place in places], tier=tier)
            for place, chance in zip(places, chances[:, 0].tolist(), strict=True):
                found[place] = chance
    return found


def _card(name: str, facts: Facts) -> Model:
    """The card of the shipped model that answers for a post: that of the tier that has read it."""
    return model(careful_name(name) if was_careful(facts.post) else name)


def _intent(facts: Facts, pieces: tuple[tuple[str, float, int | None, int | None], ...] = ()) -> Evidence:
    intent = str(facts.post.get("intent") or "")
    probability = facts.post.get("intent_probability")
    card = _card(intent, facts) if intent in ("help", "purchase", "complaint", "suggestion", "praise") else None
    return Evidence(
        "model",
        "intent",
        intent,
        None if probability is None else round(float(probability), 3),
        *_cited(card, "intent", facts),
        pieces,
    )


def _feeling(facts: Facts, pieces: tuple[tuple[str, float, int | None, int | None], ...]) -> Evidence:
    card = _card("sentiment", facts)
    probability = facts.post.get("sentiment_probability")
    sure = None if probability is None else round(float(probability), 3)
    said = str(facts.post.get("sentiment"))
    return Evidence("model", "sentiment", said, sure, *_cited(card, "sentiment", facts), pieces)


def _cited(card: Model | None, task: str, facts: Facts) -> tuple[str, str]:
    """Which model answered, and how well it does; a workspace's own one is measured on its own labels only."""
    analysed_by = str(facts.post.get("analysed_by") or "")
    if card is None:
        return analysed_by, ""
    own = cited(analysed_by, task)
    return (_named(card), _accuracy(card)) if own is None else (f"{_named(card)}+{own}", "")


def _named(card: Model) -> str:
    return f"{card.name} {card.version}"


def _accuracy(card: Model) -> str:
    """The first score of its card, in words that need no translation."""
    return f"{card.scores[0].measure} {card.scores[0].value:g} (n {card.scores[0].n})" if card.scores else ""
