"""Words are found by the database's index, and what it finds is what reading every row would find."""

import pytest
from django.db import connection
from django.utils import timezone

from talkworthy.people.models import Identity
from talkworthy.routing import word_index
from talkworthy.routing.models import Case, Conversation, Message
from talkworthy.routing.word_index import INDEXED, holding, keep_word_index

pytestmark = pytest.mark.django_db
NOW = timezone.now()
TEXTS = [
    "My ROUTER drops the line",
    "Die Straße ist 100% dunkel",
    'She said "no way"',
    "خدمة العملاء لا تجيب",
    "路由器坏了很多次",
    "snake_case and back\\slash",
    "",
]


@pytest.fixture
def said(workspace):
    """Messages with these texts, and one elsewhere in the same words."""
    talk = Conversation.objects.create(workspace=workspace, channel="m", root="m::1", first_at=NOW, last_at=NOW)

    def add(text, number):
        return Message.objects.create(workspace=workspace, conversation=talk, uid=f"m::{number}", text=text, at=NOW)

    return [add(text, number) for number, text in enumerate(TEXTS)]


def texts(words):
    return set(Message.objects.filter(holding(Message, words)).values_list("text", flat=True))


@pytest.mark.parametrize(
    "words",
    ["router", "oute", "traße", "100%", '"no', "العملاء", "路由器", "由器", "e_c", "k\\s", "nothing", "ro", '"', "OR"],
)
def test_the_index_finds_what_reading_finds(said, words):
    assert texts(words) == {text for text in TEXTS if words.casefold() in text.casefold()}


def test_it_follows_changes_and_deletions(said):
    Message.objects.filter(pk=said[0].pk).update(text="The lamp flickers")
    assert not texts("router") and texts("flicker") == {"The lamp flickers"}
    said[1].delete()
    assert not texts("dunkel")
    again = {"workspace": said[0].workspace, "conversation": said[0].conversation, "uid": "m::b", "at": NOW}
    Message.objects.bulk_create([Message(**again, text="written at once")])
    assert texts("at once")


def test_titles_and_names_are_kept_as_well(workspace):
    case = Case.objects.create(workspace=workspace, number=1, title="Smoke from the socket")
    ann = Identity.objects.create(workspace=workspace, channel="m", account="a", name="Åsa Öberg")
    assert list(Case.objects.filter(holding(Case, "SOCKET"))) == [case]
    assert list(Identity.objects.filter(holding(Identity, "öberg"))) == [ann]


def test_what_a_migration_dropped_is_made_again_and_filled(said):
    if connection.vendor != "sqlite":
        pytest.skip("an index of PostgreSQL stays when its table is altered")
    words = "routing_message_words"
    with connection.cursor() as cursor:
        for name in ("added", "gone", "changed"):
            cursor.execute(f"DROP TRIGGER {words}_{name}")
        Message.objects.filter(pk=said[0].pk).update(text="changed while nobody looked")
        keep_word_index()
        assert texts("nobody looked") and not texts("router")
        cursor.execute(f"INSERT INTO {words} ({words}, rank) VALUES ('integrity-check', 1)")  # raises where it differs


def test_without_an_index_the_rows_are_read(said, monkeypatch):
    monkeypatch.setattr(word_index, "_is_kept", lambda using: False)
    assert texts("ROUTER") == {TEXTS[0]}
    assert "MATCH" not in str(Message.objects.filter(holding(Message, "router")).query)


def test_a_common_word_is_looked_up_and_not_read(said):
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL reads a table of seven rows without its index")
    assert "VIRTUAL TABLE INDEX" in Message.objects.filter(holding(Message, "router")).explain()
    assert {model for model, _column in INDEXED} == {Message, Case, Identity}
