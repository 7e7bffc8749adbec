"""Posts drawn by lot are labelled one after another, and say how often the models are right."""

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from talkworthy.learning import sampling
from talkworthy.learning.actions import label_post
from talkworthy.learning.models import Label, Sample
from talkworthy.learning.quality import Asked, crossed, quality
from talkworthy.listening.actions import Refused, correct_annotation
from talkworthy.listening.models import Correction
from talkworthy.listening.stores import archive_of
from talkworthy.workspaces.models import AuditEntry, Member

NOW = datetime(2026, 3, 4, 12, 0, 1, tzinfo=UTC)
MODELS = "/acme/settings/models/"
ADDRESS = "/acme/settings/models/sentiment"


def turn(sample):
    """The post whose turn it is."""
    return sampling.next_of(Sample.objects.get(pk=sample.pk))[1]


@pytest.fixture
def sample(filled, alice):
    """Twelve posts drawn by lot."""
    return sampling.draw_sample(filled, "sentiment", by=alice, now=NOW, seed=7)


def measured(workspace, alice, answers):
    """Labels drawn by lot: what the model said and what people say, in pairs, each so many times."""
    for number, (answer, value) in enumerate(pair for pair, times in answers for _time in range(times)):
        Label.objects.create(
            workspace=workspace,
            uid=f"feed:a:{number}",
            post_id=number,
            task="sentiment",
            value=value,
            answer=answer,
            probability=0.8,
            model="fast 1.0",
            kind="confirmation" if value == answer else "correction",
            drawn=True,
            language="en" if number % 2 else "de",
            channel="feed",
            by=alice,
        )


def test_the_same_seed_draws_the_same_posts_and_each_once(filled, alice, sample):
    again = sampling.draw_sample(filled, "sentiment", by=alice, now=NOW, seed=7)
    assert again.posts == sample.posts and len(set(sample.posts)) == 12 == sample.population
    other = sampling.draw_sample(filled, "sentiment", by=alice, now=NOW, seed=8)
    assert sorted(other.posts) == sorted(sample.posts) and other.posts != sample.posts
    assert AuditEntry.objects.filter(verb="draw").count() == 3


def test_where_nothing_came_for_long_the_newest_days_are_those_before_the_newest_post(filled, alice, arrive):
    late = NOW + timedelta(days=900)
    assert sampling.draw_sample(filled, "sentiment", by=alice, now=late).population == 12
    arrive(filled, ["bought it last spring and love it"], 9, 60 * 24 * 91)
    assert sampling.draw_sample(filled, "sentiment", by=alice, now=late).population == 12


def test_each_step_labels_the_post_whose_turn_it_is_as_drawn_by_lot(filled, alice, sample):
    post = turn(sample)
    other = "negative" if post["sentiment"] != "negative" else "positive"
    label = sampling.take_step(filled, sample, post_id=post["id"], value=other, by=alice, now=NOW)
    assert label.drawn and (label.value, label.answer) == (other, post["sentiment"])
    assert archive_of(filled).get(post["id"])["sentiment"] == other
    assert turn(sample)["id"] == sample.posts[1]
    with pytest.raises(Refused, match="meanwhile"):
        sampling.take_step(filled, sample, post_id=post["id"], value=other, by=alice, now=NOW)
    with pytest.raises(Refused, match="teaches nothing"):
        sampling.take_step(filled, sample, post_id=sample.posts[1], value="undecided", by=alice, now=NOW)


def test_a_step_that_is_taken_back_leaves_no_label_and_the_post_as_it_was(filled, alice, sample):
    post = turn(sample)
    other = "negative" if post["sentiment"] != "negative" else "positive"
    sampling.take_step(filled, sample, post_id=post["id"], value=other, by=alice, now=NOW)
    sampling.take_step(filled, sample, post_id=turn(sample)["id"], value="", by=alice, now=NOW)
    assert sampling.undo_step(filled, sample, by=alice, now=NOW) and Label.objects.filter(ended_at=None).count() == 1
    assert sampling.undo_step(filled, sample, by=alice, now=NOW)
    assert not Label.objects.filter(ended_at=None).exists() and Correction.objects.get().undone_at is not None
    assert archive_of(filled).get(post["id"])["sentiment"] == post["sentiment"] and turn(sample)["id"] == post["id"]
    assert not sampling.undo_step(filled, sample, by=alice, now=NOW)


def test_a_label_that_was_there_before_holds_again_when_the_step_is_taken_back(filled, alice, sample):
    post = turn(sample)
    correct_annotation(filled, uid=post["uid"], task="sentiment", new="neutral", by=alice, now=NOW)
    sampling.take_step(filled, sample, post_id=post["id"], value="neutral", by=alice, now=NOW)
    assert Label.objects.get(ended_at=None).drawn
    sampling.undo_step(filled, sample, by=alice, now=NOW)
    label = Label.objects.get(ended_at=None)
    assert (label.kind, label.value, label.drawn) == ("correction", "neutral", False)


def test_the_page_leads_through_the_sample_and_asks_the_same_whatever_its_size(
    filled, alice, client_of, monkeypatch, django_assert_max_num_queries
):
    monkeypatch.setattr(timezone, "now", lambda: NOW)
    browser = client_of(alice)
    assert "No sample was drawn yet" in browser.get(f"{ADDRESS}/label/").content.decode()
    browser.post(f"{ADDRESS}/label/draw/")
    made = Sample.objects.get()
    with django_assert_max_num_queries(12):
        page = browser.get(f"{ADDRESS}/label/").content.decode()
    assert 'data-key="3"' in page and "0 of 12" in page and "30 more labels are needed" in page
    assert f"with the seed {made.seed}." in page
    for number, post in enumerate(made.posts):
        browser.post(f"{ADDRESS}/label/step/", {"post": post, "value": "" if number else "neutral"})
    page = browser.get(f"{ADDRESS}/label/").content.decode()
    assert "The sample is done" in page and "29 more labels are needed" in page and Label.objects.count() == 1
    browser.post(f"{ADDRESS}/label/undo/")
    assert "11 of 12" in browser.get(f"{ADDRESS}/label/").content.decode()


def test_languages_are_chosen_by_name(filled, alice, client_of):
    made = sampling.draw_sample(filled, "detected_language", by=alice, now=NOW)
    browser, address = client_of(alice), "/acme/settings/models/detected_language/label"
    assert '<option value="de">German' in browser.get(f"{address}/").content.decode()
    assert browser.post(f"{address}/step/", {"post": made.posts[0], "value": "nonsense"}).status_code == 404
    browser.post(f"{address}/step/", {"post": made.posts[0], "value": "fr"})
    assert Label.objects.get().value == "fr"


@pytest.mark.parametrize("address", ["label/draw/", "label/step/", "label/undo/"])
def test_whoever_may_only_read_labels_nothing(filled, sample, carol, client_of, address):
    browser = client_of(carol)
    assert browser.post(f"{ADDRESS}/{address}", {"post": sample.posts[0]}).status_code == 403
    assert browser.get(f"{ADDRESS}/label/").status_code == 403
    assert browser.get(f"{ADDRESS}/quality/").status_code == 200


def test_a_task_that_is_none_is_not_found(filled, alice, client_of):
    for page in ("label", "quality", "labels"):
        assert client_of(alice).get(f"/acme/settings/models/nothing/{page}/").status_code == 404


def test_precision_and_recall_are_those_of_the_drawn_labels_alone(filled, alice):
    pairs = [(("positive", "positive"), 30), (("positive", "neutral"), 10), (("undecided", "positive"), 20)]
    measured(filled, alice, pairs)
    post = archive_of(filled).get("feed:example.org:0")
    label_post(filled, post, task="sentiment", value="negative", drawn=False, by=alice, now=NOW)
    found = quality("sentiment", Asked(), viewer=Member.objects.get(user=alice))
    rows = {row.value: row for row in found.values}
    assert set(rows) == {"positive", "neutral"} and found.missing == 0
    assert (rows["positive"].precision.value, rows["positive"].precision.n) == (0.75, 40)
    assert (rows["positive"].recall.value, rows["positive"].recall.n) == (0.6, 50)
    assert found.whole.right.value == 0.5 and found.whole.calibration_error == pytest.approx(0.05)
    assert [(row.name, row.right.n) for row in found.languages] == [("de", 30), ("en", 30)]
    english = quality("sentiment", Asked(language="en"), viewer=Member.objects.get(user=alice))
    assert english.whole.right.n == 30 and english.whole.calibration_error is None


def test_each_number_leads_to_as_many_labels(filled, alice, client_of, django_assert_max_num_queries):
    measured(
        filled, alice, [(("positive", "positive"), 40), (("positive", "neutral"), 20), (("neutral", "neutral"), 5)]
    )
    browser = client_of(alice)
    with django_assert_max_num_queries(9):
        page = browser.get(f"{ADDRESS}/quality/").content.decode()
    assert "n = 65" in page and "67 %" in page and "too few (n = 5)" in page
    assert f"{ADDRESS}/labels/?answer=positive&amp;drawn=1" in page
    with django_assert_max_num_queries(10):
        rows = browser.get(f"{ADDRESS}/labels/?answer=positive&drawn=1").content.decode()
    assert "60 labels" in rows and rows.count("<tr data-item") == 50
    older = rows.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
    assert browser.get(older).content.decode().count("<tr data-item") == 10


def test_all_models_stand_beside_languages_and_channels_and_empty_cells_say_so(
    filled, alice, carol, client_of, django_assert_max_num_queries
):
    browser = client_of(alice)
    assert "How often each model is right" not in browser.get(MODELS).content.decode()
    measured(filled, alice, [(("positive", "positive"), 60), (("undecided", "positive"), 20)])
    told = {"value": "help", "answer": "help", "model": "fast 2.0", "language": "fr", "channel": "mail"}
    Label.objects.create(workspace=filled, uid="b:1", post_id=900, task="intent", drawn=True, **told)
    languages, channels = crossed(viewer=Member.objects.get(user=alice))
    assert languages.values == ["de", "en", "fr"] and channels.values == ["feed", "mail"]
    assert [row[:2] for row in languages.rows] == [("sentiment", "fast 1.0"), ("intent", "fast 2.0")]
    whole, german, _english, french = languages.rows[0][2]
    assert (whole.precision.value, whole.precision.n, whole.recall.value, whole.recall.n) == (1.0, 60, 0.75, 80)
    assert (german.recall.n, french.recall.n) == (40, 0)
    with django_assert_max_num_queries(14):
        page = browser.get(MODELS).content.decode()
    assert "recall 75 %" in page and "no label" in page and "too few (n = 1)" in page
    assert f"{ADDRESS}/labels/?model=fast+1.0&amp;language=de&amp;drawn=1" in page
    rows = list(csv.DictReader(io.StringIO(browser.get(f"{MODELS}quality.csv").content.decode("utf-8-sig"))))
    assert len(rows) == 2 * (1 + 3 + 2)
    cell = next(row for row in rows if (row["task"], row["value"]) == ("sentiment", "fr"))
    assert (cell["by"], cell["precision"], cell["recall"], cell["recall_n"]) == ("language", "", "", "0")
    assert client_of(carol).get(f"{MODELS}quality.csv").status_code == 403


def test_too_few_labels_are_said_to_be_too_few(filled, alice, client_of):
    browser = client_of(alice)
    assert "Nothing is measured yet" in browser.get(f"{ADDRESS}/quality/").content.decode()
    measured(filled, alice, [(("positive", "positive"), 12)])
    page = browser.get(f"{ADDRESS}/quality/").content.decode()
    assert "Too few: there are 12 labels, and 18 more are needed" in page and "100 %" not in page


def test_another_workspaces_sample_is_neither_seen_nor_labelled(filled, sample, dan, client_of):
    page = client_of(dan).get("/elsewhere/settings/models/sentiment/label/").content.decode()
    assert "No sample was drawn yet" in page
    answer = client_of(dan).post("/elsewhere/settings/models/sentiment/label/step/", {"post": sample.posts[0]})
    assert answer.status_code == 404


def test_few_labels_show_an_error_by_chance_and_many_hardly_any(filled, alice):
    viewer = Member.objects.get(workspace=filled, user=alice)
    measured(filled, alice, [(("positive", "positive"), 24), (("positive", "negative"), 6)])
    few = quality("sentiment", Asked(), viewer=viewer)
    assert few.whole.calibration_error == pytest.approx(0, abs=1e-6) and 0.03 < few.by_chance < 0.09
    Label.objects.all().delete()
    measured(filled, alice, [(("positive", "positive"), 29)])
    assert quality("sentiment", Asked(), viewer=viewer).by_chance is None
