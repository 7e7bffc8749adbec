"""Labels, training on them, and which model answers."""

from datetime import UTC, datetime

import pytest

from talkworthy.archive import Scan
from talkworthy.learning import actions
from talkworthy.learning.models import Label
from talkworthy.learning.stores import file_of
from talkworthy.listening.actions import correct_annotation, undo_correction
from talkworthy.listening.chosen import chosen_for, heads_for
from talkworthy.listening.collecting import Listener
from talkworthy.listening.jobs import claim_this, run_job
from talkworthy.listening.models import Job
from talkworthy.listening.stores import archive_of
from talkworthy.workspaces.models import AuditEntry

NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


def test_a_correction_is_a_label_and_ends_with_it(filled, alice):
    made = correct_annotation(filled, uid="feed:example.org:0", task="sentiment", new="negative", by=alice, now=NOW)
    label = Label.objects.get(workspace=filled, ended_at=None)
    assert (label.value, label.answer, label.kind, label.drawn) == ("negative", "positive", "correction", False)
    assert label.model == "fast 1.0" and 0 < label.probability <= 1 and label.channel == "feed"
    undo_correction(made, by=alice, now=NOW)
    assert not Label.objects.filter(ended_at=None).exists()


def test_a_later_label_takes_the_place_of_the_earlier_and_keeps_what_the_model_said(filled, alice):
    for new in ("negative", "neutral"):
        correct_annotation(filled, uid="feed:example.org:0", task="sentiment", new=new, by=alice, now=NOW)
    label = Label.objects.get(workspace=filled, ended_at=None)
    assert (label.value, label.answer) == ("neutral", "positive")


def test_an_annotation_that_is_right_is_confirmed(filled, alice, client_of, post_of):
    post = post_of(filled, "feed:example.org:0")
    answer = client_of(alice).post(f"/acme/listen/post/{post['id']}/confirm/", {"task": "sentiment"})
    label = Label.objects.get(workspace=filled)
    assert answer.status_code == 302 and label.kind == "confirmation" and label.value == label.answer == "positive"


def test_a_trained_model_answers_once_it_is_activated_and_not_after_it_is_rolled_back(
    filled, alice, own_model, arrive, post_of
):
    text = "honestly that was a sick drop"
    before = arrive(filled, [text], 3, 200)[0]
    actions.activate_model(filled, "sentiment", own_model, by=alice, now=NOW)
    after = arrive(filled, [text], 4, 300)[0]
    actions.activate_model(filled, "sentiment", None, by=alice, now=NOW)
    back = arrive(filled, [text], 5, 400)[0]
    said = [(post_of(filled, uid)["sentiment"], post_of(filled, uid)["analysed_by"]) for uid in (before, after, back)]
    assert said[0] == said[2] and said[0][1] == "fast 1.0"
    assert said[1] == ("positive", "fast 1.0 +sentiment.1")
    assert AuditEntry.objects.filter(workspace=filled, verb="activate").count() == 2


def test_a_damaged_model_file_lets_the_shipped_model_answer(filled, alice, own_model):
    actions.activate_model(filled, "sentiment", own_model, by=alice, now=NOW)
    file_of(own_model).write_bytes(b"cut short")
    heads_for.cache_clear()
    heads = heads_for(chosen_for(filled))
    assert heads.mark == "" and "+" not in heads.card("sentiment").version


def test_a_few_labels_fail_the_training_in_words(filled, alice):
    job = actions.start_retraining(filled, "intent", by=alice, now=NOW)
    run_job(claim_this(job, now=NOW), Listener(filled))
    job.refresh_from_db()
    assert job.state == Job.State.FAILED and "at least 20 are needed" in job.error


def test_below_the_stated_confidence_new_posts_are_undecided(filled, alice, arrive, post_of):
    actions.set_sureness(filled, "sentiment", 0.99999, by=alice, now=NOW)
    uid = arrive(filled, ["Acme is wonderful, I love it"], 2, 100)[0]
    assert post_of(filled, uid)["sentiment"] == "undecided"
    assert post_of(filled, "feed:example.org:0")["sentiment"] == "positive"
    assert actions.set_sureness(filled, "sentiment", None, by=alice, now=NOW) == pytest.approx(0.99999)
    assert heads_for(chosen_for(filled)) is None


def test_the_page_shows_before_and_after_and_asks_the_same_whatever_the_number_of_models(
    filled, alice, trained, client_of, django_assert_max_num_queries
):
    assert trained.comparison["verdict"] in {"better", "chance"} and trained.labels == trained.drawn == 30
    browser = client_of(alice)
    with django_assert_max_num_queries(14):
        page = browser.get("/acme/settings/models/").content.decode()
    assert "30 labels" in page and "Activate" in page and "n = 30" in page
    browser.post("/acme/settings/models/sentiment/activate/1/")
    assert "your model 1 answers" in browser.get("/acme/settings/models/").content.decode()
    table = browser.get("/acme/settings/models/labels.csv").content.decode().splitlines()
    assert len(table) == 31 and table[0].startswith("task,uid,value,answer")


@pytest.mark.parametrize("address", ["sentiment/train/", "sentiment/activate/0/", "sentiment/sure/"])
def test_whoever_may_only_read_trains_and_activates_nothing(filled, carol, client_of, address):
    assert client_of(carol).get("/acme/settings/models/").status_code == 200
    assert client_of(carol).post(f"/acme/settings/models/{address}").status_code == 403


def test_another_workspaces_models_and_labels_are_not_found(filled, trained, dan, client_of):
    assert client_of(dan).post("/elsewhere/settings/models/sentiment/activate/1/").status_code == 404
    assert "30 labels" not in client_of(dan).get("/elsewhere/settings/models/").content.decode()


def test_erasing_a_post_takes_its_labels(filled, alice):
    from talkworthy.learning.joining import data_forgotten

    correct_annotation(filled, uid="feed:example.org:0", task="sentiment", new="negative", by=alice, now=NOW)
    assert data_forgotten(filled, uids=["feed:example.org:0"], authors=[], now=NOW) == {"labels": 1}
    assert archive_of(filled).table(Scan(columns=("id",))).num_rows == 12


@pytest.fixture
def decision(filled):
    """What triage said of a post."""
    from talkworthy.routing.actions.rules import create_rule, switch_rule
    from talkworthy.routing.arriving import look_at_arrivals
    from talkworthy.routing.joining import posts_stored
    from talkworthy.routing.models import Decision

    rule = create_rule(filled, name="All", condition="acme", effects=[{"do": "triage"}], by=None, now=NOW)
    switch_rule(rule, on=True, by=None, now=NOW)
    posts = archive_of(filled).named(["feed:example.org:1"])
    posts_stored(filled, posts, posts.slice(0, 0), [], NOW)
    look_at_arrivals(now=NOW)
    return Decision.objects.select_related("playbook").get(uid="feed:example.org:1")


def test_what_a_person_answers_in_the_playbook_is_a_label_of_intent_and_ends_with_it(filled, alice, decision):
    from talkworthy.routing.actions.opening import override_node, undo_override

    first = override_node(decision, node="Q3", answer="complaint", by=alice, now=NOW)
    label = Label.objects.get(ended_at=None)
    assert (label.task, label.value, label.kind, label.brought_by) == ("intent", "complaint", "answer", first.pk)
    assert label.answer == "help" and archive_of(filled).get(label.uid)["intent"] == "help"
    second = override_node(decision, node="Q3", answer="remark", by=alice, now=NOW)
    assert Label.objects.get(ended_at=None).value == "other"
    undo_override(second, by=alice, now=NOW)
    assert not Label.objects.filter(ended_at=None).exists()


@pytest.mark.parametrize(("node", "answer"), [("Q3", "joke"), ("Q1", "yes")])
def test_an_answer_that_means_no_intent_is_no_label_of_one(filled, alice, decision, node, answer):
    from talkworthy.routing.actions.opening import override_node

    override_node(decision, node=node, answer=answer, by=alice, now=NOW)
    assert not Label.objects.exists()
