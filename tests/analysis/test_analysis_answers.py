"""What the analysers answer to plain sentences, and why."""

from collections.abc import Callable
from itertools import pairwise

import pyarrow as pa
import pytest

from talkworthy.analysis import default_pipeline, why
from talkworthy.analysis.reasons import TASKS
from talkworthy.analysis.urgency import alarms

Posts = Callable[..., pa.RecordBatch]


@pytest.fixture
def answers(posts: Posts) -> Callable[..., list[object]]:
    """One column of annotations for some texts."""

    def found(column: str, *texts: str) -> list[object]:
        answered: list[object] = default_pipeline().run(posts(*texts)).column(column).to_pylist()
        return answered

    return found


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("My order arrived broken and nobody answers the phone", "en"),
        ("Ich bin total begeistert von dem neuen Fahrrad", "de"),
        ("Le service client ne répond jamais au téléphone", "fr"),
        ("Me encanta esta aplicación, funciona muy bien", "es"),
        ("今日は東京タワーに行きました", "ja"),
        ("Сегодня мы гуляли по набережной", "ru"),
        ("오늘은 날씨가 좋네요", "ko"),
        ("yaar ye phone bahut accha hai, sabko lena chahiye", "hi"),
        ("ok", "undecided"),
        ("https://example.org/a-long-english-address @somebody #hashtag 12345", "undecided"),
    ],
)
def test_the_language_of_a_sentence(answers: Callable[..., list[object]], text: str, language: str):
    assert answers("detected_language", text) == [language]


@pytest.mark.parametrize(
    ("text", "sentiment"),
    [
        ("Thank you so much, your support team is amazing!!", "positive"),
        ("Worst service ever, broken on arrival and nobody cares", "negative"),
        ("The meeting starts at nine on Tuesday.", "neutral"),
        ("Ich bin total begeistert, danke!", "positive"),
        ("Me encanta, es genial", "positive"),
    ],
)
def test_the_mood_of_a_sentence(answers: Callable[..., list[object]], text: str, sentiment: str):
    assert answers("sentiment", text) == [sentiment]


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("My order arrived broken and nobody answers the phone. Worst service ever, I want a refund.", "complaint"),
        ("How do I reset my password? I can't find the setting anywhere, please help", "help"),
        ("Thank you so much, your support team is amazing!!", "praise"),
        ("Please add a dark mode, it would be so useful", "suggestion"),
        ("The meeting starts at nine.", "other"),
    ],
)
def test_what_a_sentence_wants(answers: Callable[..., list[object]], text: str, intent: str):
    assert answers("intent", text) == [intent]


def test_urgency_ranks_what_is_at_stake(answers: Callable[..., list[object]]):
    found = answers(
        "urgency",
        "I want to kill myself",
        "Your charger caught fire and burned my hand",
        "The website is down and I can't log in, this is unacceptable",
        "The meeting starts at nine.",
    )
    numbers = [number for number in found if isinstance(number, int)]
    assert all(higher >= lower for higher, lower in pairwise(numbers))  # a fire told softly may meet an angry outage
    assert numbers[0] >= 95 > numbers[1]
    assert numbers[2] > numbers[3]
    assert numbers[-1] <= 10


@pytest.mark.parametrize(
    "text", ["Achtung, Stromschlag am Ladegerät!", "Se incendió el cargador", "Le chargeur a pris feu"]
)
def test_danger_is_heard_in_other_languages(answers: Callable[..., list[object]], text: str):
    urgency = answers("urgency", text)[0]
    assert isinstance(urgency, int)
    assert urgency >= 40


def test_a_hacked_account_is_a_kind_of_its_own(answers: Callable[..., list[object]]):
    text = "My account was hacked, please help me"
    assert {alarm.kind for alarm in alarms(text.lower())} == {"security", "hurry"}
    urgency = answers("urgency", text)[0]
    assert isinstance(urgency, int)
    assert urgency >= 50


def test_a_word_inside_another_raises_no_alarm(answers: Callable[..., list[object]]):
    inside, alone = answers("urgency", "We are pursuing a new hobby", "We are suing you")
    assert isinstance(inside, int)
    assert isinstance(alone, int)
    assert inside < 20 < alone


@pytest.mark.parametrize("task", TASKS)
def test_every_annotation_has_a_reason_that_points_into_the_text(task: str):
    text = "The charger caught fire & burned my hand 😡 worst product ever, please help! https://t.example/x"
    reason = why({"title": "Danger", "text": text}, task)
    whole = f"Danger\n{text}"
    assert reason.task == task
    assert reason.evidence
    for evidence in reason.evidence:
        if evidence.start is not None and evidence.kind == "word":
            assert whole[evidence.start : evidence.end] == evidence.what


@pytest.mark.parametrize("task", ["language", "sentiment", "intent", "urgency"])
def test_the_reason_and_the_annotation_agree(posts: Posts, task: str):
    text = "My order arrived broken, nobody answers, I want a refund"
    row = default_pipeline().run(posts(text)).to_pylist()[0]
    column = "detected_language" if task == "language" else task
    assert why({"text": text}, task).answer == str(row[column])


def test_the_strongest_word_stands_first():
    reason = why({"text": "The worst phone I ever had"}, "sentiment")
    assert reason.evidence[0].what == "worst"
    assert reason.evidence[0].weight > 0
    assert reason.model == "sentiment"
    assert reason.scores


def test_a_doubtful_answer_says_so():
    reason = why({"text": "ok"}, "language")
    assert reason.answer == "undecided"
    assert "fewer than 10 letters" in reason.note


def test_a_copy_names_its_family():
    assert why({"text": "hello there", "near_hash": 12}, "duplicates").answer == "copy"
    assert why({"text": "hello there", "near_hash": None}, "duplicates").answer == "alone"


def test_a_reason_for_something_else_is_refused():
    with pytest.raises(KeyError, match="no annotation named 'colour'"):
        why({"text": "hello"}, "colour")


def test_alarms_are_heard_alike_in_small_and_large_batches(answers: Callable[..., list[object]]):
    texts = ["Your charger caught fire", "Der Anwalt meldet sich", "fuga de gas en la calle", "nothing to see", ""]
    large = answers("urgency", *(texts * 60))
    assert large == answers("urgency", *texts) * 60
