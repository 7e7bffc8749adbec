"""The page of voices: who is heard, in which order, why, and whose posts."""

from datetime import UTC, datetime

import pytest

from talkworthy.listening.models import Voice, VoicesCounted
from talkworthy.workspaces.models import Workspace

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
AGAIN = "/acme/trends/voices/"


def voice(workspace, account, influence, **more):
    fields = {
        "channel": "feed", "handle": account, "name": account.title(), "posts": 4, "found": 1, "people": 2,
        "counts": {"follower_count": 900, "posts": 4}, "signs": [["verified", 1.0, 1.0]], "acts": [[7, 1]],
        "reach": 0.8, "relevance": 0.5, "credibility": 0.6, "computed_at": NOW,
    }  # fmt: skip
    return Voice.objects.create(workspace=workspace, account=account, influence=influence, **{**fields, **more})


@pytest.fixture
def counted(workspace):
    middles = {"feed": {"follower_count": 10, "posts": 4}, "mastodon": {"posts": 1}}
    VoicesCounted.objects.create(
        workspace=workspace, archive_version=3, counted_at=NOW, posts=20, accounts=3, usual=0.25, middles=middles
    )
    voice(workspace, "loud", 90, reach=0.9)
    voice(workspace, "calm", 20, reach=0.2, posts=50)
    voice(workspace, "dim", None, channel="mastodon", reach=0.5)
    return workspace


def shown(answer):
    return [row["voice"].account for row in answer.context["rows"]]


def test_the_loudest_stand_first_and_the_undecided_last(client_of, carol, counted):
    answer = client_of(carol).get(AGAIN)
    assert shown(answer) == ["loud", "calm", "dim"]
    page = answer.content.decode()
    assert "undecided" in page and "/acme/listen/?channel=feed&amp;author=loud" in page


@pytest.mark.parametrize(
    ("asked", "accounts"),
    [
        ("sort=posts", ["calm", "loud", "dim"]),
        ("sort=reach", ["loud", "dim", "calm"]),
        ("sort=nonsense", ["loud", "calm", "dim"]),
        ("channel=mastodon", ["dim"]),
        ("page=2", []),
        ("page=-1&channel=%00", ["loud", "calm", "dim"]),
    ],
)
def test_they_are_ordered_and_filtered(client_of, carol, counted, asked, accounts):
    assert shown(client_of(carol).get(f"{AGAIN}?{asked}")) == accounts


def test_why_says_what_led_to_each_part(client_of, carol, counted):
    page = client_of(carol).get(AGAIN).content.decode()
    assert "900 followers, 10 in the middle" in page
    assert "monitors found 1 of its 4 posts" in page and "25 % is usual" in page
    assert "the channel vouches for it" in page and "/acme/listen/post/7/" in page and "answers it" in page


def test_a_long_list_is_paged_and_costs_the_same(client_of, carol, counted, django_assert_num_queries):
    for number in range(60):
        voice(counted, f"v{number}", 50)
    client = client_of(carol)
    client.get(AGAIN)  # notes when they were last there
    with django_assert_num_queries(8):  # session, user, member, state, voices, the rail's two counts, other workspaces
        first = client.get(AGAIN)
    assert len(shown(first)) == 50 and "?page=2" in first.content.decode()
    assert shown(client.get(f"{AGAIN}?page=2"))[-2:] == ["calm", "dim"]


def test_nothing_of_another_workspace_is_shown(client_of, carol, counted):
    voice(Workspace.objects.create(name="Decoy", slug="decoy"), "theirs", 99)
    assert "theirs" not in shown(client_of(carol).get(AGAIN))
    assert client_of(carol).get("/decoy/trends/voices/").status_code == 404


def test_before_the_first_count_the_page_teaches(client_of, carol, workspace, filled):
    assert "Accounts are being counted" in client_of(carol).get(AGAIN).content.decode()


def test_without_posts_it_says_where_to_begin(client_of, carol, workspace):
    assert "Nothing has been collected yet" in client_of(carol).get(AGAIN).content.decode()


def test_the_file_holds_every_account_and_no_formula_and_viewers_do_not_get_it(client_of, bob, carol, counted):
    voice(counted, "evil", 95, name="=1+1")
    answer = client_of(bob).get("/acme/trends/voices.csv?sort=reach")
    lines = answer.content.decode("utf-8-sig").splitlines()
    assert lines[0].startswith("channel,account,handle,name,influence") and len(lines) == 5
    assert "'=1+1" in answer.content.decode()
    assert client_of(carol).get("/acme/trends/voices.csv").status_code in (403, 404)
    assert "voices.csv" not in client_of(carol).get(AGAIN).content.decode()
