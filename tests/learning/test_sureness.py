"""Each least probability says what it would do, before it is saved."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from talkworthy.learning.actions import label_post, set_sureness
from talkworthy.learning.models import Label, Sureness
from talkworthy.learning.sureness import STEPS, steps
from talkworthy.listening.stores import archive_of
from talkworthy.workspaces.models import Member

NOW = datetime(2026, 3, 4, 12, 0, 1, tzinfo=UTC)
ADDRESS = "/acme/settings/models/sentiment/undecided/"


def found(workspace, alice, **more):
    viewer = Member.objects.get(workspace=workspace, user=alice)
    return steps("sentiment", **{"asked": None, "held": 0.4, **more}, viewer=viewer, now=NOW)


def label(workspace, uid, alice, value, drawn=True):
    label_post(workspace, archive_of(workspace).get(uid), task="sentiment", value=value, drawn=drawn, by=alice, now=NOW)


def test_steps_count_posts_below_and_judge_the_labels_above(filled, alice):
    label(filled, "feed:example.org:0", alice, "positive")
    label(filled, "feed:example.org:1", alice, "positive")
    label(filled, "feed:example.org:2", alice, "positive", drawn=False)
    Label.objects.filter(uid="feed:example.org:0").update(answer="positive", probability=0.9)
    Label.objects.filter(uid="feed:example.org:1").update(answer="negative", probability=0.5)
    told = found(filled, alice, asked=0.777)
    assert [step.least for step in told] == sorted({*STEPS, 0.777}) and all(step.posts == 12 for step in told)
    assert [step.undecided for step in told] == sorted(step.undecided for step in told)
    for step in told:
        assert step.right.n == (step.least <= 0.9) + (step.least <= 0.5)
        assert step.lost == (step.least > 0.9)
    assert [step.least for step in told if step.now] == [0.4]


def test_the_page_previews_and_saves_with_one_click(filled, alice, client_of, arrive, django_assert_max_num_queries):
    arrive(filled, ["Acme is wonderful, I love it"], 2, 10 - (timezone.now() - NOW) // timedelta(minutes=1))
    browser = client_of(alice)
    with django_assert_max_num_queries(9):
        page = browser.get(f"{ADDRESS}?least=77,7").content.decode()
    assert "77.7" in page and "holds now" in page and not Sureness.objects.exists()
    browser.post("/acme/settings/models/sentiment/sure/", {"least": "77.7"})
    assert Sureness.objects.get().least == pytest.approx(0.777)
    assert "A probability is a number" in browser.get(f"{ADDRESS}?least=many").content.decode()


def test_whoever_may_only_read_sees_it_and_saves_nothing(filled, alice, carol, dan, client_of, arrive):
    arrive(filled, ["Acme is wonderful, I love it"], 2, 10 - (timezone.now() - NOW) // timedelta(minutes=1))
    set_sureness(filled, "sentiment", 0.5, by=alice, now=NOW)
    assert '<button class="button small"' not in client_of(carol).get(ADDRESS).content.decode()
    assert client_of(dan).get(ADDRESS).status_code == 404
