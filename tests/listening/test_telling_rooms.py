"""The rooms above are told of every post that is stored, in the transaction that counts it, whatever is cut short."""

import pytest
from tests.conftest import NOW

from talkworthy.hooks import hooks, joins
from talkworthy.listening import collecting, cube
from talkworthy.listening.collecting import Listener
from talkworthy.listening.models import Batch

pytestmark = pytest.mark.django_db


class Room:
    """A room above: writes down what it is told."""

    def __init__(self):
        self.posts, self.edited, self.gone = set(), set(), set()
        self.breaks = False

    @joins
    def posts_stored(self, workspace, posts, edited, gone, now):
        if self.breaks:
            raise RuntimeError("broken on purpose")
        self.posts |= set(posts["uid"].to_pylist())
        self.edited |= set(edited["uid"].to_pylist())
        self.gone |= set(gone)


class Killed(BaseException):
    """As if the process had ended."""


@pytest.fixture
def room(filled):
    made = Room()
    hooks().register(made)
    yield made
    hooks().unregister(made)


def uid(number):
    return f"feed:example.org:{number}"


def test_new_edited_and_deleted_posts_are_told_once(filled, room, row, arrive):
    arrive(filled, [row(20), row(1, "Acme is awful now")]).store_pending(now=NOW)
    stone = {"uid": uid(2), "published_at": row(2)["published_at"], "deleted_at": NOW, "reason": "deleted"}
    arrive(filled, seq=3, tombstones=[stone]).store_pending(now=NOW)
    assert (room.posts, room.edited, room.gone) == ({uid(20)}, {uid(1)}, {uid(2)})


def test_where_a_room_fails_nothing_is_counted_and_it_is_told_again(filled, room, row, arrive, agree):
    room.breaks = True
    with pytest.raises(RuntimeError, match="on purpose"):
        arrive(filled, [row(20)]).store_pending(now=NOW)
    assert Batch.objects.filter(workspace=filled, applied_at=None).exists()
    room.breaks = False
    Listener(filled).store_pending(now=NOW)
    assert room.posts == {uid(20)}
    agree(filled)


@pytest.mark.parametrize("step", ["count_stored", "_note_arrivals"])
def test_posts_whose_storing_was_cut_short_are_told_also_those_of_a_later_group(
    filled, room, row, arrive, monkeypatch, step
):
    """Both fetches are stored together, the process ends, and then each is stored in a group of its own."""

    def die(*args, **kwargs):
        raise Killed

    arrive(filled, [row(20)], seq=2)
    listener = arrive(filled, [row(21)], seq=3)
    with monkeypatch.context() as patch:
        patch.setattr(cube if step == "count_stored" else collecting, step, die)
        with pytest.raises(Killed):
            listener.store_pending(now=NOW)
    room.posts.clear()
    monkeypatch.setattr(collecting, "POSTS_A_BATCH", 1)
    Listener(filled).store_pending(now=NOW)
    assert room.posts == {uid(20), uid(21)}
