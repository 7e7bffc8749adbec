"""An erasure takes our answers along, also in the archive, and lists where the name stands besides."""

import json

import pytest
from tests.conftest import NOW
from tests.routing.test_arriving import LATER, arrive, frank, look, post, rule, team  # noqa: F401 - fixtures

from talkworthy.listening import actions as listening
from talkworthy.listening.collecting import Listener
from talkworthy.listening.jobs import claim_job, run_job
from talkworthy.listening.stores import archive_of
from talkworthy.people.models import Identity
from talkworthy.routing import actions
from talkworthy.routing.models import Case, Message

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
    assert kinds == ["a note of a member", "the title or the last word of a case", "words of others"]
    assert "zoe" not in json.dumps(job.result).lower()
    page = client_of(alice).get(f"/acme/jobs/{job.pk}/").content.decode()
    assert "Look at these yourself" in page
    for _what, address in job.result["look_at"]:
        assert f'href="{address}"' in page and client_of(alice).get(address.partition("#")[0]).status_code == 200
