"""The inbox and the page of a case: the order of the queue, its filter, what stands beside a case, who may see it."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from talkworthy.people.models import Identity
from talkworthy.responding.casequery import CASES
from talkworthy.responding.models import Presence
from talkworthy.responding.selectors import inbox as selectors
from talkworthy.responding.selectors.case import page_of
from talkworthy.responding.selectors.inbox import Asked
from talkworthy.routing.models import (
    DUE_OR_NEVER,
    Case,
    CaseChange,
    CaseConversation,
    CaseTag,
    Conversation,
    Message,
    Note,
    Timer,
)
from talkworthy.workspaces.models import Team, TeamMember, Workspace

pytestmark = pytest.mark.django_db
NOW = timezone.now()
DAY = timedelta(days=1)


@pytest.fixture
def opened(workspace, people):
    """Open a case with one message; beside it a decoy in another workspace that looks like it."""
    other = Workspace.objects.create(name="Decoy", slug="decoy")

    def made(number, title="Router is broken", **more):
        for space in (other, workspace):
            said = {"title": title, "channel": "mastodon", "opened_at": NOW - DAY, "state": "open"} | (
                more if space == workspace else {}
            )
            case = Case.objects.create(workspace=space, number=number, **said)
            talk = Conversation.objects.create(
                workspace=space, channel="mastodon", root=f"m::{number}", first_at=NOW, last_at=NOW
            )
            CaseConversation.objects.create(case=case, conversation=talk)
            Message.objects.create(
                workspace=space, conversation=talk, uid=f"m::{number}", text=title, author_name="Zoe", at=NOW - DAY
            )
        return case

    return made


def numbers(viewer, words="", tab="all", now=NOW):
    listed = selectors.inbox(Asked(tab, words), viewer=viewer, now=now)
    return [row.case.number for row in listed.rows]


def test_the_queue_goes_by_rank_then_by_deadline_and_what_is_never_due_comes_last(people, opened):
    opened(1, rank=10)
    opened(2, rank=20, due_at=NOW + DAY, state="new")
    opened(3, rank=20, due_at=NOW, state="waiting")
    opened(4, rank=20)
    opened(5, rank=99, state="resolved")
    opened(6, rank=99, state="snoozed")
    assert numbers(people["frank"]) == [3, 2, 4, 1]


def test_the_tabs_hold_mine_my_teams_nobodys_and_what_is_due(workspace, people, opened):
    frank = people["frank"]
    team, others = (Team.objects.create(workspace=workspace, name=name, slug=name) for name in ("a", "b"))
    TeamMember.objects.create(team=team, member=frank)
    opened(1, owner=frank)
    opened(2, team=team, owner=people["gina"])
    opened(3, team=others, owner=people["gina"])
    opened(4, due_at=NOW + timedelta(hours=1))
    found = {tab: numbers(frank, tab=tab) for tab in selectors.TABS}
    whole = [4, 1, 2, 3]
    assert found == {"mine": [1], "team": [2], "unassigned": [4], "due": [4], "unread": [], "all": whole}
    assert selectors.tallies(viewer=frank, now=NOW) == {tab: len(rows) for tab, rows in found.items()}
    assert selectors.waiting_for(frank) == 1


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("priority:risk", [1]),
        ("-priority:risk", [2, 3]),
        ("assignee:me OR assignee:none", [1, 3]),
        ("assignee:gina@example.org", [2]),
        ("state:resolved", [4]),
        ("state:(resolved OR open)", [1, 2, 3, 4]),
        ("smoke", [1]),
        ("#2", [2]),
        ("number:2", [2]),
        ("tag:hardware", [3]),
        ("team:none language:de", [2]),
        ("urgency:>=50", [1]),
        ("is:missed", [3]),
        ("is:due", [3]),
        ("is:unanswered", [1, 3]),
        ("is:reopened", [2]),
        ("missedTime:first_answer", [3]),
        ("since:2d", [1, 2, 3]),
        ("until:2020-01-01", []),
        ("resolvedSince:3d", [4]),
        ("channel:mastodon title:fine", [2]),
    ],
)
def test_the_filter_speaks_the_query_language(people, opened, words, found):
    one = opened(1, "It began to smoke", priority="risk", owner=people["frank"], urgency=80)
    two = opened(2, "Alles fine", language="de", owner=people["gina"], last_answered_at=NOW, last_inward_at=NOW - DAY)
    three = opened(3, due_at=NOW - timedelta(minutes=1))
    opened(4, state="resolved", resolved_at=NOW - DAY)
    CaseTag.objects.create(case=three, tag="hardware")
    CaseChange.objects.create(case=two, what="state", old="resolved", new="open")
    CaseChange.objects.create(case=one, what="state", old="new", new="open")
    Timer.objects.create(case=three, kind="first_answer", due_at=NOW, outcome="missed", done_at=NOW)
    assert sorted(numbers(people["frank"], words)) == found


def test_a_filter_that_cannot_be_read_says_what_to_change(client_of, people, opened):
    opened(1)
    client = client_of(people["frank"])
    page = client.get("/acme/inbox/", {"q": "priority:rsk"}).content.decode()
    assert "E-VALUE" in page and "The filter cannot be read yet" in page and "Router is broken" not in page
    assert "E-VALUE" in client.get("/acme/inbox/check/", {"q": "state:lost"}).content.decode()
    assert "problem" not in client.get("/acme/inbox/check/", {"q": "state:open"}).content.decode()


def test_the_rows_answer_nothing_while_nothing_changed(client_of, people, opened):
    case = opened(1)
    client = client_of(people["frank"])
    stamp = client.get("/acme/inbox/").context["listed"].stamp
    now = timezone.now()
    if selectors.inbox(Asked(), viewer=people["frank"], now=now).stamp == stamp:  # the minute may just have turned
        assert client.get("/acme/inbox/rows/", {"stamp": stamp}).status_code == 204
    Case.objects.filter(pk=case.pk).update(version=2)
    answer = client.get("/acme/inbox/rows/", {"stamp": stamp})
    assert answer.status_code == 200 and "Router is broken" in answer.content.decode()


def test_one_sees_who_else_is_at_a_case(client_of, people, opened):
    case = opened(1)
    Presence.objects.create(case=case, member=people["gina"], is_writing=True, at=timezone.now())
    Presence.objects.create(case=case, member=people["erin"], at=timezone.now() - DAY)
    page = client_of(people["frank"]).get("/acme/inbox/").content.decode()
    assert "Gina writes" in page and "Erin" not in page.partition('id="rows"')[2].partition("</form>")[0]


def test_a_long_queue_asks_no_more_statements_than_a_short_one(client_of, people, opened, django_assert_num_queries):
    for number in range(1, 8):
        opened(number, owner=people["gina"])
    client = client_of(people["frank"])
    client.get("/acme/inbox/")
    with django_assert_num_queries(QUERIES):
        client.get("/acme/inbox/")
    for number in range(8, 70):
        opened(number, owner=people["gina"])
    with django_assert_num_queries(QUERIES):
        page = client.get("/acme/inbox/").content.decode()
    assert page.count("data-case-link") == 50 and "Further down" in page


QUERIES = 21


def test_a_page_deep_in_the_queue_begins_at_a_place_and_asks_as_many_statements(
    client_of, people, opened, django_assert_num_queries
):
    for number in range(1, 121):
        opened(number, rank=number // 3, due_at=NOW + timedelta(minutes=number) if number % 2 else None)
    client = client_of(people["frank"])
    first = client.get("/acme/inbox/")
    with django_assert_num_queries(QUERIES):
        second = client.get(f"/acme/inbox/?{first.context['to_older']}")
    third = client.get(f"/acme/inbox/?{second.context['to_older']}")
    shown = [row.case.number for page in (first, second, third) for row in page.context["listed"].rows]
    assert len(shown) == len(set(shown)) == 120 and not third.context["to_older"] and not first.context["to_newer"]
    assert shown == [
        case.number
        for case in sorted(
            Case.objects.filter(workspace__slug="acme"), key=lambda case: (-case.rank, case.due_at or FAR, case.number)
        )
    ]
    back = client.get(f"/acme/inbox/?{third.context['to_newer']}")
    assert [row.case.number for row in back.context["listed"].rows] == shown[50:100]
    top = client.get(f"/acme/inbox/?{second.context['to_newer']}")
    assert [row.case.number for row in top.context["listed"].rows] == shown[:50] and not top.context["to_newer"]


def test_a_link_into_the_queue_stays_where_it_is_when_others_come_and_go(client_of, people, opened):
    for number in range(1, 61):
        opened(number, rank=100 - number)
    client = client_of(people["frank"])
    link = f"/acme/inbox/?{client.get('/acme/inbox/').context['to_older']}"
    opened(61, rank=1000)
    Case.objects.filter(workspace__slug="acme", number__in=(50, 55)).update(state="resolved")
    assert [row.case.number for row in client.get(link).context["listed"].rows] == [51, 52, 53, 54, 56, 57, 58, 59, 60]
    Case.objects.filter(workspace__slug="acme", number__gt=50).update(state="resolved")
    assert "Nothing stands further down any more" in client.get(link).content.decode()


@pytest.mark.parametrize("wrong", ["1", "x_y_z", "1_2", "1_never_0000000000001", "9" * 400, "1_999999999999999999_1"])
def test_a_place_that_cannot_be_read_is_the_beginning(client_of, people, opened, wrong):
    opened(1)
    page = client_of(people["frank"]).get("/acme/inbox/", {"after": wrong})
    assert [row.case.number for row in page.context["listed"].rows] == [1]


def test_the_queue_is_read_along_its_index(people, opened):
    opened(1)
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL reads a table of one row without an index")
    waiting = Case.objects.filter(workspace=people["frank"].workspace, state="open").annotate(due_order=DUE_OR_NEVER)
    plan = waiting.order_by("-rank", "due_order", "number")[:50].explain()
    assert "cases_in_the_queue" in plan and "B-TREE" not in plan


def test_a_class_is_read_along_its_own_index(people, opened):
    opened(1)
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL reads a table of one row without an index")
    found = Case.objects.filter(workspace=people["frank"].workspace, state="open", priority="low")
    plan = found.annotate(due_order=DUE_OR_NEVER).order_by("-rank", "due_order", "number")[:50].explain()
    assert "cases_of_a_class" in plan and "B-TREE" not in plan


@pytest.mark.parametrize("words", ["drops", "-drops", "zoe drops", "rare", "nowhere", "ab", "title:drops OR rare"])
def test_words_found_case_by_case_are_those_that_the_index_finds(people, opened, words, monkeypatch):
    zoe = Identity.objects.create(workspace=people["frank"].workspace, channel="email", account="z", name="Zoe Abt")
    for number in range(1, 61):
        title = f"The line drops {number}" if number % 3 else f"rare {number}" if number == 51 else f"fine {number}"
        state = ("new", "open", "waiting", "resolved")[number % 7 % 4]
        due = NOW + timedelta(minutes=number) if number % 2 else None
        opened(number, title, rank=number // 4, state=state, due_at=due, requester=zoe if number % 5 else None)
    monkeypatch.setattr(selectors, "WALKED", (3, 4, 5))
    monkeypatch.setattr(selectors, "ON_A_PAGE", 6)
    by_index, by_row = [], []
    for pages, walks in ((by_index, False), (by_row, True)):
        if not walks:
            held = selectors._may_walk
            monkeypatch.setattr(selectors, "_may_walk", lambda asked: False)
        else:
            monkeypatch.setattr(selectors, "_may_walk", held)
        asked = Asked("all", words)
        while True:
            listed = selectors.inbox(asked, viewer=people["frank"], now=NOW)
            pages.append([row.case.number for row in listed.rows])
            if listed.newer is not None:
                before = selectors.inbox(Asked("all", words, before=listed.newer), viewer=people["frank"], now=NOW)
                pages.append([row.case.number for row in before.rows])
            if listed.older is None:
                break
            asked = Asked("all", words, after=listed.older)
    assert by_row == by_index


def test_a_frequent_word_fills_the_page_from_the_first_cases_of_the_queue(people, opened, django_assert_num_queries):
    for number in range(1, 70):
        opened(number, "The line drops", rank=number)
    with django_assert_num_queries(7):  # three states along the index, one look, the cases, who is here, what was seen
        listed = selectors.inbox(Asked("all", "drops"), viewer=people["frank"], now=NOW)
    assert len(listed.rows) == selectors.ON_A_PAGE


FAR = NOW + timedelta(days=9999)


def test_the_case_page_shows_the_conversation_with_notes_edits_and_deletions(client_of, people, opened):
    case = opened(1, "It began to smoke")
    talk = case.conversations.get()
    first = Message.objects.get(workspace=case.workspace, uid="m::1")
    Message.objects.filter(pk=first.pk).update(edited_at=NOW)
    said = {"workspace": case.workspace, "conversation": talk}
    Message.objects.create(**said, uid="m::ours", parent="m::1", text="We are sorry", direction="outward", at=NOW)
    Message.objects.create(**said, uid="m::gone", parent="m::ours", text="", deleted_at=NOW, at=NOW)
    Note.objects.create(case=case, by=people["gina"], text="Ask @frank <b>first</b>", at=NOW - timedelta(hours=1))
    page = client_of(people["frank"]).get("/acme/cases/1/").content.decode()
    for words in ("It began to smoke", "edited", "We are sorry", "said outward", "Deleted by its author"):
        assert words in page
    assert '<span class="mention">@frank</span> &lt;b&gt;first' in page
    entries = page_of(case, viewer=people["frank"]).entries
    assert [entry.note is not None for entry in entries] == [False, True, False, False]
    assert [entry.said.depth for entry in entries if entry.said] == [0, 1, 2]


def test_a_case_of_another_workspace_is_not_there(client_of, people, dan, opened):
    opened(1)
    Case.objects.create(workspace=Workspace.objects.get(slug="decoy"), number=77, title="Secret")
    client = client_of(people["frank"])
    assert [client.get(f"/acme/cases/77/{part}").status_code for part in ("", "alike/", "story/")] == [404] * 3
    assert client_of(dan).get("/acme/cases/1/").status_code == 404
    assert "Secret" not in client.get("/acme/inbox/").content.decode()


def test_who_only_reads_finds_nothing_to_press(client_of, people, opened):
    opened(1)
    page = client_of(people["carol"]).get("/acme/cases/1/").content.decode()
    assert "Router is broken" in page and 'value="resolve"' not in page and 'name="number"' not in page
    assert not Presence.objects.exists()


def test_settled_cases_with_like_words_are_shown_with_the_words(client_of, people, opened):
    opened(1, "The battery of the router smokes when charging")
    opened(2, "My battery smokes while charging the router", state="resolved", outcome="support")
    opened(3, "Where can I buy a blue shirt?", state="resolved")
    opened(4, "The battery of the router smokes when charging", state="open")
    page = client_of(people["frank"]).get("/acme/cases/1/alike/").content.decode()
    assert "My battery smokes" in page and "blue shirt" not in page and "battery" in page and "/cases/4/" not in page


def test_the_story_of_a_case_tells_everything_in_order(client_of, people, opened):
    case = opened(1, "It began to smoke")
    CaseChange.objects.create(case=case, what="state", old="new", new="open", by=people["gina"].user, at=NOW)
    Timer.objects.create(case=case, kind="first_answer", due_at=NOW - timedelta(hours=2), outcome="missed", done_at=NOW)
    lines = client_of(people["carol"]).get("/acme/cases/1/story/").context["lines"]
    assert [line.kind for line in lines] == ["said", "missed", "change"]
    assert "State: New → Open" in lines[2].words


def test_n_takes_the_first_case_and_then_the_one_after(client_of, people, opened):
    opened(1, rank=3)
    opened(2, rank=2)
    client = client_of(people["frank"])
    assert client.get("/acme/inbox/next/").headers["Location"].startswith("/acme/cases/1/")
    assert client.get("/acme/inbox/next/", {"after": "1"}).headers["Location"].startswith("/acme/cases/2/")
    assert client.get("/acme/inbox/next/", {"after": "2"}).headers["Location"].startswith("/acme/inbox/")


def test_a_view_is_kept_shared_and_forgotten_by_its_owner_alone(client_of, people, opened):
    client, other = client_of(people["frank"]), client_of(people["gina"])
    client.post("/acme/inbox/views/", {"name": "Fires", "address": "tab=mine&q=priority:risk&x=1", "shared": "1"})
    (view,) = selectors.views(viewer=people["gina"])
    assert view.address == "tab=mine&q=priority%3Arisk"
    assert other.post(f"/acme/inbox/views/{view.pk}/forget/").status_code == 404
    assert client.post("/acme/inbox/views/", {"name": " ", "address": ""}).status_code == 302
    client.post(f"/acme/inbox/views/{view.pk}/forget/")
    assert selectors.views(viewer=people["frank"]) == []


def test_the_page_of_the_inbox_lists_every_field_of_the_filter():
    page = (Path(__file__).parents[2] / "docs" / "stages" / "inbox.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{spec.name}:` | {spec.help}{': ' + ', '.join(spec.choices) if spec.choices else ''} |"
        for spec in CASES.values()
    ]
