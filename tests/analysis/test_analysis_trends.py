"""Burst scores, their stretch of time, and rising memes."""

import math
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from talkworthy.analysis.memes import Term, clean_link, common_words, count_terms, rising
from talkworthy.analysis.trends import Window, burst, burst_score, expected
from talkworthy.schema import posts_table

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY = Window(START, START + timedelta(days=1))
PAGE = Path(__file__).parents[2] / "docs/formulas/bursts.md"


def table(rows: list[tuple[str, str, datetime]]) -> pa.Table:
    """Posts from (author, text, time); an empty author is unknown."""
    made = []
    for number, (author, text, moment) in enumerate(rows):
        who = {"id": author, "handle": author} if author else None
        made.append(
            {"uid": f"mastodon:x.example:{moment:%j}-{number}", "text": text, "published_at": moment, "author": who}
        )
    return posts_table(made)


def chatter(day: datetime, count: int = 300) -> list[tuple[str, str, datetime]]:
    """Talk that is the same every day: decoys."""
    subjects = (
        "coffee in the morning",
        "the train was late again",
        "a walk by the river",
        "what a match",
        "#monday mood",
    )
    return [(f"voice{n}", f"{subjects[n % 5]} number {n}", day + timedelta(minutes=4 * n)) for n in range(count)]


def flood() -> list[tuple[str, str, datetime]]:
    """Twelve voices speak of one thing from 15:00 on."""
    forms = (
        "Water main burst on Mill Street",
        "burst on Mill Street!! #millstreet",
        "RT water main burst on mill street https://x.example/a?utm_source=b",
    )
    return [(f"near{n}", forms[n % 3], START + timedelta(hours=15, minutes=n)) for n in range(12)]


def test_the_worked_example_of_the_page_is_right():
    page = PAGE.read_text(encoding="utf-8")
    usual, score = (float(found) for found in re.findall(r"= (\d+\.\d+)$", page, re.M))
    assert expected(10, 9000, 1000) == pytest.approx(usual, abs=5e-5)
    assert burst_score(30, 10, total_now=1000, total_before=9000) == pytest.approx(score, abs=5e-3)


def test_fewer_than_expected_is_below_zero():
    assert burst_score(1, 90, total_now=1000, total_before=9000) < 0


def test_up_to_twice_the_usual_the_score_is_the_root_of_the_deviance():
    twice = {"total_now": 1000, "total_before": 999}
    assert burst_score(30, 19.5, **twice) == pytest.approx(math.sqrt(2 * (30 * math.log(1.5) - 10)))
    assert burst_score(30, 19.5, **twice) == burst_score(30, 19.5, **twice, at_most=math.inf)


def test_a_word_never_said_before_is_no_surer_a_rise_than_one_of_many_voices():
    heard = {"total_now": 1000, "total_before": 9000}
    assert burst_score(3, 0, **heard) < burst_score(12, 20, **heard)
    assert burst_score(3, 0, **heard, at_most=math.inf) > burst_score(4, 9, **heard, at_most=math.inf)


def test_the_newest_form_names_a_meme_and_a_commoner_word_of_it_does_not():
    earlier = [(f"was{n}", "street parade", START - timedelta(hours=n + 1)) for n in range(6)]
    found = rising(table(chatter(START) + flood()), table(chatter(START - timedelta(days=1)) + earlier), window=DAY)
    assert len(found) == 1
    assert "mill street" in found[0].term.text


def test_a_burst_begins_where_its_posts_do():
    times = np.array([np.datetime64("2026-03-02T15:00") + np.timedelta64(n, "m") for n in range(60)])
    found = burst(times, DAY, 2.0)
    assert found is not None
    assert found.began == START + timedelta(hours=15)
    assert found.ended == START + timedelta(hours=16)


def test_a_count_at_its_usual_rate_is_no_burst():
    assert burst(np.array([np.datetime64("2026-03-02T15:00")]), DAY, 500.0) is None


def test_a_window_that_ends_before_it_starts_is_refused():
    with pytest.raises(ValueError, match="must end after it starts"):
        Window(START, START)


def test_what_many_voices_suddenly_say_rises_and_the_usual_does_not():
    found = rising(table(chatter(START) + flood()), table(chatter(START - timedelta(days=1))), window=DAY)
    assert len(found) == 1
    assert "mill street" in found[0].term.text
    assert found[0].posts == found[0].voices == 12
    assert found[0].before == 0


def test_variants_stand_under_the_meme_they_belong_to():
    meme = rising(table(chatter(START) + flood()), table(chatter(START - timedelta(days=1))), window=DAY)[0]
    forms = {variant.term for variant in meme.variants}
    assert Term("hashtag", "millstreet") in forms
    assert Term("link", "x.example/a") in forms


def test_first_carriers_are_named_in_the_order_of_time():
    meme = rising(table(chatter(START) + flood()[::-1]), table(chatter(START - timedelta(days=1))), window=DAY)[0]
    assert [carrier.author for carrier in meme.carriers] == ["near0", "near1", "near2", "near3", "near4"]
    assert meme.burst is not None
    assert meme.burst.began == START + timedelta(hours=15)


def test_one_voice_that_repeats_itself_does_not_rise():
    loud = [("loud", f"buy golden widgets now {n}", START + timedelta(minutes=n)) for n in range(50)]
    assert rising(table(chatter(START) + loud), table(chatter(START - timedelta(days=1))), window=DAY) == []


def test_posts_outside_the_window_are_left_out():
    assert (
        rising(
            table(flood()), table(chatter(START - timedelta(days=1))), window=Window(START - timedelta(days=1), START)
        )
        == []
    )


def test_a_baseline_of_counts_serves_as_the_posts_do():
    baseline = table([*chatter(START - timedelta(days=1)), ("old", "Mill Street fair", START - timedelta(hours=3))])
    terms = [Term("phrase", "mill street"), Term("phrase", "coffee in the morning")]
    counts = count_terms(baseline, terms)
    assert counts.terms == {terms[0]: 1, terms[1]: 60}
    by_posts = rising(table(chatter(START) + flood()), baseline, window=DAY)
    by_counts = rising(table(chatter(START) + flood()), count_terms(baseline), window=DAY)
    assert [meme.uids for meme in by_posts] == [meme.uids for meme in by_counts]


def test_a_link_is_the_same_with_and_without_what_tracks_it():
    assert clean_link("https://www.Example.org/a/?utm_source=x&id=3#part") == clean_link("http://example.org/a?id=3")


def test_a_word_that_everybody_uses_elsewhere_rises_from_no_short_baseline():
    said = [(f"near{n}", "water coffee", START + timedelta(minutes=n)) for n in range(6)]
    said += [(f"far{n}", f"word{n}", START + timedelta(minutes=n)) for n in range(40)]
    short = table([(f"far{n}", f"word{n}", START - timedelta(days=1)) for n in range(100)])
    elsewhere = common_words(table(chatter(START - timedelta(days=1))))
    assert "coffee" in elsewhere and common_words(short) == frozenset()
    assert _forms(rising(table(said), short, window=DAY)) == {"water coffee", "water", "coffee"}
    assert _forms(rising(table(said), short, window=DAY, common=elsewhere)) == {"water"}


def _forms(memes):
    return {term.text for meme in memes for term in (meme.term, *(variant.term for variant in meme.variants))}
