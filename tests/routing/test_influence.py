"""How far an author is heard, in rules, in the playbook and in replays, is what was counted from the archive."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.conftest import NOW
from tests.routing.test_arriving import arrive, frank, look, post, rule, team  # noqa: F401 - fixtures
from tests.routing.test_replaying import replayed

from talkworthy.analysis.meaning import MEANING
from talkworthy.ecosystem.models import Touchpoint
from talkworthy.listening.models import Monitor, Voice
from talkworthy.listening.stores import archive_of
from talkworthy.listening.voices import heard_of
from talkworthy.routing.askers import Facts, Seen, harm
from talkworthy.routing.models import Case, Decision, Rule
from talkworthy.routing.playbook import compile_playbook, default_tree
from talkworthy.routing.triage import decide, decide_all, known

pytestmark = pytest.mark.django_db
QUIET, LOUD = 20, 95


def voice(workspace, account, influence, channel="forum"):
    """An account as it was counted."""
    return Voice.objects.create(
        workspace=workspace, channel=channel, account=account, posts=9, found=3, people=4,
        reach=0.8, relevance=0.3, credibility=0.6, influence=influence, computed_at=NOW,
    )  # fmt: skip


@pytest.fixture
def voices(filled):
    """A quiet and a loud account, and the loud one's namesake on another channel."""
    voice(filled, "ann", QUIET)
    voice(filled, "star", LOUD)
    voice(filled, "ann", LOUD, channel="mastodon")
    return filled


def test_a_rule_finds_those_who_are_heard_and_a_replay_finds_the_same(voices, rule):  # noqa: F811
    Rule.objects.filter(pk=rule.pk).update(condition="router influence:>=50")
    arrive(voices, post(1, author="ann"), post(2, author="star"), post(3, author="nobody"))
    look()
    assert list(Decision.objects.exclude(rules=[]).values_list("uid", flat=True)) == [post(2)["uid"]]
    found = replayed(voices)
    assert (found["held"], found["cases"], found["different"]) == (1, 1, 0)
    Voice.objects.filter(account="star").update(influence=QUIET)
    assert [row["uid"] for row in replayed(voices)["differences"]] == [post(2)["uid"]]


def test_a_rule_finds_what_is_said_at_a_touchpoint(filled, rule, alice):  # noqa: F811
    hotline = Touchpoint.objects.create(workspace=filled, name="Hotline", slug="hotline", query="hotline")
    Monitor.objects.create(workspace=filled, name="Hotline", query="hotline", kind="touchpoint", touchpoint=hotline)
    Rule.objects.filter(pk=rule.pk).update(condition="router touchpoint:hotline")
    arrive(filled, post(1), post(2, "My Acme router: the hotline is silent"))
    look()
    assert list(Decision.objects.exclude(rules=[]).values_list("uid", flat=True)) == [post(2)["uid"]]
    assert replayed(filled)["different"] == 0


def test_a_triaged_case_holds_what_was_counted(voices, rule):  # noqa: F811
    Rule.objects.filter(pk=rule.pk).update(effects=[{"do": "open_case"}, {"do": "triage"}])
    arrive(voices, post(1, author="star"), post(2, author="ann"))
    look()
    assert sorted(Case.objects.values_list("influence", flat=True)) == [QUIET / 100, LOUD / 100]
    assert replayed(voices)["different"] == 0


def test_many_authors_are_looked_up_in_one_statement_a_channel(voices, django_assert_num_queries):
    posts = [{"channel": "forum", "author": {"id": name}} for name in ("ann", "star", "nobody")]
    with django_assert_num_queries(2):
        heard = heard_of(voices, posts * 100)
    assert [(one.influence, one.counted) for one in heard[:3]] == [(QUIET, True), (LOUD, True), (None, False)]


def test_who_was_not_counted_is_judged_by_followers_beside_the_middle_account(filled):
    def influence(followers):
        return heard_of(filled, [{"channel": "forum", "author": {"id": "x", "followers": followers}}])[0].influence

    assert influence(300) == 50 and influence(None) is None
    assert influence(10) < 30 and influence(100_000) > 90


def facts(influence=None, **engagement):
    """A mention of us by somebody who is heard so far."""
    return Facts(
        post={"text": "Shame", "engagement": engagement}, monitors=[Seen(1, "Us", "brand")], influence=influence
    )


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        (facts(), "no"),
        (facts(50), "no"),
        (facts(75), "no"),
        (facts(85), "yes"),
        (facts(10, shares=700), "yes"),
        (facts(10, shares=2), "no"),
    ],
)
def test_silence_harms_where_the_author_is_heard_or_it_spread(given, answer):
    assert harm(given)[0] == answer


def test_a_query_of_an_answer_may_ask_for_influence_alone_and_among_many():
    tree = default_tree()
    node = next(name for name, held in tree["nodes"].items() if "yes" in held["answers"])
    tree["nodes"][node]["answers"]["yes"]["when"] = "influence:>=90"
    compiled = compile_playbook(known({**tree, "start": node}), now=NOW, similarity=MEANING)
    posts = {"uid": "a", "channel": "forum", "text": "Acme", "published_at": NOW - timedelta(hours=1)}
    loud = Facts(post=posts, influence=LOUD)
    for told, by in ((loud, "query"), (replace(loud, influence=QUIET), None), (replace(loud, influence=None), None)):
        alone, among = decide(compiled, told), decide_all(compiled, [told] * 40)[0]
        assert alone == among
        assert (alone.path[0].evidence.by == "query") == (by == "query")


def test_nothing_is_looked_up_where_no_rule_asks(filled, rule):  # noqa: F811
    arrive(filled, post(1))
    look()
    assert archive_of(filled).get(post(1)["uid"]) is not None and Case.objects.count() == 1
