"""Earlier answers to similar matters, and why they are shown."""

import pytest

from talkworthy.responding.models import Draft
from talkworthy.responding.selectors.suggestions import suggestions_for
from talkworthy.responding.suggesting import Earlier, suggestions
from talkworthy.routing.models import Case, Conversation, Message

from .conftest import NOW

WIFI = Earlier(draft=1, case_number=3, asked="The router loses wifi since the update", answer="Reset it")
BIKE = Earlier(draft=2, case_number=4, asked="Where can I buy a bike?", answer="In our shop")
ASKED = "My router keeps losing wifi after the update"


def test_a_similar_matter_is_found_with_the_words_in_common():
    (found,) = suggestions(ASKED, [BIKE, WIFI])
    assert found.earlier == WIFI and set(found.words) >= {"router", "wifi", "update"}


def test_the_sentence_that_is_nearest_is_shown_as_a_reason():
    told = Earlier(
        draft=5, case_number=8, asked="Good day. The router loses wifi since the update! Bye.", answer="Reset"
    )
    (found,) = suggestions(ASKED, [BIKE, told])
    assert found.sentence == "The router loses wifi since the update!"


def test_an_answer_whose_words_were_erased_is_not_compared_any_more():
    assert suggestions(ASKED, [BIKE, WIFI]) and suggestions(ASKED, [BIKE]) == ()


def test_what_resolved_its_case_comes_first():
    better = Earlier(draft=0, case_number=9, asked=WIFI.asked, answer="Change the channel", resolved=True)
    assert [one.earlier for one in suggestions(ASKED, [WIFI, better])] == [better, WIFI]


def test_the_same_answer_is_shown_once():
    again = Earlier(draft=7, case_number=8, asked=WIFI.asked, answer=" reset  IT")
    assert len(suggestions(ASKED, [WIFI, again])) == 1


def test_another_language_and_nothing_alike_are_left_out():
    french = Earlier(draft=7, case_number=8, asked=WIFI.asked, answer="Redémarrez", language="fr")
    assert suggestions(ASKED, [french, BIKE], language="en") == ()
    assert suggestions("", [WIFI]) == ()


@pytest.mark.django_db
def test_only_what_was_sent_here_is_suggested_and_private_words_in_private_only(draft, case, workspace, inward):
    def answered(uid, space, state="sent", visibility="public", text="Reset it"):
        number = Case.objects.filter(workspace=space).count() + 100
        made = Case.objects.create(workspace=space, number=number, title="x", state="resolved")
        talk = Conversation.objects.create(workspace=space, channel="letterbox", root=uid, first_at=NOW, last_at=NOW)
        Message.objects.create(workspace=space, conversation=talk, uid=uid, text=WIFI.asked, at=NOW)
        Draft.objects.create(
            workspace=space,
            case=made,
            conversation=talk,
            in_reply_to=uid,
            text=text,
            state=state,
            visibility=visibility,
        )

    decoy = Case.objects.exclude(workspace=workspace).get().workspace
    answered("a", workspace)
    answered("b", workspace, state="dropped", text="dropped words")
    answered("c", workspace, visibility="private", text="private words")
    answered("d", decoy, text="their words")
    public = inward("letterbox::2", ASKED)
    assert [one.earlier.answer for one in suggestions_for(public)] == ["Reset it"]
    assert suggestions_for(public)[0].earlier.resolved
    private = inward("letterbox::3", ASKED, visibility="private")
    assert {one.earlier.answer for one in suggestions_for(private)} == {"Reset it", "private words"}
