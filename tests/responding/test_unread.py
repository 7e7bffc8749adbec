"""What a member has not seen yet is marked, counted and found; a mark is theirs alone."""

from datetime import timedelta

import pytest
from django.utils import timezone
from tests.responding.test_inbox_pages import DAY, NOW, opened  # noqa: F401 - a fixture

from talkworthy.responding.actions import mark_unread, see_cases
from talkworthy.responding.models import CaseSeen
from talkworthy.responding.selectors import inbox as selectors
from talkworthy.responding.selectors.inbox import Asked
from talkworthy.routing.models import Case

pytestmark = pytest.mark.django_db


@pytest.fixture
def cases(opened):  # noqa: F811
    """Two in which somebody wrote, and a decoy that nobody wrote in."""
    asked = [opened(number, last_inward_at=NOW - DAY, rank=10 - number) for number in (1, 2)]
    opened(3)
    return asked


def unread(viewer):
    """The numbers of the tab, of the query, and of the rows that are marked."""
    tab = [row.case.number for row in selectors.inbox(Asked("unread"), viewer=viewer, now=NOW).rows]
    words = [row.case.number for row in selectors.inbox(Asked("all", "is:unread"), viewer=viewer, now=NOW).rows]
    rows = [row.case.number for row in selectors.inbox(Asked(), viewer=viewer, now=NOW).rows if row.unread]
    assert tab == words == rows
    assert selectors.tallies(viewer=viewer, now=NOW)["unread"] == len(rows)
    return rows


def test_a_case_is_unread_until_its_newest_words_are_seen(people, cases):
    frank, gina = people["frank"], people["gina"]
    assert unread(frank) == [1, 2]
    see_cases(cases[:1], member=frank)
    assert (unread(frank), unread(gina)) == ([2], [1, 2])
    Case.objects.filter(number=1).update(last_inward_at=NOW - DAY + timedelta(minutes=1))
    assert unread(frank) == [1, 2]
    see_cases(Case.objects.filter(workspace=frank.workspace), member=frank)
    assert unread(frank) == []
    mark_unread(cases, member=frank)
    assert unread(frank) == [1, 2]


def test_looking_at_a_case_is_what_makes_it_read(client_of, people, cases):
    client = client_of(people["frank"])
    page = client.get("/acme/inbox/").content.decode()
    assert page.count(' unread"') == 2
    client.get("/acme/cases/1/", headers={"HX-Request": "true", "HX-Target": "opened"})
    assert unread(people["frank"]) == [2]
    stamp = client.get("/acme/inbox/").context["listed"].stamp
    client.get("/acme/cases/2/")
    assert client.get("/acme/inbox/rows/", {"stamp": stamp}).status_code == 200  # the mark is part of what is shown


def test_cases_are_marked_unread_from_the_list_and_from_the_case_with_undo(client_of, people, cases):
    client = client_of(people["frank"])
    for number in (1, 2):
        client.get(f"/acme/cases/{number}/")
    answer = client.post("/acme/inbox/unread/", {"number": ["1", "2", "x"], "carried": "tab=mine"}, follow=True)
    assert answer.redirect_chain == [("/acme/inbox/?tab=mine", 302)]
    assert unread(people["frank"]) == [1, 2] and "/acme/inbox/read/1-2/" in answer.content.decode()
    client.post("/acme/inbox/read/1-2/")
    assert unread(people["frank"]) == []


def test_nobody_marks_for_others_or_elsewhere(client_of, people, cases, dan):
    for number in (1, 2):
        client_of(people["frank"]).get(f"/acme/cases/{number}/")
    client_of(people["gina"]).post("/acme/inbox/unread/", {"number": ["1", "2"]})
    assert unread(people["frank"]) == []
    assert client_of(dan).post("/acme/inbox/unread/", {"number": "1"}).status_code in (403, 404)
    assert client_of(dan).post("/elsewhere/inbox/read/1/").status_code == 302
    assert not CaseSeen.objects.exclude(member=people["frank"]).exists()


def test_marks_cost_one_statement_a_page_however_long_the_queue(people, opened, django_assert_num_queries):  # noqa: F811
    for number in range(1, 60):
        opened(number, last_inward_at=timezone.now())
    see_cases(Case.objects.filter(number__lt=30), member=people["frank"])
    with django_assert_num_queries(6):  # three states along the index, the page whole, who is here, what was seen
        listed = selectors.inbox(Asked(), viewer=people["frank"], now=NOW)
    assert len(listed.rows) == selectors.ON_A_PAGE
