"""The first start makes everything, the second nothing."""

import pytest

from talkworthy.listening.models import Source
from talkworthy.worker.doctor import examine, findings
from talkworthy.worker.starting import ADMINISTRATOR, make_ready
from talkworthy.workspaces.models import Member, User, Workspace

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_first_start_makes_an_administrator_whose_password_is_told_once():
    password = make_ready(recorded=False)
    user = User.objects.get(email=ADMINISTRATOR)
    assert password is not None and user.check_password(password)
    assert user.must_change_password and user.is_superuser
    assert Member.objects.get(user=user).role == "administrator"


def test_a_second_start_makes_nothing_and_tells_no_password():
    make_ready(recorded=False)
    before = User.objects.get().password
    assert make_ready(recorded=False) is None
    assert (User.objects.get().password, Workspace.objects.count()) == (before, 1)


def test_without_recorded_posts_the_workspace_is_empty_and_no_sample():
    make_ready(recorded=False)
    workspace = Workspace.objects.get()
    assert not workspace.is_sample and not Source.objects.filter(workspace=workspace).exists()


def test_two_first_starts_have_two_passwords():
    first = make_ready(recorded=False)
    User.objects.all().delete()
    Workspace.objects.all().delete()
    assert make_ready(recorded=False) != first


def test_the_doctor_finds_a_fresh_installation_well(caplog):
    make_ready(recorded=False)
    said = []
    assert examine(said.append) == 0, [line for line in said if line.startswith("BAD")]
    assert any("cubes agree" in line for line in said)


def test_the_doctor_names_a_source_that_is_not_well_with_its_reason(filled):
    Source.objects.filter(workspace=filled).update(state="refused", last_error="The token ran out.")
    said = []
    assert examine(said.append) == 1
    assert any(line.startswith("BAD") and "The token ran out." in line for line in said)


def test_the_doctor_names_a_damaged_file_of_the_archive_and_what_to_do(filled):
    from talkworthy.listening.stores import archive_of

    archive = archive_of(filled)
    path = archive.posts.folder / archive.posts.snapshot().files[0].path
    path.write_bytes(path.read_bytes()[:-9])
    said: list[str] = []
    assert examine(said.append) == 1
    assert any(str(path) in line and "backup" in line for line in said)


def test_the_doctor_shows_no_secret(monkeypatch):
    monkeypatch.setenv("TALKWORTHY_SECRET_KEY", "hunter2")
    monkeypatch.setenv("TALKWORTHY_EMAIL_URL", "smtp://me:hunter2@mail")
    make_ready(recorded=False)
    assert not any("hunter2" in finding.what for finding in findings())
