"""What sources usually speak is learned once a day, counts for short posts, is cited, and can be switched off."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from talkworthy.learning import actions, habits
from talkworthy.learning.choosing import Choice, chosen_of
from talkworthy.learning.looking import version_of
from talkworthy.learning.models import SpokenLanguages
from talkworthy.listening.chosen import chosen_for
from talkworthy.listening.collecting import source_key
from talkworthy.listening.models import Source
from talkworthy.workspaces.models import AuditEntry

NOW = datetime(2026, 3, 4, 12, 0, 1, tzinfo=UTC)
LONG = (
    "Jeg har ventet på pakken min i flere uker, men ingen på kundeservice svarer når jeg ringer og spør, nummer",
    "Det er hyggelig å høre at dere endelig har åpnet en ny butikk i byen, vi kommer innom på lørdag, nummer",
)
SHORT = "Vi ses i morgen"


@pytest.fixture
def norwegian(filled, arrive):
    """Acme whose source brings long posts in Norwegian."""
    arrive(filled, [f"{LONG[number % 2]} {number}" for number in range(140)], 2, 100)
    return filled


def test_a_source_is_learned_from_long_sure_posts_and_counts_for_short_ones(norwegian, arrive, post_of):
    habits.learn_habits(norwegian, now=NOW)
    row = SpokenLanguages.objects.get()
    key = source_key(Source.objects.get(workspace=norwegian))
    assert row.number == 1 and row.sources[key]["posts"] >= 100 and row.sources[key]["shares"]["nb"] > 0.9
    post = post_of(norwegian, arrive(norwegian, [SHORT], 3, 950)[0])
    assert (post["detected_language"], post["analysed_by"]) == ("nb", "fast 1.0 +language.1")
    assert version_of(post["analysed_by"], "sentiment") == "fast 1.0"
    assert version_of(post["analysed_by"], "detected_language") == "fast 1.0 +language.1"


def test_it_is_learned_once_a_day_and_cited_anew_only_where_it_moved(norwegian, monkeypatch):
    monkeypatch.setattr(habits, "_asked", {})
    assert habits.look_at_habits(now=NOW) == 1 and habits.look_at_habits(now=NOW) == 0
    monkeypatch.setattr(habits, "_asked", {})
    assert habits.look_at_habits(now=NOW + timedelta(days=1, seconds=1)) == 1
    assert SpokenLanguages.objects.get().number == 1
    stood = {"s": {"posts": 200, "shares": {"de": 0.9, "en": 0.1}}}
    assert not habits.is_other(stood, {"s": {"posts": 300, "shares": {"de": 0.87, "en": 0.13}}})
    assert habits.is_other(stood, {"s": {"posts": 300, "shares": {"de": 0.8, "en": 0.2}}})
    assert habits.is_other(stood, {**stood, "t": stood["s"]})


def test_few_short_or_doubtful_posts_teach_nothing():
    german = "Seit drei Wochen warte ich auf mein Paket, und beim Kundendienst geht nie jemand ans Telefon, Nummer"

    def posts(n, text=german):
        return pa.table({name: pa.array([value] * n, pa.string()) for name, value in (("source", "s"), ("text", text))})

    assert habits.spoken_in(posts(100))["s"] == {"posts": 100, "shares": {"de": 1.0}}
    for few in (posts(99), posts(200, text="Wo ist es?"), posts(200, text="12345 :-) " * 20), posts(0)):
        assert habits.spoken_in(few) == {}


def test_it_is_shown_and_switched_off_by_who_may(norwegian, alice, carol, dan, client_of):
    habits.learn_habits(norwegian, now=NOW)
    browser, page = client_of(alice), "/acme/settings/models/"
    assert "What sources usually speak" in browser.get(page).content.decode()
    assert client_of(carol).post(f"{page}languages/switch/", {"answers": "no"}).status_code == 403
    assert client_of(dan).post(f"{page}languages/switch/", {"answers": "no"}).status_code == 404
    assert chosen_for(norwegian).spoken
    browser.post(f"{page}languages/switch/", {"answers": "no"})
    assert chosen_for(norwegian).is_as_shipped and chosen_of(norwegian, Choice()).spoken_number == 0
    assert AuditEntry.objects.filter(verb="change").latest("pk").after == {"answers": False}
    actions.let_habits_answer(norwegian, True, by=alice, now=NOW)
    assert chosen_for(norwegian).spoken_number == 1


def test_where_nothing_is_known_nothing_is_cited(filled):
    habits.learn_habits(filled, now=NOW)
    assert SpokenLanguages.objects.get().sources == {} and chosen_for(filled).is_as_shipped
