"""Due rows, one worker each."""

from datetime import timedelta

from tests.conftest import NOW

from talkworthy.listening.models import Job
from talkworthy.states.claims import claim, claimed, release
from talkworthy.workspaces.models import Workspace

LATER = NOW + timedelta(minutes=3)


def test_a_row_is_claimed_by_one_only(workspace: Workspace) -> None:
    job = Job.objects.create(workspace=workspace, kind="export")
    assert claim(job, now=NOW)
    assert not claim(job, now=NOW)


def test_what_a_dead_worker_held_is_free_when_its_lease_ends(workspace: Workspace) -> None:
    job = Job.objects.create(workspace=workspace, kind="export")
    assert claim(job, now=NOW)
    assert [row.pk for row in claimed(Job.objects.all(), now=LATER)] == [job.pk]


def test_what_another_one_holds_is_passed_over(workspace: Workspace) -> None:
    held, free = (Job.objects.create(workspace=workspace, kind="export") for _ in range(2))
    assert claim(held, now=NOW)
    assert [row.pk for row in claimed(Job.objects.all(), now=NOW)] == [free.pk]


def test_a_row_that_was_given_back_is_free_at_once(workspace: Workspace) -> None:
    job = Job.objects.create(workspace=workspace, kind="export")
    assert claim(job, now=NOW)
    release(job)
    assert claim(job, now=NOW)
