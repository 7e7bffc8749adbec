"""One change of every case that a filter finds, whole, resumed, and undone whole."""

import pytest
from django.utils import timezone

from talkworthy.listening.jobs import claim_this, run_job
from talkworthy.listening.models import Job
from talkworthy.notifying.models import Notification
from talkworthy.responding import many
from talkworthy.responding.actions import Refused
from talkworthy.responding.many import change_found, undo_found
from talkworthy.responding.selectors.inbox import Asked
from talkworthy.routing import actions
from talkworthy.routing.models import Case, CaseTag
from talkworthy.workspaces.models import Workspace

pytestmark = pytest.mark.django_db
MANY = 23


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(many, "PIECE", 5)


@pytest.fixture
def lamps(case):
    """Many cases of lamps beside the one of the router, a settled one, and one of another workspace."""
    now = timezone.now()
    told = [
        Case(workspace=case.workspace, number=100 + number, title=f"Lamp {number}", opened_at=now)
        for number in range(MANY)
    ]
    Case.objects.bulk_create(told)
    Case.objects.create(workspace=case.workspace, number=200, title="Lamp", state="closed", opened_at=now)
    Case.objects.create(workspace=Workspace.objects.get(slug="decoy"), number=100, title="Lamp", opened_at=now)
    return Case.objects.filter(workspace=case.workspace, title__startswith="Lamp ").order_by("number")


def ended(job):
    """The job, done by the worker's own function."""
    run_job(claim_this(job, now=timezone.now()), None)
    job.refresh_from_db()
    return job


def changed(people, verb, who="frank", words="title:lamp", **told):
    asked = Asked(words=words)
    return ended(change_found(asked, verb=verb, told=told, by=people[who], now=timezone.now()))


def test_every_case_that_is_found_is_changed_and_no_other(people, lamps):
    job = changed(people, "tag", to="lamp")
    assert (job.state, job.error, job.done, job.total) == ("done", "", MANY, MANY)
    assert job.result == {"cases": MANY, "left": 0, "reasons": []}
    assert CaseTag.objects.filter(tag="lamp").count() == MANY


def test_who_is_given_all_of_them_is_told_once(people, lamps):
    job = changed(people, "assign", to=f"member-{people['gina'].pk}")
    assert set(lamps.values_list("owner", flat=True)) == {people["gina"].pk}
    [told] = Notification.objects.filter(member=people["gina"], kind="assigned")
    assert told.text == f"{MANY} cases are yours now." and job.result["cases"] == MANY


def test_all_of_it_is_undone_but_what_somebody_changed_again(people, lamps):
    job = changed(people, "priority", to="low")
    kept = lamps.first()
    actions.set_priority(kept, priority="risk", by=people["gina"].user, now=timezone.now())
    undo = ended(undo_found(job, by=people["frank"], now=timezone.now()))
    assert undo.result == {"undone": MANY - 1, "left": 1}
    assert list(lamps.values_list("priority", flat=True)) == ["risk", *["service"] * (MANY - 1)]
    assert undo_found(job, by=people["frank"], now=timezone.now()) == undo
    with pytest.raises(Refused):
        undo_found(job, by=people["gina"], now=timezone.now())


def test_tags_and_states_are_undone_too(people, lamps):
    for verb, told in (("tag", {"to": "lamp"}), ("resolve", {}), ("snooze", {"for": "3600"})):
        job = changed(people, verb, **told)
        assert job.result["cases"] == MANY
        assert ended(undo_found(job, by=people["frank"], now=timezone.now())).result["left"] == 0
    assert set(lamps.values_list("state", flat=True)) == {"new"}
    assert not CaseTag.objects.filter(tag="lamp").exists()


def test_a_worker_that_dies_in_the_middle_changes_no_case_twice(people, lamps, monkeypatch):
    job = change_found(
        Asked(words="title:lamp"), verb="tag", told={"to": "lamp"}, by=people["frank"], now=timezone.now()
    )
    verb, done = many.VERBS["tag"], []

    def dies(case, *args):
        if len(done) == 12:
            raise KeyboardInterrupt
        done.append(case)
        verb(case, *args)

    with monkeypatch.context() as broken:
        broken.setattr(many, "VERBS", {**many.VERBS, "tag": dies})
        with pytest.raises(KeyboardInterrupt):
            ended(job)
    assert CaseTag.objects.filter(tag="lamp").count() == 10  # the piece that it died in was taken back
    Job.objects.filter(pk=job.pk).update(state="waiting")
    assert ended(Job.objects.get(pk=job.pk)).result["cases"] == MANY
    assert Case.objects.filter(tags__tag="lamp", changes__what="tags").count() == MANY


def test_what_cannot_be_done_is_counted_with_its_reason(people, lamps):
    Case.objects.filter(pk=lamps.first().pk).update(state="resolved")
    job = changed(people, "wait", words="title:lamp (state:new OR state:resolved)")
    assert (job.result["cases"], job.result["left"]) == (MANY - 1, 1)
    assert job.result["reasons"][0][1] == 1 and "Resolved" in job.result["reasons"][0][0]


def test_the_page_says_how_many_and_leads_to_the_job_and_its_undo(client_of, people, lamps):
    client = client_of(people["frank"])
    assert "/acme/inbox/many/?" in client.get("/acme/inbox/?q=title:lamp").content.decode()
    page = client.get("/acme/inbox/many/?q=title:lamp").content.decode()
    assert f"{MANY} cases" in page and "title:lamp" in page
    told = {"carried": "q=title:lamp", "do": "tag"}
    assert client.post("/acme/inbox/many/", told).status_code == 422
    assert client.post("/acme/inbox/many/", {**told, "tag": "lamp", "carried": "q=title:nothing"}).status_code == 422
    answer = client.post("/acme/inbox/many/", {**told, "tag": "lamp"})
    job = ended(Job.objects.get())
    address = answer.headers["Location"]
    said = client.get(address).content.decode()
    assert "tag them" in said and "title:lamp" in said
    assert f"{MANY} cases were changed." in said and f"/inbox/many/{job.pk}/undo/" in said
    assert f"/inbox/many/{job.pk}/undo/" not in client_of(people["gina"]).get(address).content.decode()
    undo = client.post(f"/acme/inbox/many/{job.pk}/undo/").headers["Location"]
    ended(Job.objects.latest("pk"))
    assert f"{MANY} changes were taken back." in client.get(undo).content.decode()


def test_who_only_reads_changes_none_of_them(client_of, people, lamps):
    reader = client_of(people["carol"])
    assert reader.get("/acme/inbox/many/").status_code == 403
    assert reader.post("/acme/inbox/many/", {"do": "resolve"}).status_code == 403
    assert reader.post("/acme/inbox/many/1/undo/").status_code == 403
    assert not Job.objects.exists()
