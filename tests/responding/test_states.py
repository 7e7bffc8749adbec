"""The states of drafts and deliveries agree with the columns that hold them."""

from talkworthy.responding.models import Delivery, Draft
from talkworthy.responding.states import DELIVERY, DRAFT, OPEN


def test_the_graphs_hold_every_state_of_the_columns_and_no_other():
    assert DRAFT.ways.keys() == set(Draft.State.values)
    assert DELIVERY.ways.keys() == set(Delivery.State.values)


def test_what_was_sent_or_delivered_stays_so():
    assert "sent" in DRAFT.ends and "delivered" in DELIVERY.ends


def test_what_may_have_reached_the_channel_cannot_be_stopped():
    assert not DELIVERY.may("sending", "stopped") and not DELIVERY.may("unsure", "stopped")


def test_only_a_scheduled_draft_is_sent():
    assert [state for state in DRAFT.ways if DRAFT.may(state, "sent")] == ["scheduled"]


def test_a_superseded_draft_does_not_go_out_without_being_written_again():
    assert DRAFT.ways["superseded"] == {"writing"} and "superseded" not in OPEN
