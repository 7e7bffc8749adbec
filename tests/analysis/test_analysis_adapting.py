"""Heads that learned from a workspace's labels: what they say, what they leave alone, and how they are compared."""

import random

import numpy as np
import pytest

from talkworthy.analysis.heads import Heads, cited, own_card, shipped
from talkworthy.analysis.pipeline import pipeline_of
from talkworthy.analysis.reasons import why
from talkworthy.analysis.registry import arrays_in, model
from talkworthy.analysis.scoring import rarity, unfolded
from talkworthy.analysis.training.adapting import Labelled, TooFewLabels, adapt
from talkworthy.analysis.training.comparing import Answers, compare, wilson
from talkworthy.analysis.training.packing import packed

SICK = (
    "this tune is sick", "that drop was sick mate", "sick beat again tonight", "proper sick set", "so sick live",
)  # fmt: skip
PLAIN = ("doors open at nine", "tickets are at the counter", "the stage is on the left", "bus 12 goes there")
POOR = ("the sound was broken and awful", "we waited for hours, never again")


def quiet(_done: int, _of: int) -> None:
    """Nobody asks how far it is."""


def slang(count: int, *, drawn: bool = True) -> list[Labelled]:
    """Texts of a place where "sick" is praise, in many wordings."""
    chance = random.Random(3)
    found = []
    for number in range(count):
        texts, answer = ((SICK, "positive"), (PLAIN, "neutral"), (SICK, "positive"), (POOR, "negative"))[number % 4]
        found.append(Labelled(f"{chance.choice(texts)} {chance.randrange(10_000)}", answer, drawn))
    return found


@pytest.fixture(scope="module")
def learned():
    """What was learned from sixty labels in slang."""
    return adapt("sentiment", slang(60), told=quiet)


@pytest.fixture(scope="module")
def own(learned):
    """The pipeline's heads with the learned one among them, as they are read from its file."""
    arrays = arrays_in(packed(learned.arrays))
    held = {name.removeprefix("sentiment."): array for name, array in arrays.items()}
    card = own_card("sentiment", learned.thresholds["sentiment"], 3)
    return Heads([unfolded(card, held, rarity())], mark="+sentiment.3")


def test_sixty_labels_teach_a_word_that_the_shipped_head_takes_wrong(posts, own):
    batch = posts("that night was sick")
    assert pipeline_of(None).run(batch)["sentiment"].to_pylist() == ["negative"]
    assert pipeline_of(own).run(batch)["sentiment"].to_pylist() == ["positive"]


def test_what_no_label_speaks_of_keeps_its_answer(posts, own):
    texts = ("Worst service ever, broken on arrival", "Ich bin total begeistert, danke!", "Me encanta, es genial")
    before, after = (pipeline_of(heads).run(posts(*texts)) for heads in (None, own))
    assert before["sentiment"].equals(after["sentiment"]) and before["intent"].equals(after["intent"])


def test_an_annotation_cites_the_head_that_made_it(posts, own):
    row = pipeline_of(own).run(posts("that night was sick")).to_pylist()[0]
    assert row["analysed_by"] == "fast 1.0 +sentiment.3"
    assert cited(row["analysed_by"], "sentiment") == 3
    assert cited(row["analysed_by"], "intent") is None and cited("fast 1.0", "sentiment") is None
    assert why(row, "sentiment", own).version == f"{model('sentiment').version}+3"
    assert "sick" in [held.what for held in why(row, "sentiment", own).evidence if held.weight > 0]


def test_the_comparison_is_of_labels_that_were_not_fitted(learned):
    found = learned.comparison
    assert found.verdict == "better" and found.after.right.n == 60 and not found.kept_apart
    assert found.after.right.low > found.before.right.value
    assert found.difference.mended > found.difference.broken


def test_corrections_alone_prove_nothing():
    found = adapt("sentiment", slang(60, drawn=False), told=quiet).comparison
    assert found.verdict == "few" and found.before is None and found.corrections_after.n == 60


def test_labels_that_agree_with_the_shipped_head_do_no_harm_beyond_chance():
    texts = [f"{text} {number}" for number, text in enumerate((*SICK, *PLAIN) * 4)]
    chances = shipped().scorer.score(texts)["sentiment"]
    labels = [
        Labelled(text, model("sentiment").labels[place], True)
        for text, place in zip(texts, chances.argmax(axis=1), strict=True)
    ]
    found = adapt("sentiment", labels, told=quiet).comparison
    assert found.verdict == "chance" and found.difference.broken <= 3


def test_a_few_labels_teach_nothing():
    with pytest.raises(TooFewLabels, match="8 labels"):
        adapt("sentiment", [*slang(8), Labelled("who knows", "undecided", True)], told=quiet)


def test_all_heads_of_intent_learn_together():
    wanted = [Labelled(f"ticket please, gate {number}", "purchase", True) for number in range(20)]
    others = [Labelled(f"gate {number} closes at nine", "other", True) for number in range(20)]
    found = adapt("intent", [*wanted, *others], told=quiet)
    assert set(found.thresholds) == {"help", "purchase", "complaint", "suggestion", "praise"}
    assert found.comparison.after.right.value > found.comparison.before.right.value


def test_below_the_stated_confidence_the_answer_is_undecided(posts):
    texts = ("Thank you so much, your support team is amazing!!", "The meeting starts at nine on Tuesday.")
    strict = Heads(sure={"sentiment": 0.9999, "intent": 0.9999, "detected_language": 1.01}, mark="~sentiment.99")
    row = pipeline_of(strict).run(posts(*texts)).to_pylist()[0]
    assert [row[name] for name in ("sentiment", "intent", "detected_language")] == ["undecided"] * 3
    assert row["analysed_by"].endswith("~sentiment.99")
    assert why(row, "sentiment", strict).answer == "undecided" == why(row, "intent", strict).answer


def test_a_difference_that_chance_may_make_is_called_chance():
    truth = ["yes"] * 40
    before = Answers(["yes"] * 30 + ["no"] * 10, np.full(40, 0.8))
    after = Answers(["yes"] * 33 + ["no"] * 7, np.full(40, 0.8))
    drawn = np.ones(40, np.bool_)
    found = compare(truth, before, after, drawn=drawn, measured=drawn, kept_apart=True)
    assert found.verdict == "chance" and found.difference.probability == pytest.approx(0.25)
    assert found.before.calibration_error == pytest.approx(0.05)


def test_the_interval_of_a_share_is_wilsons():
    assert (wilson(8, 10).low, wilson(8, 10).high) == (pytest.approx(0.490, abs=1e-3), pytest.approx(0.943, abs=1e-3))
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0, 1)
