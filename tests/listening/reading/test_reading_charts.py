import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from talkworthy.listening import charts
from talkworthy.listening.actions import COLOURS
from talkworthy.listening.periods import read_period
from talkworthy.listening.selectors.series import Point, change, long_runs

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
WORDS = charts.Words(posts="posts", gap="nothing was collected", so_far="so far")
TOKENS = Path(charts.__file__).parents[1] / "web/static/talkworthy/tokens.css"


def line(name: str = "Acme", *, gap: bool = False) -> tuple[charts.Line, object]:
    period = read_period("7d", now=NOW, zone=ZoneInfo("UTC"))
    points = [Point(bucket, None if gap and place == 2 else place) for place, bucket in enumerate(period.buckets())]
    return charts.Line(name, "blue", points, [f"/acme/listen/?n={place}&x=1" for place in range(len(points))]), period


def test_the_colours_of_pictures_are_those_of_the_look():
    named = dict(re.findall(r"--([a-z0-9-]+): light-dark\((#[0-9a-f]+)", TOKENS.read_text()))
    assert {name: named[name] for name in charts.LIGHT} == charts.LIGHT


def test_every_colour_that_a_monitor_may_have_can_be_drawn():
    assert set(COLOURS) == set(charts.COLOURS)


def test_every_mark_of_the_page_is_a_link_to_its_rows():
    one, period = line()
    drawn = charts.page_svg(charts.bars(one, period, words=WORDS, now=NOW), "a")
    assert '<a href="/acme/listen/?n=3&amp;x=1">' in drawn
    assert "page.invalid" not in drawn


def test_the_drawing_of_the_page_takes_its_colours_from_the_theme_and_holds_no_style():
    one, period = line()
    drawn = charts.page_svg(charts.bars(one, period, words=WORDS, now=NOW), "a")
    assert "var(--blue)" in drawn
    assert "token:" not in drawn
    assert "style=" not in drawn


def test_a_name_with_markup_is_drawn_as_text():
    one, period = line("<script>alert(1)</script>")
    drawn = charts.page_svg(charts.lines([one, one], period, words=WORDS, now=NOW), "a")
    assert "<script" not in drawn


def test_a_gap_is_a_band_and_no_zero():
    one, period = line(gap=True)
    spec = charts.bars(one, period, words=WORDS, now=NOW)
    assert [row["said"] for row in spec["layer"][1]["data"]["values"]] == ["nothing was collected"]
    assert spec["data"]["values"][2]["posts"] is None


def test_the_bucket_that_is_not_over_says_so():
    one, period = line()
    assert charts.bars(one, period, words=WORDS, now=NOW)["data"]["values"][-1]["said"].endswith("so far")


def test_a_picture_is_a_png_without_links():
    one, period = line()
    spec = charts.titled(charts.bars(one, period, words=WORDS, now=NOW), "A sentence", "n = 21 posts")
    assert charts.picture(spec, "png").startswith(b"\x89PNG")
    assert b"/acme/listen/" not in charts.picture(spec, "svg")


def test_one_quiet_hour_is_no_gap_and_six_are():
    assert long_runs([True, False, *[True] * 6], least=6) == [False, False, *[True] * 6]


def test_a_change_from_few_is_said_to_rest_on_few_and_one_from_nothing_has_no_ratio():
    assert change(20, 10).is_few
    assert not change(20, 10).is_clear
    assert change(2000, 1000).is_clear
    assert change(5, 0).ratio is None
