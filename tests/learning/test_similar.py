"""Posts of the same matter: what is shown and why, what people say of them, and what their words are good for."""

from datetime import UTC, datetime

import pytest

from talkworthy.analysis.labelled import evaluate_file
from talkworthy.learning import likening
from talkworthy.learning.actions import say_of_pair, take_pair_back
from talkworthy.learning.choosing import answering_now
from talkworthy.learning.joining import data_exported, data_forgotten
from talkworthy.learning.models import Pair, Sureness
from talkworthy.learning.pairing import weighed
from talkworthy.listening.actions import Refused
from talkworthy.workspaces.models import AuditEntry

NOW = datetime(2026, 3, 4, 12, 0, 1, tzinfo=UTC)
MATTER = (
    "My Quibble router overheats and switches off every evening",
    "the quibble router gets far too hot and shuts down at night",
    "My Quibble router overheats and switches off every evening!",
    "overheating again: my Quibble router turned itself off",
)
REST = (
    "the new colours of the app look lovely",
    "how do I change my password on the website",
    "great concert last night, loved the band",
    "the invoice shows a wrong amount for march",
    "the staff in the shop were very friendly",
    "my neighbour bakes bread on sundays",
    *(f"{who} talks about taxes and elections" for who in ("the singer", "our teacher", "this newspaper")),
)


@pytest.fixture
def routers(filled, arrive):
    """Acme with posts about one router, and about other matters."""
    arrive(filled, [*MATTER, *REST], 2, 100)
    return filled


def post(workspace, post_of, number):
    return post_of(workspace, f"feed:example.org:{100 + number}")


def say(workspace, post_of, one, other, *, same, by):
    told = {"same": same, "probability": 0.8, "by": by, "now": NOW}
    return say_of_pair(workspace, post(workspace, post_of, one), post(workspace, post_of, other), **told)


def places(some):
    return [int(one.post["uid"].rsplit(":", 1)[1]) - 100 for one in some]


def test_other_words_of_one_matter_are_found_with_what_led_to_them_and_copies_are_not(routers, post_of):
    found = likening.alike(post(routers, post_of, 0), routers)
    assert set(places(found.alike)) == {1, 3}
    assert all(one.probability >= likening.LEAST for one in found.alike)
    nearest = found.alike[0]
    assert {"Quibble", "router"} <= set(nearest.words) and nearest.shared.sentence and not nearest.in_thread
    assert set(places(found.doubtful)).isdisjoint({0, 2})


def test_what_lies_far_away_is_found_by_a_rare_word_and_the_cost_is_bounded(routers, post_of, monkeypatch):
    monkeypatch.setattr(likening, "NEAR", 2)
    found = likening.alike(post(routers, post_of, 0), routers)
    assert 3 in places(found.alike) and found.looked < len(MATTER) + len(REST)
    monkeypatch.setattr(likening, "SHARING", 1)
    assert likening.alike(post(routers, post_of, 0), routers).looked <= 2 * likening.NEAR + likening.SHARING


def test_rare_words_are_those_that_the_posts_around_do_not_have():
    around = ["the router is here"] * 60
    assert likening.rare_words("The quibble router overheats", around) == ["overheats", "quibble"]
    assert likening.rare_words("it is so", around) == []


def test_what_people_say_of_two_posts_stands_until_it_is_taken_back(routers, post_of, alice):
    pair = say(routers, post_of, 0, 1, same=False, by=alice)
    assert 1 not in places(likening.alike(post(routers, post_of, 0), routers).alike)
    assert 0 not in places(likening.alike(post(routers, post_of, 1), routers).alike)
    far = say(routers, post_of, 0, 7, same=True, by=alice)
    assert places(likening.alike(post(routers, post_of, 0), routers).alike)[0] == 7
    again = say(routers, post_of, 1, 0, same=True, by=alice)
    assert list(Pair.objects.filter(ended_at=None).order_by("pk")) == [far, again]
    for one in (far, again):
        take_pair_back(one, by=alice, now=NOW)
    assert set(places(likening.alike(post(routers, post_of, 0), routers).alike)) == {1, 3}
    assert AuditEntry.objects.filter(verb="undo").count() == 2 and Pair.objects.filter(pk=pair.pk).exists()
    with pytest.raises(Refused):
        say(routers, post_of, 0, 0, same=True, by=alice)


def test_the_page_of_a_post_shows_them_why_and_takes_a_word_with_one_click(routers, post_of, alice, carol, client_of):
    row, other = post(routers, post_of, 0), post(routers, post_of, 1)
    browser = client_of(alice)
    address = f"/acme/listen/post/{row['id']}/similar/"
    assert f'hx-get="{address}"' in browser.get(f"/acme/listen/post/{row['id']}/").content.decode()
    part = browser.get(address, headers={"HX-Request": "true"}).content.decode()
    assert "shuts down at night" in part and "Both say:" in part and "<html" not in part
    assert "<html" in browser.get(address).content.decode()
    said = {"other": other["id"], "same": "no"}
    assert client_of(carol).post(f"/acme/listen/post/{row['id']}/pair/", said).status_code == 403
    answer = browser.post(f"/acme/listen/post/{row['id']}/pair/", said, follow=True).content.decode()
    pair = Pair.objects.get()
    assert not pair.same and pair.by == alice and pair.probability > likening.LEAST
    assert f"/acme/listen/pairs/{pair.pk}/undo/" in answer
    assert "shuts down at night" not in browser.get(address).content.decode()
    browser.post(f"/acme/listen/pairs/{pair.pk}/undo/")
    assert "shuts down at night" in browser.get(address).content.decode()
    for wrong in ({"other": "x", "same": "no"}, {"other": other["id"], "same": "maybe"}, {"other": 5, "same": "yes"}):
        assert browser.post(f"/acme/listen/post/{row['id']}/pair/", wrong).status_code == 404


def test_a_stranger_sees_and_says_nothing(routers, post_of, alice, dan, client_of):
    pair = say(routers, post_of, 0, 1, same=True, by=alice)
    row, browser = post(routers, post_of, 0), client_of(dan)
    assert browser.get(f"/acme/listen/post/{row['id']}/similar/").status_code == 404
    assert browser.get("/acme/settings/models/same-matter/").status_code == 404
    assert browser.post(f"/acme/listen/pairs/{pair.pk}/undo/").status_code == 404
    assert Pair.objects.filter(ended_at=None).count() == 1


def test_a_limit_is_recommended_from_enough_pairs_of_either_kind_alone():
    low = [(0.65, False)] * 15 + [(0.9, True)] * 14
    assert weighed(low, held=0.6).best is None
    found = weighed([*low, (0.95, True)], held=0.6)
    assert found.best is not None and 0.65 < found.best.least <= 0.9 and found.best.right == 30 and found.is_better
    (now,) = (step for step in found.steps if step.now)
    assert (now.least, now.shown.n, now.missed, now.right) == (0.6, 30, 0, 15)
    one_wrong = [(0.65, False)] + [(0.9, True)] * 20 + [(0.2, False)] * 10
    assert not weighed(one_wrong, held=0.6).is_better
    assert weighed([(0.9, True)] * 40, held=0.6).best is None


def test_the_pairs_of_a_workspace_are_evaluated_and_move_its_limit(
    routers, post_of, alice, bob, carol, client_of, tmp_path, django_assert_max_num_queries
):
    browser = client_of(alice)
    page = "/acme/settings/models/same-matter/"
    assert "Nobody has judged a pair yet" in browser.get(page).content.decode()
    for one, other, same in ((0, 1, True), (0, 3, True), (1, 3, True), (4, 5, False), (6, 7, False), (0, 8, False)):
        say(routers, post_of, one, other, same=same, by=alice)
    with django_assert_max_num_queries(10):
        assert "Nothing is recommended before 30 pairs" in browser.get(page).content.decode()
    file = tmp_path / "pairs.csv"
    file.write_bytes(browser.get("/acme/settings/models/similar.csv").content)
    measured = evaluate_file("similar", file)
    assert measured["n"] == 6 and measured["auc"] == 1.0
    assert client_of(carol).get("/acme/settings/models/similar.csv").status_code == 403
    assert client_of(carol).post(f"{page}limit/", {"least": "90"}).status_code == 403
    browser.post(f"{page}limit/", {"least": "99.9"})
    assert likening.least_of(routers) == pytest.approx(0.999)
    assert likening.alike(post(routers, post_of, 0), routers).least > 0.99
    assert answering_now(routers).sure == {}
    browser.post(f"{page}limit/", {"least": ""})
    assert not Sureness.objects.exists() and likening.least_of(routers) == likening.LEAST
    assert "from 0 to 100" in browser.post(f"{page}limit/", {"least": "x"}, follow=True).content.decode()


def test_what_is_erased_takes_its_pairs_along(routers, post_of, alice):
    say(routers, post_of, 0, 1, same=True, by=alice)
    stays = say(routers, post_of, 3, 4, same=False, by=alice)
    uids = [post(routers, post_of, 1)["uid"]]
    assert data_exported(routers, uids=uids, authors=[])["pairs"][0]["same"]
    data_forgotten(routers, uids=uids, authors=[], now=NOW)
    assert list(Pair.objects.all()) == [stays]
