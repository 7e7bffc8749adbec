"""Stored posts are looked at again by other models: first a preview, then the change, counted and undone."""

from datetime import UTC, datetime, timedelta

import pytest

from talkworthy.learning import actions, recomputing
from talkworthy.learning.choosing import Choice, answering_now, choice_cited
from talkworthy.learning.differing import ANSWERS, EXAMPLES, MADE, Tally, changes
from talkworthy.listening.actions import Refused, correct_annotation, create_monitor, undo_correction
from talkworthy.listening.collecting import Listener
from talkworthy.listening.jobs import claim_job, run_job
from talkworthy.listening.models import Batch, Job
from talkworthy.listening.stores import archive_of
from talkworthy.workspaces.models import AuditEntry

NOW = datetime(2026, 3, 4, 12, 0, 1, tzinfo=UTC)
OWN = Choice({"sentiment": 1})
SHIPPED = "feed:example.org:200"


@pytest.fixture
def older(filled, own_model, arrive):
    """Posts that the shipped model annotated, of which the trained one would answer some differently."""
    texts = ["honestly that was a sick drop", "sick drop again mate", "doors open at ten"]
    return arrive(filled, texts, 2, 200)


def asked(workspace, alice, choice=OWN, apply=False, **more):
    return actions.start_recomputation(workspace, choice=choice, apply=apply, by=alice, now=NOW, **more)


def test_a_preview_says_what_would_change_and_changes_nothing(filled, alice, older, run, post_of, agree):
    before = [post_of(filled, uid) for uid in older]
    job = run(asked(filled, alice))
    assert job.state == "done", job.error
    assert job.result["posts"] == 15 == job.total == job.done and 2 <= job.result["changed"] < 15
    moves = {(move["task"], move["before"], move["after"]): move for move in job.result["moves"]}
    moved = moves["sentiment", before[0]["sentiment"], "positive"]
    assert older[0] in {post["uid"] for post in moved["examples"]} and moved["posts"] >= 2
    assert [post_of(filled, uid) for uid in older] == before
    assert not Batch.objects.filter(name__startswith="recompute").exists()
    agree(filled)


def test_what_is_applied_stands_in_the_archive_with_its_version_and_in_the_counts(
    filled, alice, older, run, post_of, agree
):
    preview = run(asked(filled, alice))
    job = run(actions.apply_recomputation(preview, by=alice, now=NOW))
    assert job.result["changed"] == preview.result["changed"] > 0
    post = post_of(filled, older[0])
    assert (post["sentiment"], post["analysed_by"]) == ("positive", "fast 1.0 +sentiment.1")
    assert post["sentiment_probability"] != 0 and -1 <= post["sentiment_score"] <= 1
    agree(filled)
    again = run(asked(filled, alice, apply=True))
    assert (again.result["posts"], again.result["rewritten"]) == (15, 0)
    agree(filled)


def test_what_a_person_corrected_stays_and_undoing_it_gives_what_the_new_model_says(
    filled, alice, older, run, post_of, agree
):
    made = correct_annotation(filled, uid=older[0], task="sentiment", new="neutral", by=alice, now=NOW)
    job = run(asked(filled, alice, apply=True))
    assert post_of(filled, older[0])["sentiment"] == "neutral" and job.result["kept"] >= 1
    assert post_of(filled, older[0])["analysed_by"] == "fast 1.0 +sentiment.1"
    made.refresh_from_db()
    assert made.old == "positive" and made.model == "fast 1.0 +sentiment.1"
    undo_correction(made, by=alice, now=NOW)
    assert post_of(filled, older[0])["sentiment"] == "positive"
    agree(filled)


def test_undoing_recomputes_with_what_had_answered_before(filled, alice, older, run, post_of, agree):
    before = [post_of(filled, uid) for uid in older]
    job = run(asked(filled, alice, apply=True))
    undone = run(actions.undo_recomputation(job, by=alice, now=NOW))
    assert undone.request["models"] == {} and undone.request["undoes"] == job.pk
    assert [post_of(filled, uid) for uid in older] == before
    agree(filled)
    assert AuditEntry.objects.filter(workspace=filled, verb="recompute").count() == 2


class _Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("moment", ["_note", "_change"])
def test_after_a_process_was_killed_the_next_goes_on_and_everything_is_counted_once(
    filled, alice, older, run, post_of, agree, monkeypatch, moment
):
    monkeypatch.setattr(recomputing, "AT_ONCE", 4)
    whole, calls = getattr(recomputing, moment), []

    def killed(*args, **kwargs):
        calls.append(1)
        if len(calls) < 3:
            return whole(*args, **kwargs)
        if moment == "_change":
            archive_of(filled).change(changes(args[2], by="cut short"))
        raise _Killed

    monkeypatch.setattr(recomputing, moment, killed)
    Job.objects.all().delete()
    job = asked(filled, alice, apply=True)
    with pytest.raises(_Killed):
        run(job)
    monkeypatch.setattr(recomputing, moment, whole)
    job.refresh_from_db()
    assert job.state == "running" and 0 < job.request["tally"]["posts"] < 15
    assert Batch.objects.filter(name__startswith="recompute", applied_at=None).count() == 1
    taken = claim_job(now=job.claimed_until + timedelta(seconds=1))
    run_job(taken, Listener(filled))
    taken.refresh_from_db()
    assert (taken.state, taken.result["posts"], taken.attempts) == ("done", 15, 2)
    assert {post_of(filled, uid)["analysed_by"] for uid in older} == {"fast 1.0 +sentiment.1"}
    assert not Batch.objects.filter(applied_at=None).exists()
    agree(filled)


def test_one_that_is_killed_again_and_again_ends_as_long_as_each_process_gets_somewhere(
    filled, alice, older, run, post_of, agree, monkeypatch
):
    monkeypatch.setattr(recomputing, "AT_ONCE", 2)
    whole, calls = recomputing._note, []

    def killed(*args):
        calls.append(1)
        if len(calls) % 2 == 0:
            raise _Killed
        whole(*args)

    monkeypatch.setattr(recomputing, "_note", killed)
    Job.objects.all().delete()
    job, now, killings = asked(filled, alice, apply=True), NOW, 0
    while job.state not in ("done", "failed"):
        claimed, seen = claim_job(now=now), job.request.get("tally", {}).get("posts", 0)
        try:
            run_job(claimed, Listener(filled))
        except _Killed:
            killings += 1
        job.refresh_from_db()
        assert job.state != "running" or job.request["tally"]["posts"] == seen + 2
        now = (job.claimed_until or now) + timedelta(seconds=1)
    assert (job.state, job.result["posts"], killings) == ("done", 15, 7)
    assert {post_of(filled, uid)["analysed_by"] for uid in older} == {"fast 1.0 +sentiment.1"}
    agree(filled)


def test_one_that_gets_nowhere_is_given_up(filled, alice, older, monkeypatch):
    def killed(*args):
        raise _Killed

    monkeypatch.setattr(recomputing, "_note", killed)
    Job.objects.all().delete()
    job, now = asked(filled, alice, apply=True), NOW
    for _time in range(3):
        with pytest.raises(_Killed):
            run_job(claim_job(now=now), Listener(filled))
        job.refresh_from_db()
        now = job.claimed_until + timedelta(seconds=1)
    run_job(claim_job(now=now), Listener(filled))
    job.refresh_from_db()
    assert job.state == "failed" and "The worker ended 3 times while it did this" in job.error


def test_a_stopped_one_keeps_what_it_did_and_can_be_undone(filled, alice, older, run, agree, monkeypatch):
    from talkworthy.listening.actions import stop_job

    monkeypatch.setattr(recomputing, "AT_ONCE", 4)
    job = asked(filled, alice, apply=True)
    whole = recomputing._note

    def stopping(*args):
        whole(*args)
        stop_job(job, by=alice, now=NOW)

    monkeypatch.setattr(recomputing, "_note", stopping)
    run(job)
    assert job.state == "stopped" and job.request["tally"]["posts"] == 4
    agree(filled)
    monkeypatch.setattr(recomputing, "_note", whole)
    assert run(actions.undo_recomputation(job, by=alice, now=NOW)).state == "done"


def test_a_span_and_a_monitor_are_kept_to(filled, alice, own_model, run):
    from talkworthy.listening.models import Monitor

    since, acme = NOW - timedelta(hours=3), Monitor.objects.get(workspace=filled, name="Acme")
    assert run(asked(filled, alice, monitor=acme)).result["posts"] == 8
    assert run(asked(filled, alice, since=since, until=NOW)).result["posts"] == 3


def test_monitors_that_ask_for_annotations_match_history_again(filled, alice, older, run):
    create_monitor(
        filled, name="Glad", kind="brand", colour="blue", owner=None, query="sentiment:positive", by=alice, now=NOW
    )
    Job.objects.filter(kind="rematch").delete()
    assert run(asked(filled, alice, apply=True)).result["monitors"] == 1
    assert [job.monitor.name for job in Job.objects.filter(kind="rematch")] == ["Glad"]


def test_one_at_a_time(filled, alice):
    asked(filled, alice)
    with pytest.raises(Refused, match="already"):
        asked(filled, alice)


def test_nothing_is_applied_that_was_not_previewed_to_its_end(filled, alice):
    with pytest.raises(Refused):
        actions.apply_recomputation(asked(filled, alice), by=alice, now=NOW)


def test_a_citation_reads_back_as_the_choice_that_it_cites(filled, alice, own_model):
    assert choice_cited("fast 1.0 +sentiment.3 ~intent.60 ~language.5") == Choice(
        {"sentiment": 3}, {"intent": 0.6, "detected_language": 0.05}
    )
    assert choice_cited("fast 1.0") == Choice() == answering_now(filled)


def row(number, **more):
    return {**dict.fromkeys(MADE), "id": number, "uid": f"a:{number}", "sentiment": "neutral", **more}


def test_a_tally_reads_back_and_keeps_few_examples_whatever_the_number_of_posts():
    tally = Tally()
    for number in range(50):
        tally.add(row(number), row(number, sentiment="positive"), frozenset())
    again = Tally.from_json(tally.as_json())
    assert again == tally and again.moves["sentiment", "neutral", "positive"] == 50
    assert [post["id"] for post in again.examples["sentiment", "neutral", "positive"]] == list(range(EXAMPLES))


def test_a_corrected_answer_is_not_among_the_values_that_are_written():
    stored, made = row(1, intent="help"), row(1, sentiment="positive", intent="other", analysed_by="fast 2")
    assert Tally().add(stored, made, frozenset({"sentiment"})) == {"intent": "other", "analysed_by": "fast 2"}
    assert set(ANSWERS) < set(MADE)


ADDRESS = "/acme/settings/models/recompute/"


def test_the_page_leads_from_the_form_over_the_preview_to_the_change_and_back(
    filled, alice, older, client_of, run, django_assert_max_num_queries
):
    browser = client_of(alice)
    form = browser.get(ADDRESS).content.decode()
    assert "your model 1" in form and "Nothing was recomputed yet" in form
    asked_for = browser.post(ADDRESS, {"since": "2026-03-01", "monitor": "", "sentiment": "1"})
    preview = Job.objects.get(kind="recompute")
    assert asked_for.url == f"{ADDRESS}{preview.pk}/" and preview.request["models"] == {"sentiment": 1}
    assert "It begins as soon as" in browser.get(asked_for.url).content.decode()
    Job.objects.filter(pk=preview.pk).update(request={**preview.request, "until": NOW.isoformat()})
    run(Job.objects.get(pk=preview.pk))
    with django_assert_max_num_queries(12):
        page = browser.get(asked_for.url).content.decode()
    assert "honestly that was a sick drop" in page and "/acme/listen/post/" in page and "Apply it" in page
    applied = browser.post(f"{asked_for.url}apply/")
    run(Job.objects.get(pk=preview.pk + 1))
    page = browser.get(applied.url).content.decode()
    assert "Have another answer" in page and "That is fast 1.0." in page
    assert browser.post(f"{applied.url}undo/").status_code == 302
    assert Job.objects.filter(kind="recompute").count() == 3
    with django_assert_max_num_queries(12):
        assert browser.get(ADDRESS).content.decode().count("data-item") == 3


def test_an_open_one_answers_with_its_progress_and_can_be_stopped(filled, alice, client_of):
    job = asked(filled, alice)
    browser = client_of(alice)
    part = browser.get(f"{ADDRESS}{job.pk}/", headers={"HX-Request": "true"}).content.decode()
    assert "hx-trigger" in part and "<html" not in part
    browser.post(f"{ADDRESS}{job.pk}/stop/")
    job.refresh_from_db()
    assert job.state == "stopped"


@pytest.mark.parametrize("address", ["", "{}/", "{}/apply/", "{}/undo/", "{}/stop/"])
def test_whoever_may_not_train_and_whoever_is_a_stranger_recompute_nothing(
    filled, alice, carol, dan, client_of, address
):
    job = asked(filled, alice)
    ask = client_of(carol).get if address in ("", "{}/") else client_of(carol).post
    assert ask(ADDRESS + address.format(job.pk)).status_code == 403
    ask = client_of(dan).get if address in ("", "{}/") else client_of(dan).post
    assert ask(ADDRESS + address.format(job.pk)).status_code == 404


def test_erasing_a_post_takes_it_out_of_what_was_found(filled, alice, older, run):
    from talkworthy.learning.joining import data_forgotten

    job = run(asked(filled, alice))
    assert older[0] in str(job.result)
    data_forgotten(filled, uids=[older[0]], authors=[], now=NOW)
    job.refresh_from_db()
    assert older[0] not in str(job.result) and job.result["posts"] == 15
