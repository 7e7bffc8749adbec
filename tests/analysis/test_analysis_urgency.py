"""Which phrases raise an alarm, which do not, and how well urgency does on labelled sentences."""

import csv
import json
import random
from pathlib import Path

import numpy as np
import pytest
import regex

from talkworthy.analysis import evaluate_file, urgency
from talkworthy.analysis.labelled import URGENT
from talkworthy.query import tokens

SENTENCES = Path(__file__).parents[2] / "benchmarks" / "urgency_sentences.csv"


def kinds(text: str) -> set[str]:
    """What a text is found to have at stake."""
    return {alarm.kind for alarm in urgency.alarms(tokens.folded(None, text))}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("My wallet and my card were stolen", "security"),
        ("Someone got into my account", "security"),
        ("Mein Konto bei euch wurde gehackt", "security"),
        ("The battery of your phone is swelling", "safety"),
        ("See you in court", "legal"),
        ("The app won't open", "outage"),
        ("I keep thinking about ending it all", "self-harm"),
        ("Ça sent le brûlé", "safety"),
    ],
)
def test_what_is_at_stake_is_heard_with_words_between(text: str, kind: str) -> None:
    assert kind in kinds(text)


@pytest.mark.parametrize(
    "text",
    [
        "My page was not hacked",
        "There is no gas leak",
        "We were never scammed",
        "Der Server ist nicht ausgefallen",
        "Suicide Squad was a good film",
    ],
)
def test_what_is_denied_or_a_mere_name_raises_no_alarm(text: str) -> None:
    assert kinds(text) == set()


@pytest.mark.parametrize(
    "text", ["No, my card was stolen", "I can't believe it: I was hacked", "Nobody helps and I was scammed"]
)
def test_a_negation_of_something_else_denies_nothing(text: str) -> None:
    assert kinds(text) & {"security", "legal"}


def test_self_harm_is_heard_also_where_it_is_denied() -> None:
    assert "self-harm" in kinds("I am not suicidal, I promise")


def test_urgency_is_measured_on_a_file_by_yes_and_no_or_by_kind(tmp_path: Path) -> None:
    file = tmp_path / "posts.jsonl"
    rows = [("I want to kill myself", "self-harm"), ("Somebody hacked into my account", "1"), ("Nice hat", "none")]
    file.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    found = evaluate_file("urgency", file)
    assert (found["n"], found["classes"]["yes"]["recall"], found["false_alarm_rate"]) == (3, 1.0, 0.0)
    assert found["auc"] == 1.0


def test_sentences_with_something_at_stake_are_found_and_few_others() -> None:
    with SENTENCES.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = [row["text"] for row in rows]
    at_stake = np.array([row["label"] != "none" for row in rows])
    levels = urgency.levels(texts)
    assert (levels[at_stake] >= URGENT).mean() >= 0.9
    assert (levels[~at_stake] >= URGENT).mean() <= 0.25
    assert urgency.levels(texts * 3).tolist() == levels.tolist() * 3  # as one large batch, looked through by Arrow


def test_phrases_are_found_as_one_expression_of_them_all_would_find_them() -> None:
    chance = random.Random(3)
    every = sorted(urgency.phrases(), key=lambda one: _order(one))
    groups = "|".join(f"({urgency.expression(one)})" for one in every)
    together = regex.compile(rf"\b(?:{groups})\b")
    words = [one.replace("...", " so very ").replace("*", "ing") for one in every] + ["kidding", "and", ", ", "."] * 90
    for _ in range(300):
        text = " ".join(chance.choices(words, k=chance.randint(1, 12)))
        expected = [(every[(found.lastindex or 1) - 1], *found.span()) for found in together.finditer(text)]
        assert list(urgency.found(text)) == expected


def _order(phrase: str) -> tuple[bool, bool, int]:
    innocent = urgency.phrases()[phrase][0] == urgency.INNOCENT
    loose = innocent or "..." in phrase or phrase.endswith("*")
    return not loose, loose and not innocent, -len(phrase)
