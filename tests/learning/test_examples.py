"""A touchpoint learns from a few examples: what they tie, why, and how it is taken back."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import Sum

from talkworthy.archive import Scan
from talkworthy.ecosystem import actions as ecosystem
from talkworthy.learning import actions
from talkworthy.learning.models import CarriedTie, Label, LearnedTie, TaughtTouchpoint
from talkworthy.learning.tying import look, tie_due
from talkworthy.listening import actions as listening
from talkworthy.listening.collecting import Listener, source_key
from talkworthy.listening.filters import Filter
from talkworthy.listening.models import HourCube, Monitor, Source
from talkworthy.listening.replay import rematch
from talkworthy.listening.selectors import mentions
from talkworthy.listening.stores import archive_of
from talkworthy.listening.touchpoints import learned_of_monitor
from talkworthy.query import compile_query, parse
from talkworthy.routing.models import Arrival, Rule
from talkworthy.routing.rulebook import rulebook_of
from talkworthy.schema import posts_table
from talkworthy.workspaces.models import AuditEntry, Member

NOW = datetime(2026, 3, 4, 12, 0, 1, tzinfo=UTC)
DELIVERY = (
    "my parcel has still not arrived, where is my delivery",
    "the courier lost my package, delivery is late again",
    "delivery of my order is a week late, the parcel is nowhere",
    "still waiting for my package, the delivery never arrived",
    "where is my parcel? delivery was promised for monday",
    "the package was delivered to the wrong house",
)
REST = (
    "the new colours of the app look lovely",
    "how do I change my password on the website",
    "great concert last night, loved the band",
    "anyone else watching the football tonight",
    "the invoice shows a wrong amount for march",
    "my phone battery dies after two hours",
    "the staff in the shop were very friendly",
    "does the subscription renew by itself",
    *(
        f"{who} {what}"
        for who in ("my neighbour", "the singer", "our teacher", "this newspaper", "a friend of mine")
        for what in (
            "paints the kitchen in yellow",
            "scored twice in the second half",
            "cannot log in with the new browser",
            "talks about taxes and elections",
            "bakes bread on sundays",
        )
    ),
)


@pytest.fixture
def delivery(workspace, alice):
    """Acme with a touchpoint whose query finds nothing, and posts about deliveries and other matters."""
    source = Source.objects.create(workspace=workspace, connector="files", name="Posts", key="k" * 43, state="paused")
    arrive(workspace, source, [*DELIVERY, *REST], first=0)
    return ecosystem.create_touchpoint(workspace, name="Delivery", kind="service", query="acmeship", by=alice, now=NOW)


def arrive(workspace, source, texts, *, first):
    listener = Listener(workspace)
    rows = [
        {
            "uid": f"feed:example.org:{first + number}",
            "text": text,
            "published_at": NOW - timedelta(hours=first + number),
            "collected_at": NOW,
            "author": {"id": "a1", "handle": "ann", "name": "Ann"},
            "source": source_key(source),
        }
        for number, text in enumerate(texts)
    ]
    listener.archive.spool.write(source_key(source), first + 1, posts_table(rows))
    listener.store_pending(now=NOW)


def post(workspace, number):
    return archive_of(workspace).get(f"feed:example.org:{number}")


def mark(touchpoint, number, *, belongs=True, by, now=NOW):
    label, _before = actions.mark_example(
        touchpoint, post(touchpoint.workspace, number), belongs=belongs, by=by, now=now
    )
    return label


@pytest.fixture
def taught(delivery, alice):
    """Three posts belong and one does not; every post was looked at."""
    for number in (0, 1, 2):
        mark(delivery, number, by=alice)
    mark(delivery, 6, belongs=False, by=alice)
    assert tie_due(now=NOW) == 1
    return TaughtTouchpoint.objects.get()


def tied():
    return sorted(int(tie.uid.rsplit(":", 1)[1]) for tie in LearnedTie.objects.all())


def test_before_three_examples_belong_nothing_is_tied(delivery, alice):
    mark(delivery, 0, by=alice)
    mark(delivery, 1, by=alice)
    assert tie_due(now=NOW) == 1 and tied() == []


def test_posts_like_the_examples_are_tied_and_others_are_not(taught):
    assert {3, 4} <= set(tied())
    assert not set(tied()) & {0, 1, 2, *range(6, 14)}
    tie = LearnedTie.objects.get(uid="feed:example.org:3")
    number, alike, words = tie.nearest[0]
    assert number in {post(taught.workspace, example)["id"] for example in (0, 1, 2)}
    assert 0 < alike <= 1 and "delivery" in words


def test_a_search_for_the_touchpoint_finds_what_was_marked_and_what_was_tied(taught, alice):
    viewer = Member.objects.get(workspace=taught.workspace, user=alice)
    page = mentions.mentions(Filter(words="touchpoint:delivery"), viewer=viewer, period=None, now=NOW)
    found = sorted(int(row["uid"].rsplit(":", 1)[1]) for row in page.posts)
    assert found == sorted({0, 1, 2, *tied()})


def monitored(workspace, monitor):
    """The numbers of the posts that stand under a monitor, and how many the counts know."""
    rows = archive_of(workspace).table(Scan(columns=("uid",), monitors_any=(monitor.pk,))).to_pylist()
    counted = HourCube.objects.filter(workspace=workspace, monitor=monitor.pk).aggregate(n=Sum("posts"))["n"]
    return sorted(int(row["uid"].rsplit(":", 1)[1]) for row in rows), counted or 0


def test_what_is_learned_stands_under_the_touchpoints_monitor_and_in_the_counts(taught, alice, agree):
    workspace, monitor = taught.workspace, Monitor.objects.get(touchpoint=taught.touchpoint)
    expected = sorted({0, 1, 2, *tied()})
    assert monitored(workspace, monitor) == (expected, len(expected))
    agree(workspace)
    mark(taught.touchpoint, 3, belongs=False, by=alice, now=NOW + timedelta(seconds=1))
    tie_due(now=NOW + timedelta(seconds=2))
    assert 3 not in monitored(workspace, monitor)[0]
    actions.let_examples_answer(taught.touchpoint, False, by=alice, now=NOW + timedelta(seconds=3))
    tie_due(now=NOW + timedelta(seconds=4))
    assert monitored(workspace, monitor) == ([], 0) and not CarriedTie.objects.exists()
    agree(workspace)


def test_a_query_that_matches_history_leaves_what_examples_tied_and_they_leave_what_it_finds(taught, alice):
    workspace, monitor = taught.workspace, Monitor.objects.get(touchpoint=taught.touchpoint)
    expected = sorted({0, 1, 2, *tied()})
    ecosystem.change_touchpoint(taught.touchpoint, query="password", by=alice, now=NOW)
    monitor.refresh_from_db()
    assert run_rematch(monitor) == sorted({*expected, 7})
    ecosystem.change_touchpoint(taught.touchpoint, query="parcel", by=alice, now=NOW)
    monitor.refresh_from_db()
    assert run_rematch(monitor) == expected
    actions.let_examples_answer(taught.touchpoint, False, by=alice, now=NOW + timedelta(seconds=3))
    tie_due(now=NOW + timedelta(seconds=4))
    assert monitored(workspace, monitor)[0] == [0, 2, 4]


def run_rematch(monitor):
    """Match history with a monitor's query as its job does; what stands under it then."""
    query = compile_query(parse(monitor.query), now=NOW)
    besides = learned_of_monitor(monitor)
    rematch(archive_of(monitor.workspace), query, monitor=monitor.pk, progress=lambda *_: None, besides=besides)
    return monitored(monitor.workspace, monitor)[0]


def test_a_monitor_and_a_rule_that_ask_for_the_touchpoint_hear_of_what_is_learned(delivery, alice):
    workspace = delivery.workspace
    told = {"kind": "topic", "colour": "blue", "owner": None, "by": alice, "now": NOW}
    asking = listening.create_monitor(workspace, name="Late", query="touchpoint:delivery late", **told)
    told = {"condition": "touchpoint:delivery", "effects": [{"do": "open_case"}], "enabled": True}
    Rule.objects.create(workspace=workspace, name="Parcels", **told)
    Arrival.objects.all().delete()
    for number in (0, 1, 2):
        mark(delivery, number, by=alice)
    tie_due(now=NOW)
    assert monitored(workspace, asking)[0] == [1, 2]
    waiting = {int(uid.rsplit(":", 1)[1]) for uid in Arrival.objects.values_list("uid", flat=True)}
    assert waiting == {0, 1, 2, *tied()}
    posts = archive_of(workspace).table(Scan(limit=500))
    verdicts = dict(zip(posts["uid"].to_pylist(), rulebook_of(workspace, now=NOW).verdicts(posts), strict=True))
    assert {int(uid.rsplit(":", 1)[1]) for uid, verdict in verdicts.items() if verdict.plan.rules} == waiting


def test_the_page_of_a_post_says_that_examples_tied_it_how_surely_and_why(taught, alice, client_of):
    page = client_of(alice).get(f"/acme/listen/post/{post(taught.workspace, 3)['id']}/").content.decode()
    assert page.count("learned from examples, ") == 2 and "An example, alike by" in page
    assert "an earlier version of it found this" not in page
    marked = client_of(alice).get(f"/acme/listen/post/{post(taught.workspace, 0)['id']}/").content.decode()
    assert marked.count("marked as an example") == 2


def test_what_arrives_later_is_tied_at_the_next_look(taught):
    source = Source.objects.get(workspace=taught.workspace, name="Posts")
    arrive(
        taught.workspace, source, ["no sign of the parcel, my delivery is late", "lovely weather for a walk"], first=50
    )
    before = tied()
    assert tie_due(now=NOW) == 0
    assert tie_due(now=NOW + timedelta(minutes=1)) == 1
    assert tied() == [*before, 50]


def test_a_tied_post_that_is_marked_as_not_belonging_is_untied_at_once_and_for_good(taught, alice):
    mark(taught.touchpoint, 3, belongs=False, by=alice)
    assert 3 not in tied()
    tie_due(now=NOW)
    assert 3 not in tied()
    label = Label.objects.get(uid="feed:example.org:3", ended_at=None)
    assert (label.task, label.value, label.answer) == (taught.task, "no", "yes")
    assert AuditEntry.objects.filter(verb="mark").count() == 5


def test_an_example_that_is_taken_back_teaches_nothing_any_more(taught, alice):
    label = Label.objects.get(uid="feed:example.org:0", ended_at=None)
    actions.take_example_back(taught.touchpoint, label, by=alice, now=NOW)
    tie_due(now=NOW)
    assert tied() == []
    actions.take_example_back(taught.touchpoint, label, by=alice, now=NOW)
    assert AuditEntry.objects.filter(verb="undo").count() == 1


def test_switched_off_everything_is_untied_and_the_examples_are_kept(taught, alice):
    actions.let_examples_answer(taught.touchpoint, False, by=alice, now=NOW)
    assert tied() == [] and Label.objects.filter(task=taught.task, ended_at=None).count() == 4
    tie_due(now=NOW)
    assert tied() == []
    actions.let_examples_answer(taught.touchpoint, True, by=alice, now=NOW)
    tie_due(now=NOW)
    assert {3, 4} <= set(tied())


def test_examples_that_change_during_a_look_are_looked_at_again(taught, alice):
    TaughtTouchpoint.objects.update(looked_at=None)
    stale = TaughtTouchpoint.objects.get()
    mark(taught.touchpoint, 4, belongs=False, by=alice, now=NOW + timedelta(seconds=1))
    before = tied()
    look(stale, now=NOW)
    assert tied() == before
    assert TaughtTouchpoint.objects.get().looked_at is None


def test_what_is_erased_is_no_example_and_tied_no_more(taught):
    from talkworthy.learning.joining import data_forgotten

    data_forgotten(taught.workspace, ["feed:example.org:0", "feed:example.org:3"], [], NOW)
    assert 3 not in tied()
    tie_due(now=NOW)
    assert tied() == []


def test_the_page_shows_examples_what_they_tied_and_what_to_mark(taught, alice, client_of):
    page = client_of(alice)
    address = f"/acme/touchpoints/{taught.touchpoint.pk}/examples/"
    words = page.get(address).content.decode()
    assert "still waiting for my package" in words and "Learned, " in words and "BANKING77" in words
    found = page.get(address, {"q": "password"}).content.decode()
    assert "how do I change my password" in found
    assert "cannot be searched" in page.get(address, {"q": '"open'}).content.decode()


def test_a_mark_from_the_page_is_undone_with_one_click(delivery, alice, client_of):
    page = client_of(alice)
    number = post(delivery.workspace, 0)["id"]
    answer = page.post(
        f"/acme/listen/post/{number}/example/", {"touchpoint": delivery.pk, "belongs": "yes"}, follow=True
    )
    label = Label.objects.get(ended_at=None)
    undo = f"/acme/touchpoints/{delivery.pk}/examples/{label.pk}/undo/"
    assert undo in answer.content.decode()
    page.post(undo)
    assert not Label.objects.filter(ended_at=None).exists()


def test_a_post_names_the_touchpoint_that_learned_it(taught, alice, client_of):
    words = client_of(alice).get(f"/acme/listen/post/{post(taught.workspace, 3)['id']}/").content.decode()
    assert "learned from examples" in words and "Belongs here" in words


@pytest.mark.parametrize("what", ["mark", "switch", "undo"])
def test_a_viewer_may_look_and_change_nothing(taught, carol, client_of, what):
    page = client_of(carol)
    address = f"/acme/touchpoints/{taught.touchpoint.pk}/examples/"
    words = page.get(address).content.decode()
    assert "Belongs here</button>" not in words and "Untie" not in words
    label = Label.objects.filter(ended_at=None).first()
    target = {
        "mark": f"/acme/listen/post/{label.post_id}/example/",
        "switch": f"{address}switch/",
        "undo": f"{address}{label.pk}/undo/",
    }[what]
    assert page.post(target, {"touchpoint": taught.touchpoint.pk, "belongs": "no"}).status_code == 403
    assert Label.objects.filter(ended_at=None).count() == 4 and tied()


def test_a_stranger_finds_no_touchpoint_of_another_workspace(taught, dan, client_of):
    assert client_of(dan).get(f"/acme/touchpoints/{taught.touchpoint.pk}/examples/").status_code == 404
