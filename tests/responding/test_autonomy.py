"""How far a machine may go: each rule, refusing."""

from dataclasses import replace

import pytest

from talkworthy.responding.autonomy import LEVELS, Allowed, Deed, Never, Situation, may, refusals, waits_for_hour
from talkworthy.responding.models import Autonomy
from talkworthy.responding.reasons import refusal_in_words

SEND = Allowed(level="send", cap_person_a_day=1, cap_conversation=2, cap_hour=3)
FRIENDLY = Situation(first_contact=True, negative=False)


def whys(situation, allowed=SEND, deed=Deed.SEND):
    return [refusal.why for refusal in refusals(deed, allowed, situation)]


def test_a_friendly_first_contact_may_be_answered_by_a_machine():
    assert may(Deed.SEND, SEND, FRIENDLY)


def test_the_levels_are_those_of_the_table():
    assert list(LEVELS) == Autonomy.Level.values


@pytest.mark.parametrize(
    ("level", "deeds"),
    [("observe", []), ("suggest", ["suggest"]), ("draft", ["suggest", "draft"]), ("send", list(Deed))],
)
def test_each_level_includes_those_before_it(level, deeds):
    allowed = replace(SEND, level=level)
    assert [deed for deed in Deed if may(deed, allowed, FRIENDLY)] == deeds


def test_a_level_that_nobody_knows_allows_nothing():
    assert whys(FRIENDLY, replace(SEND, level="everything"), Deed.SUGGEST) == [Never.LEVEL]


@pytest.mark.parametrize(
    ("fact", "why"),
    [
        ({"negative": True}, Never.FIRST_NEGATIVE),
        ({"vulnerable": True}, Never.VULNERABLE),
        ({"legal": True}, Never.LEGAL),
        ({"security": True}, Never.SECURITY),
        ({"influencer": True}, Never.INFLUENCER),
        ({"automated": True}, Never.AUTOMATED),
        ({"person_answered": True}, Never.PERSON_ANSWERS),
        ({"stopped": True}, Never.STOPPED),
        ({"known": False}, Never.UNKNOWN),
        ({"sent_to_person_today": 1}, Never.CAP_PERSON),
        ({"sent_in_conversation": 2}, Never.CAP_CONVERSATION),
        ({"sent_this_hour": 3}, Never.CAP_HOUR),
    ],
)
def test_a_machine_never_sends(fact, why):
    assert whys(replace(FRIENDLY, **fact)) == [why]


def test_a_known_person_who_complains_may_be_answered():
    assert may(Deed.SEND, SEND, Situation(first_contact=False, negative=True))


def test_what_is_not_known_is_taken_as_the_worse():
    assert whys(Situation()) == [Never.FIRST_NEGATIVE]


def test_all_that_speaks_against_it_is_told():
    assert whys(replace(FRIENDLY, legal=True, stopped=True)) == [Never.STOPPED, Never.LEGAL]


def test_a_cap_of_none_sends_nothing():
    assert whys(FRIENDLY, replace(SEND, cap_hour=0)) == [Never.CAP_HOUR]


def test_drafting_is_not_kept_back_by_what_forbids_sending():
    assert may(Deed.DRAFT, SEND, replace(FRIENDLY, legal=True, stopped=True))


def test_only_the_cap_an_hour_passes_by_itself():
    assert waits_for_hour(refusals(Deed.SEND, SEND, replace(FRIENDLY, sent_this_hour=3)))
    assert not waits_for_hour(refusals(Deed.SEND, SEND, replace(FRIENDLY, sent_this_hour=3, legal=True)))
    assert not waits_for_hour(())


@pytest.mark.parametrize("why", list(Never))
def test_every_reason_is_a_sentence(why):
    from talkworthy.responding.autonomy import Refusal

    assert refusal_in_words(Refusal(why, {"sent": 3, "cap": 2})).endswith(".")
