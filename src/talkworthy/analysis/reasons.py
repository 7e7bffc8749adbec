"""Why an annotation says what it says: the words, rules and figures that led to it."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from talkworthy.analysis import duplicates, intent, language, reports, sentiment, urgency
from talkworthy.analysis.careful import Floats, careful_head
from talkworthy.analysis.heads import IN_PIPELINE, Heads, scorer_of, shipped
from talkworthy.analysis.registry import Model, Score, model
from talkworthy.analysis.scoring import Weighed, weigh
from talkworthy.analysis.tiers import CAREFUL, Tier, was_careful
from talkworthy.query import tokens
from talkworthy.schema.annotations import UNDECIDED

TASKS = ("language", "sentiment", "intent", "urgency", "duplicates", *intent.WISHES, "offensive", reports.NAME)
MOST_SHOWN = 12
MOST_LEFT_OUT = 60
RULES = "rules"


@dataclass(frozen=True)
class Evidence:
    """One thing that spoke for the answer (weight above 0) or against it.

    `start` and `end` are characters of title and text joined by a line break, or of the text alone where
    there is no title; both are None where the evidence is no stretch of the text.
    """

    what: str
    weight: float
    start: int | None
    end: int | None
    kind: str


@dataclass(frozen=True)
class Reason:
    """An answer, how sure it is, what led to it (strongest first), and who says so."""

    task: str
    answer: str
    probability: float
    evidence: tuple[Evidence, ...]
    model: str
    version: str
    scores: tuple[Score, ...]
    note: str = ""


def why(post: Mapping[str, Any], task: str, heads: Heads | None = None) -> Reason:
    """The reason of one annotation of a post, from its `title` and `text`, as these heads (else the shipped) answer.

    `task` is one of TASKS; anything else raises KeyError. Duplicates need the post's own annotations
    (`text_hash`, `near_hash`) to name its family. Where `analysed_by` says that the careful tier answered, it is
    asked again: NotInstalled where it is no longer there.
    """
    text = str(post.get("text") or "")
    whole = f"{post['title']}\n{text}" if post.get("title") else text
    asked = heads or shipped()
    if task == "language":
        return _language(whole, asked, asked.spoken.get(str(post.get("source") or ""), {}))
    if was_careful(post):
        tier = Tier(CAREFUL, asked)
        if task == "sentiment" and tier.is_careful(sentiment.NAME):
            return _careful_sentiment(whole, tier)
        if task == "intent":
            return _careful_intent(whole, tier)
        if task == "urgency":
            return _urgency(whole, tier.score([whole]).chances)
        if tier.is_careful(task):
            return _careful_head(whole, task, tier)
    if task == "sentiment":
        return _sentiment(whole, asked)
    if task == "intent":
        return _intent(whole, asked)
    if task == "urgency":
        return _urgency(whole, asked.scorer.score([whole]))
    if task == "duplicates":
        return _duplicates(post, whole)
    if task == reports.NAME:
        return _report(whole)
    if task in TASKS:
        return _head(whole, task, asked)
    raise KeyError(f"no annotation named {task!r}; there are {', '.join(TASKS)}")


def _by_model(task: str, answer: str, probability: float, found: list[Weighed], card: Model, note: str = "") -> Reason:
    strongest = sorted((held for held in found if abs(held.weight) > 1e-4), key=lambda held: -abs(held.weight))[
        :MOST_SHOWN
    ]
    evidence = tuple(Evidence(held.text, round(held.weight, 4), held.start, held.end, "word") for held in strongest)
    return Reason(task, answer, round(probability, 4), evidence, card.name, card.version, card.scores, note)


def _language(whole: str, heads: Heads, spoken: Mapping[str, float]) -> Reason:
    card = model(language.NAME)
    least = heads.sure.get("detected_language", card.undecided_below)
    beforehand = language.leaning(spoken, language.tables().languages)[None]
    guess, chance, sure = language.detector().best([whole], sure=least, leanings=beforehand)[0]
    note = "" if sure else f"best guess {guess}; fewer than {language.FEWEST_LETTERS} letters, or below {least:.0%}"
    if guess not in card.labels:
        note = note or "its script is used by this language alone"
    elif spoken:
        told = ", ".join(f"{name} {share:.0%}" for name, share in sorted(spoken.items(), key=lambda one: -one[1])[:3])
        alone, by_words, _sure = language.detector().best([whole], sure=least)[0]
        note = "; ".join(filter(None, (note, f"its source speaks {told}; the words alone say {alone} {by_words:.0%}")))
    return _by_model("language", guess if sure else UNDECIDED, chance, language.evidence(whole, guess), card, note)


def _sentiment(whole: str, heads: Heads) -> Reason:
    held = heads.head(sentiment.NAME)
    card = held.model
    chances = heads.scorer.score([whole])[sentiment.NAME][0]
    first = int(chances.argmax())
    sure = bool(chances[first] >= heads.sure.get(sentiment.NAME, card.undecided_below))
    others = [place for place in range(len(card.labels)) if place != first]
    found = _against(weigh(held, whole, first), [weigh(held, whole, place) for place in others])
    told = ", ".join(f"{label} {chance:.0%}" for label, chance in zip(card.labels, chances, strict=True))
    return _by_model("sentiment", card.labels[first] if sure else UNDECIDED, float(chances[first]), found, card, told)


def _against(chosen: list[Weighed], others: list[list[Weighed]]) -> list[Weighed]:
    """What each word adds to the chosen output beyond the mean of the others."""
    mean = np.mean([[held.weight for held in other] for other in others], axis=0) if chosen else []
    return [
        Weighed(held.text, held.start, held.end, held.weight - float(rest))
        for held, rest in zip(chosen, mean, strict=True)
    ]


def _report(whole: str) -> Reason:
    scorer, card = reports.report_scorer(), model(reports.NAME)
    chances = scorer.score([whole])[reports.NAME][0]
    first = int(chances.argmax())
    others = [place for place in range(len(card.labels)) if place != first]
    found = _against(scorer.weigh(whole, first), [scorer.weigh(whole, place) for place in others])
    told = ", ".join(f"{label} {chance:.0%}" for label, chance in zip(card.labels, chances, strict=True))
    return _by_model(reports.NAME, card.labels[first], float(chances[first]), found, card, told)


def _head(whole: str, task: str, heads: Heads) -> Reason:
    held = heads.head(task)
    card = held.model
    scored = heads.scorer.score([whole]) if task in IN_PIPELINE else scorer_of(task).score([whole])
    chance = float(scored[task][0, 0])
    return _by_model(
        task,
        "yes" if chance >= card.threshold else "no",
        chance,
        weigh(held, whole, 0),
        card,
        f"yes from {card.threshold:.0%} on",
    )


def _intent(whole: str, heads: Heads) -> Reason:
    scored = heads.scorer.score([whole])
    found = {wish: scored[wish][:, 0] for wish in intent.WISHES}
    limits = {wish: np.array([heads.card(wish).threshold], np.float32) for wish in intent.WISHES}
    answers, likely = intent.decide(found, limits, sure=heads.sure.get("intent", 0.0))
    wish = answers[0] if answers[0] in intent.WISHES else max(intent.WISHES, key=lambda name: float(found[name][0]))
    told = ", ".join(
        f"{name} {float(chance[0]):.0%} (from {heads.card(name).threshold:.0%})" for name, chance in found.items()
    )
    return _by_model("intent", answers[0], float(likely[0]), weigh(heads.head(wish), whole, 0), heads.card(wish), told)


def _careful_sentiment(whole: str, tier: Tier) -> Reason:
    card = careful_head(sentiment.NAME).model
    chances = tier.score([whole]).chances[sentiment.NAME][0]
    first = int(chances.argmax())
    sure = bool(chances[first] >= tier.heads.sure.get(sentiment.NAME, card.undecided_below))
    told = ", ".join(f"{label} {chance:.0%}" for label, chance in zip(card.labels, chances, strict=True))
    found = _without_each_word(whole, sentiment.NAME, first, tier)
    return _by_model("sentiment", card.labels[first] if sure else UNDECIDED, float(chances[first]), found, card, told)


def _careful_head(whole: str, task: str, tier: Tier) -> Reason:
    card = careful_head(task).model
    chance = float(tier.score([whole]).chances[task][0, 0])
    found = _without_each_word(whole, task, 0, tier)
    answer = "yes" if chance >= card.threshold else "no"
    return _by_model(task, answer, chance, found, card, f"yes from {card.threshold:.0%} on")


def _careful_intent(whole: str, tier: Tier) -> Reason:
    scored = tier.score([whole])
    found = {wish: scored.chances[wish][:, 0] for wish in intent.WISHES}
    answers, likely = intent.decide(found, scored.thresholds, sure=tier.heads.sure.get("intent", 0.0))
    wish = answers[0] if answers[0] in intent.WISHES else max(intent.WISHES, key=lambda name: float(found[name][0]))
    told = ", ".join(
        f"{name} {float(chance[0]):.0%} (from {scored.thresholds[name][0]:.0%})" for name, chance in found.items()
    )
    card = careful_head(wish).model if tier.is_careful(wish) else tier.heads.card(wish)
    return _by_model("intent", answers[0], float(likely[0]), _without_each_word(whole, wish, 0, tier), card, told)


def _without_each_word(whole: str, name: str, output: int, tier: Tier) -> list[Weighed]:
    """What the log odds of an answer lose when a word is left out, for the words at the beginning."""
    spans = [match.span() for match in itertools.islice(re.finditer(r"\S+", whole), MOST_LEFT_OUT)]
    texts = [whole, *(whole[:start] + whole[end:] for start, end in spans)]
    chances = np.clip(tier.score(texts).chances[name][:, output], 1e-6, 1 - 1e-6)
    lost = np.log(chances[0] / (1 - chances[0])) - np.log(chances[1:] / (1 - chances[1:]))
    return [
        Weighed(whole[start:end], start, end, float(weight)) for (start, end), weight in zip(spans, lost, strict=True)
    ]


def _urgency(whole: str, scored: Mapping[str, Floats]) -> Reason:
    folded = tokens.folded(None, whole)
    heard = urgency.alarms(folded)
    chances = {name: float(scored[name][0, 0]) for name in ("complaint", "help", "sentiment")}
    answer = (
        urgency.level(heard, wish=max(chances["complaint"], chances["help"]), negative=chances["sentiment"])
        if whole
        else 0
    )
    aligned = len(folded) == len(whole)
    evidence = [
        Evidence(
            f"{alarm.kind}: {alarm.phrase}",
            alarm.points,
            alarm.start if aligned else None,
            alarm.end if aligned else None,
            "rule",
        )
        for alarm in sorted(heard, key=lambda held: -held.points)[:MOST_SHOWN]
    ]
    evidence += [
        Evidence(label, round(chances[name], 4), None, None, "model")
        for name, label in (("complaint", "complaint"), ("help", "asks for help"), ("sentiment", "negative"))
    ]
    return Reason(
        "urgency",
        str(answer),
        1.0,
        tuple(evidence),
        RULES,
        "1",
        (),
        "formula in the urgency module and in docs/reference/analysis.md",
    )


def _duplicates(post: Mapping[str, Any], whole: str) -> Reason:
    own = duplicates.text_hash(whole)
    near = post.get("near_hash")
    core = duplicates.bare(whole)
    if near is None:
        answer, note = "alone", "no near copy among the posts it was compared with"
    elif near == own:
        answer, note = "first of its family", "later posts are the same or near copies of it"
    else:
        answer, note = (
            "copy",
            f"at least {duplicates.ALIKE:.0%} of its runs of {duplicates.RUN} letters are those of family {near}",
        )
    evidence = (Evidence(f"compared text: {core[:200]}", 1.0, None, None, "rule"),) if core else ()
    return Reason("duplicates", answer, 1.0, evidence, RULES, "1", (), note)
