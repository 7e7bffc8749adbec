"""An erasure takes our answers along, also in the archive, and lists where the name stands besides."""

import json

import pytest
from tests.conftest import NOW
from tests.routing.test_arriving import LATER, arrive, frank, look, post, rule, team  # noqa: F401 - fixtures

from talkworthy.listening import actions as listening
from talkworthy.listening.collecting import Listener
from talkworthy.listening.jobs import claim_job, run_job
from talkworthy.listening.stores import archive_of
from talkworthy.people.actions import create_person
from talkworthy.people.models import Identity
from talkworthy.routing import actions, leftovers
from talkworthy.routing.leftovers import tied_data
from talkworthy.routing.models import Case, Conversation, Message

pytestmark = pytest.mark.django_db
ANSWER, SECOND, OTHER = (post(number)["uid"] for number in (2, 3, 9))


@pytest.fixture
def talked(filled, rule, frank):  # noqa: F811
    """Zoe asked, we answered and the source brought that back, Yan spoke of her below, a member noted her name."""
    arrive(filled, post(1), post(9, "My Acme router fell", author="yan"))
    look()
    Identity.objects.create(workspace=filled, channel="forum", account="acme", handle="acme", is_ours=True)
    answer = post(2, "@zoe we look into it", author="acme", in_reply_to=post(1)["uid"], published_at=LATER)
    arrive(filled, answer, post(3, "zoe is right, Acme", author="yan", in_reply_to=ANSWER), now=LATER)
    look(LATER)
    asked, other = (Case.objects.get(conversations__messages__uid=uid) for uid in (post(1)["uid"], OTHER))
    actions.add_note(asked, text="Zoe called again", by=frank, now=NOW)
    actions.add_note(other, text="Nothing of her", by=frank, now=NOW)
    actions.retitle_case(other, title="As with ZOE", by=frank.user, now=NOW)
    return filled


def erased(workspace, by):
    job = listening.start_erasure(
        workspace, channel="forum", author_id="zoe", uids=[], why="They asked", by=by, now=LATER
    )
    while held := claim_job(now=LATER):
        run_job(held, Listener(workspace))
    job.refresh_from_db()
    return job


def test_our_answer_goes_along_in_the_archive_and_on_the_desk(talked, alice):
    assert archive_of(talked).get(ANSWER) is not None
    job = erased(talked, alice)
    assert job.state == "done", job.error
    assert [archive_of(talked).get(uid) is None for uid in (post(1)["uid"], ANSWER, SECOND, OTHER)] == [
        True, True, False, False,
    ]  # fmt: skip
    assert set(Message.objects.values_list("uid", flat=True)) == {SECOND, OTHER}


def test_where_the_name_stands_besides_is_listed_without_the_name(talked, alice, client_of):
    job = erased(talked, alice)
    kinds = sorted(what for what, _address in job.result["look_at"])
    assert kinds == [
        "a note of a member: their name",
        "the title or the last word of a case: their name",
        "words of others: their name",
    ]
    assert "zoe" not in json.dumps(job.result).lower()
    page = client_of(alice).get(f"/acme/jobs/{job.pk}/").content.decode()
    assert "Look at these yourself" in page
    for _what, address in job.result["look_at"]:
        assert f'href="{address}"' in page and client_of(alice).get(address.partition("#")[0]).status_code == 200


def called(workspace, name, **more):
    """An account of that name, to be looked for."""
    account = f"called {name}"
    Identity.objects.create(workspace=workspace, channel="forum", account=account, name=name, **more)
    return [("forum", account)]


def noted(workspace, frank, *texts):  # noqa: F811
    """A case with these notes; the addresses of each by its text."""
    talk = Conversation.objects.create(workspace=workspace, channel="forum", root="r", first_at=NOW, last_at=NOW)
    case, _new = actions.open_case(talk, title="A case", by=None, now=NOW)
    notes = [actions.add_note(case, text=text, by=frank, now=NOW) for text in texts]
    return {f"#note-{note.pk}": note.text for note in notes}


@pytest.mark.parametrize(
    ("name", "holds", "lacks"),
    [
        ("Zoe", ["Call Zoe.", "“ZOE” said so", "zoe's case", "我和Zoe说过"], ["zoetrope", "azoe", "zoey"]),
        ("王明", ["王明打来电话", "请联系王明。"], ["王先生", "明天"]),
        ("Зоя", ["Звонила ЗОЯ", "зоя, опять"], ["зояна", "низоя"]),
        ("José Díaz", ["jose  diaz called", "JOSÉ DÍAZ"], ["jose", "josediaz x", "Jose Diazepam"]),
        ("김민수", ["김민수가 전화", "어제 김민수 씨"], ["박김민수"]),
        ("สมชาย", ["คุณสมชายโทรมา"], ["สมชา"]),
        ("زينب", ["اتصلت زينب اليوم"], ["زينبية"]),
        ("Bo", ["ask Bo again"], ["Bob", "about", "robo"]),
        ("Li", ["Li Na wrote"], ["like", "Ali"]),
    ],
)
def test_a_name_is_found_as_whole_words_in_any_script_and_no_other_word_is(filled, frank, name, holds, lacks):  # noqa: F811
    notes = noted(filled, frank, *holds, *lacks)
    found = tied_data(filled, [], called(filled, name)).look_at
    assert {notes[address[address.index("#") :]] for _what, address in found} == set(holds)
    assert {what for what, _address in found} == {"a note of a member: their name"}


def test_a_single_character_is_no_name_to_look_for(filled, frank):  # noqa: F811
    noted(filled, frank, "明天", "A is not B")
    assert tied_data(filled, [], [*called(filled, "明"), *called(filled, "A")]).look_at == []


def test_the_person_behind_an_account_is_looked_for_and_what_is_not_listed_is_said(filled, frank, alice, monkeypatch):  # noqa: F811
    basis = {"basis": "interest", "basis_note": "x", "retain_until": NOW.replace(year=2031)}
    person = create_person(filled, name="Zoe Smith", **basis, by=alice, now=NOW)
    noted(filled, frank, *(f"Zoe Smith, call {number}" for number in range(4)))
    monkeypatch.setattr(leftovers, "MOST", 2)
    found = tied_data(filled, [], called(filled, "zz", person=person)).look_at
    assert [what for what, _address in found] == [
        *["a note of a member: the name of the person behind it"] * 2,
        "a note of a member: more than 2 places; look for the name yourself",
    ]
