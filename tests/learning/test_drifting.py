"""Recent days are compared with the weeks before; what chance does is no warning, what is new is one."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from talkworthy.learning import drifting, looking
from talkworthy.learning.drifting import Days, Labelled, compared
from talkworthy.learning.models import DriftLook
from talkworthy.listening.alerts import detail, headline, raise_alerts
from talkworthy.listening.models import AlertRule
from talkworthy.workspaces.models import Member

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
ANSWERS = ("negative", "neutral", "positive", "undecided")


def days(number, chance, shares=(0.3, 0.35, 0.2, 0.15), sure=0.7, a_day=200):
    posts = chance.multinomial(a_day, shares, size=number).astype(float)
    return Days(ANSWERS, posts, posts.sum(axis=1) * sure + chance.normal(0, 1, number))


def warned(recent, reference, **more):
    return {figure.name for figure in compared(recent, reference, seed=1, **more) if figure.warns}


def test_posts_as_they_were_warn_of_nothing():
    chance = np.random.default_rng(1)
    assert sum(bool(warned(days(14, chance), days(84, chance))) for _world in range(30)) <= 1


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"shares": (0.55, 0.2, 0.1, 0.15)}, {"shares"}),
        ({"shares": (0.25, 0.3, 0.15, 0.3)}, {"undecided"}),
        ({"sure": 0.6}, {"confidence"}),
    ],
)
def test_each_figure_warns_of_its_own_change(changed, names):
    chance = np.random.default_rng(2)
    assert warned(days(14, chance, **changed), days(84, chance)) == names


def test_of_few_posts_or_days_nothing_is_told():
    chance = np.random.default_rng(3)
    assert compared(days(14, chance, a_day=10), days(84, chance), seed=1) == []
    short = days(84, chance)
    short.posts[:60] = 0
    assert compared(days(14, chance), short, seed=1) == []


def test_labels_warn_only_where_fewer_are_right_and_enough_are_there():
    chance = np.random.default_rng(4)
    sides = days(14, chance), days(84, chance)
    assert warned(*sides, labels=(Labelled(20, 60), Labelled(80, 100))) == {"precision"}
    assert warned(*sides, labels=(Labelled(60, 60), Labelled(50, 100))) == set()
    assert all(one.name != "precision" for one in compared(*sides, seed=1, labels=(Labelled(0, 29), Labelled(90, 90))))


def test_the_divergence_is_nothing_of_the_same_and_one_of_the_disjoint():
    one, other = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert drifting.divergence(one, one) == 0 and drifting.divergence(one, other) == 1
    assert drifting.stability(np.array([5.0, 5.0]), np.array([50.0, 50.0])) == 0


def test_a_version_is_told_by_what_concerns_the_task():
    by = "fast 1.0 +sentiment.2 +intent.1 ~language.60"
    assert looking.version_of(by, "sentiment") == "fast 1.0 +sentiment.2"
    assert looking.version_of(by, "detected_language") == "fast 1.0 ~language.60"


@pytest.fixture
def looked(filled, alice, arrive, monkeypatch):
    """Three posts a day of the last weeks, and a look at them, for which so few are enough."""
    monkeypatch.setattr(drifting, "LEAST_POSTS", 10)
    texts = ["the sound was awful", "Acme is wonderful, I love it", "doors open at nine"]
    arrive(filled, [texts[0]] * 42 + texts * 84, 10, 3 * 24 * 60, step=480)
    looking.look(filled, now=NOW)
    return filled


def test_a_look_is_kept_shown_and_told_once_a_week(looked, alice, client_of, django_assert_max_num_queries):
    found = DriftLook.objects.get(workspace=looked, task="sentiment").figures
    assert found["version"] == "fast 1.0" and found["recent"] >= 30 and len(found["weeks"]) == 14
    assert {one["name"] for one in found["compared"] if one["warns"]} >= {"shares"}
    AlertRule.objects.create(
        workspace=looked, kind="drift", owner=Member.objects.get(workspace=looked, user=alice), threshold=0.0025
    )
    raised = [one for one in raise_alerts(looked, now=NOW) if one.period.startswith("sentiment shares")]
    assert "Sentiment" in headline(raised[0]) and "bits apart" in detail(raised[0])
    assert raise_alerts(looked, now=NOW + timedelta(hours=1)) == []
    browser = client_of(alice)
    with django_assert_max_num_queries(12):
        page = browser.get("/acme/settings/models/sentiment/drift/").content.decode()
    assert "drifts" in page and "<svg" in page and "/acme/listen/?" in page and "sentiment=negative" in page
    assert "warning" in browser.get("/acme/settings/models/").content.decode()
    file = "/acme/settings/models/sentiment/drift/spread"
    assert f'href="{file}.png?"' in page
    assert browser.get(f"{file}.png").content[:4] == b"\x89PNG" and b"<svg" in browser.get(f"{file}.svg").content
    lines = browser.get(f"{file}.csv").content.decode("utf-8-sig").splitlines()
    assert lines[0].startswith("Week from,") and len(lines) == 15
    for none in ("sentiment/drift/no.png", "sentiment/drift/spread.gif", "urgency/drift/spread.png"):
        assert browser.get(f"/acme/settings/models/{none}").status_code == 404
    alerts = browser.get("/acme/alerts/").content.decode()
    assert "/acme/settings/models/sentiment/drift/" in alerts and "bits apart" in alerts


def test_without_a_look_the_page_says_when_it_comes_and_a_stranger_finds_none(filled, carol, dan, client_of):
    assert "Nobody has looked yet" in client_of(carol).get("/acme/settings/models/intent/drift/").content.decode()
    assert client_of(carol).get("/acme/settings/models/intent/drift/spread.csv").status_code == 404
    assert client_of(dan).get("/acme/settings/models/intent/drift/").status_code == 404


def test_a_look_is_due_once_a_week(filled, monkeypatch):
    monkeypatch.setattr(looking, "_asked", {})
    assert looking.look_at_drift(now=NOW) == 1
    assert looking.look_at_drift(now=NOW) == 0
    looking._asked.clear()
    assert looking.look_at_drift(now=NOW + timedelta(days=7)) == 1
