"""Times, numbers and signs as pages say them."""

from datetime import UTC, datetime, timedelta

import pytest

from talkworthy.web.templatetags import words
from talkworthy.workspaces.models import AuditEntry

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("passed", "said"),
    [
        (timedelta(seconds=20), "just now"),
        (timedelta(seconds=50), "50 s ago"),
        (timedelta(minutes=3), "3 min ago"),
        (timedelta(hours=30), "30 h ago"),
        (timedelta(days=2), "2 days ago"),
        (timedelta(days=30), "2 Feb"),
        (timedelta(days=400), "28 Jan 2025"),
        (timedelta(minutes=-5), "in 5 min"),
    ],
)
def test_a_time_is_told_in_the_largest_unit_that_fits(passed, said):
    assert words.ago(NOON - passed, NOON) == said


def test_a_moment_tells_the_exact_time_on_hover():
    said = str(words.moment(NOON))
    assert 'datetime="2026-03-04T12:00:00+00:00"' in said and "Wed 4 Mar 2026, 12:00:00 UTC" in said


def test_a_time_that_never_was_says_so():
    assert words.moment(None) == "never" and words.moment(None, "none yet") == "none yet"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "–"),
        (950, "950"),
        (1_240, "1.2k"),
        (12_400, "12k"),
        (3_400_000, "3.4M"),
        (-1_500, "-1.5k"),
        (1_000, "1k"),
        (3 * 10**12, "3,000B"),
    ],
)
def test_a_number_is_short_enough_for_a_chip(value, said):
    assert words.compact(value) == said


def test_thousands_stand_apart():
    assert words.number(1234567) == "1,234,567" and words.number(None) == "–"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.0123, "0.012"),
        (0.0000412, "41 in a million"),
        (0.00000041, "0.41 in a million"),
        (1e-12, "less than one in a thousand million"),
    ],
)
def test_a_small_probability_is_told_in_people_s_words(value, said):
    assert words.probable(value) == said


def test_initials_stand_for_any_name():
    assert [words.initials(name) for name in ("Alice Archer", "@bob", "…", "كريمة حسن")] == ["AA", "B", "?", "كح"]


def test_a_name_keeps_its_colour():
    assert words.tint("acme") == words.tint("acme") < words.TINTS


def test_what_neither_was_nor_is_anything_is_left_out_of_the_trail():
    entry = AuditEntry(before={"name": "a"}, after={"name": "b", "since": None, "uids": [], "settings": {"url": "x"}})
    assert words.changes(entry) == [("name", "a", "b"), ("settings: url", None, "x")]


def test_an_icon_with_a_label_speaks_and_one_without_is_silent():
    assert 'aria-label="&lt;b&gt;"' in words.icon("bell", "<b>") and 'aria-hidden="true"' in words.icon("bell")
