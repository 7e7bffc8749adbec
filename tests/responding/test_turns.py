"""The machine's turn at a new case: taken once, where its class allows it, and left to people who began."""

from datetime import timedelta

import httpx
import pytest

from talkworthy.connectors.http import Http
from talkworthy.hooks.manager import call
from talkworthy.responding import actions
from talkworthy.responding.actions import machines
from talkworthy.responding.models import Autonomy, Draft, Turn

from .conftest import NOW
from .test_drafter import Model

pytestmark = pytest.mark.django_db


@pytest.fixture
def model(workspace, alice, monkeypatch):
    made = Model()

    def door(_workspace):
        return Http(transport=made, resolve=lambda host, port: ["93.184.216.34"])

    monkeypatch.setattr(machines, "http_for", door)
    values = {"url": "https://api.example/v1", "model": "small-1", "token": "k", "instructions": ""}
    actions.save_drafter(workspace, **values, enabled=True, by=alice, now=NOW)
    return made


def work(now=NOW):
    while sum(call("work_due", now=now)):
        pass


def test_a_new_case_gets_one_draft_where_its_class_allows_it(case, inward, model):
    inward()
    work()
    work(NOW + timedelta(hours=1))
    draft = Draft.objects.get()
    assert (draft.made_by, draft.by, draft.state) == ("small-1", None, "writing") and len(model.asked) == 1


def test_it_goes_out_by_itself_where_the_class_lets_it_send(case, inward, model, channel, workspace):
    inward()
    Autonomy.objects.create(workspace=workspace, outcome="thank", level="send", delay_seconds=60)
    work()
    work(NOW + timedelta(seconds=30))
    assert channel.texts == []
    work(NOW + timedelta(seconds=61))
    assert channel.texts == ["Thank you!"]


@pytest.mark.parametrize("level", ["observe", "suggest"])
def test_a_class_that_lets_no_machine_draft_is_left_alone(case, inward, model, workspace, level):
    inward()
    Autonomy.objects.create(workspace=workspace, outcome="thank", level=level)
    work()
    assert not Turn.objects.exists() and model.asked == []


def test_what_people_began_to_answer_is_left_to_them(case, inward, model, people):
    inward()
    actions.start_draft(case, text="Mine", by=people["frank"], now=NOW)
    work()
    assert Draft.objects.count() == 1 and model.asked == []


def test_an_old_case_and_one_elsewhere_are_left_alone(case, inward, model):
    inward()
    type(case).objects.filter(pk=case.pk).update(opened_at=NOW - timedelta(days=2))
    work()
    assert model.asked == []


def test_without_a_drafter_nobody_has_a_turn(case, inward):
    inward()
    work()
    assert not Turn.objects.exists()


def test_a_model_in_trouble_is_asked_again_with_pauses_and_not_for_ever(case, inward, model):
    inward()
    model.status = 500
    for minutes in range(0, 240, 5):
        work(NOW + timedelta(minutes=minutes))
    turn = Turn.objects.get()
    assert len(model.asked) == turn.attempts == 4 and turn.done_at is not None and "500" in turn.note
    assert not Draft.objects.exists()
    assert isinstance(model.asked[0], httpx.Request)
