"""A record ends on its day: somebody is asked, or it is erased with all that was derived."""

from datetime import timedelta
from typing import Any

from talkworthy.hooks.manager import call
from talkworthy.people import actions
from talkworthy.people.models import Identity, Person


def work(now: Any) -> None:
    for _time in range(20):
        if not any(call("work_due", now=now)):
            return
    raise AssertionError("it never ends")


def test_who_may_erase_is_asked_once_and_again_when_the_day_was_moved(
    workspace: Any, person: Any, alice: Any, now: Any
) -> None:
    from talkworthy.notifying.models import Notification

    ann = person("Ann Unmistakable")
    work(now + timedelta(days=364))
    assert not Notification.objects.filter(kind="record due").exists()
    work(now + timedelta(days=366))
    work(now + timedelta(days=367))
    told = Notification.objects.get(kind="record due")
    assert told.member.user == alice and "Unmistakable" not in told.text and f"/people/{ann.pk}/" in told.address
    ann.refresh_from_db()
    actions.change_person(ann, retain_until=now + timedelta(days=400), by=alice, now=now)
    work(now + timedelta(days=401))
    assert Notification.objects.filter(kind="record due").count() == 2


def test_a_record_that_shall_be_deleted_is_erased_with_its_posts(
    filled: Any, person: Any, account: Any, alice: Any, now: Any
) -> None:
    from talkworthy.listening.collecting import Listener
    from talkworthy.listening.jobs import claim_job, run_job
    from talkworthy.listening.stores import archive_of

    ann = person("Ann", account("a0", "feed"), email="ann@x.org")
    actions.change_person(ann, retention="delete", by=alice, now=now)
    person("Decoy", account("a1", "feed"))
    work(now + timedelta(days=366))
    while job := claim_job(now=now + timedelta(days=366)):
        run_job(job, Listener(filled))
    assert not Person.objects.filter(pk=ann.pk).exists() and Person.objects.filter(name="Decoy").exists()
    assert archive_of(filled).get("feed:example.org:0") is None
    assert archive_of(filled).get("feed:example.org:1") is not None


def test_what_was_put_away_is_purged_after_a_month_and_its_accounts_stay(
    person: Any, account: Any, alice: Any, now: Any
) -> None:
    ann = person("Ann", account("a1"), email="ann@x.org")
    actions.remove_person(ann, by=alice, now=now)
    work(now + timedelta(days=29))
    assert Person.objects.filter(pk=ann.pk).exists()
    work(now + timedelta(days=31))
    assert not Person.objects.filter(pk=ann.pk).exists() and Identity.objects.get().person is None


def test_an_exchange_that_is_due_becomes_a_job_and_one_that_fails_says_why(
    workspace: Any, alice: Any, now: Any
) -> None:
    from talkworthy.listening.collecting import Listener
    from talkworthy.listening.jobs import claim_job, run_job
    from talkworthy.listening.models import Job
    from talkworthy.people.actions.crm import add_crm
    from talkworthy.people.models import CrmAccount

    crm = add_crm(
        workspace, password="x", by=alice, now=now, name="Tryton", url="http://127.0.0.1:1", database="crm", user="u",
        query="", basis="contract", basis_note="x", retention_days=9, every_hours=2,
    )  # fmt: skip
    work(now)
    assert Job.objects.get().kind == "sync"
    assert CrmAccount.objects.get().due_at == now + timedelta(hours=2)
    job = claim_job(now=now)
    assert job is not None and job.request == {"account": crm.pk}
    run_job(job, Listener(workspace))
    job.refresh_from_db()
    assert job.state == "failed" and "private" in CrmAccount.objects.get().error
