"""How the work went, in figures whose cases can be listed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from talkworthy.routing.models import Case, CaseChange, Timer
from talkworthy.routing.selectors.reports import FIGURES, Scope, cases_behind, report
from talkworthy.routing.times import taken
from talkworthy.workspaces.models import Member, Workspace

pytestmark = pytest.mark.django_db
START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
WEEK = Scope(START, START + timedelta(days=7))


@pytest.fixture
def viewer(carol):
    return Member.objects.get(user=carol)


@pytest.fixture
def cases(workspace, alice):
    """Three cases of the week, one before it, and the same three in another workspace."""
    other = Workspace.objects.create(name="Decoy", slug="decoy")
    owner = Member.objects.get(user=alice)
    for space in (other, workspace):
        told = [
            (1, START + 9 * HOUR, "risk", 1, 10),
            (2, START + 10 * HOUR, "low", 3, None),
            (3, START + 10 * HOUR, "low", None, None),
            (4, START - 48 * HOUR, "low", 2, 20),
        ]
        made = {
            number: Case.objects.create(
                workspace=space,
                number=number,
                title="x",
                channel="email",
                priority=priority,
                state="resolved" if settled else "open",
                owner=owner if space == workspace and number == 1 else None,
                opened_at=at,
                first_answered_at=at + answered * HOUR if answered else None,
                resolved_at=at + settled * HOUR if settled else None,
            )
            for number, at, priority, answered, settled in told
        }
        for number, outcome in ((1, "met"), (2, "missed"), (2, "missed"), (4, "missed")):
            at = made[number].opened_at + HOUR
            Timer.objects.create(case=made[number], kind="first_answer", due_at=at, done_at=at, outcome=outcome)
        CaseChange.objects.create(case=made[3], what="state", old="resolved", new="open", at=START + 20 * HOUR)
        CaseChange.objects.create(case=made[1], what="state", old="open", new="resolved", at=START + 20 * HOUR)
    return made


def test_quantiles_lie_between_the_nearest_two():
    assert taken([4, 1, 3, 2]).median == 2.5 and taken([10]).p90 == 10 and taken([]).median is None
    assert taken(range(11)).p90 == 9


def test_a_period_in_figures(viewer, cases):
    found = report(WEEK, by="priority", viewer=viewer, zone=ZoneInfo("UTC"))
    whole = found.whole
    assert (whole.opened, whole.live, whole.reopened, whole.missed) == (3, 2, 1, 1)
    assert (whole.answers.n, whole.answers.median) == (2, 7200.0)
    assert (whole.resolutions.n, whole.resolutions.median) == (1, 36000.0)
    assert {line.label: line.opened for line in found.lines} == {"Risk": 1, "Low": 2}
    first = found.kept[0]
    assert (first.n, first.missed, first.share) == (2, 1, 0.5) and first.interval[0] < 0.5 < first.interval[1]
    assert (found.hours[9], found.hours[10], sum(found.hours)) == (1, 2, 3)


def test_each_figure_lists_the_cases_that_it_counts(viewer, cases):
    found = report(WEEK, by="priority", viewer=viewer, zone=ZoneInfo("UTC"))
    for line in (found.whole, *found.lines):
        for figure, count in (("opened", line.opened), ("missed", line.missed), ("reopened", line.reopened)):
            assert cases_behind(figure, line.scope, viewer=viewer).count() == count
        assert cases_behind("answered", line.scope, viewer=viewer).count() == line.answers.n
        assert cases_behind("resolved", line.scope, viewer=viewer).count() == line.resolutions.n
    assert not cases_behind("nonsense", WEEK, viewer=viewer).exists()


@pytest.mark.parametrize("by", ["priority", "channel", "team", "member"])
def test_the_groups_sum_up_to_the_whole(viewer, cases, by):
    found = report(WEEK, by=by, viewer=viewer, zone=ZoneInfo("UTC"))
    assert sum(line.opened for line in found.lines) == found.whole.opened == 3
    assert all(cases_behind("opened", line.scope, viewer=viewer).count() == line.opened for line in found.lines)


def test_a_figure_of_the_page_leads_to_its_cases(client_of, alice, carol, cases):
    client = client_of(carol)
    asked = {"since": "2026-03-01", "until": "2026-03-07"}
    page = client.get("/acme/reports/", asked)
    assert page.status_code == 200 and "few: read with care" in page.content.decode()
    listed = client.get(page.context["whole"].missed).content.decode()
    assert "with any time that was missed" in listed and listed.count("data-case-link") == 1
    settled = client.get(page.context["whole"].resolved).content.decode()
    assert settled.count("data-case-link") == 1  # a figure finds settled cases, too
    assert client.get("/acme/reports/", {"since": "soon"}).status_code == 422
    assert client.get("/acme/reports/cases.csv", asked).status_code == 403
    rows = client_of(alice).get("/acme/reports/cases.csv", asked).content.decode().splitlines()
    assert rows[-1].startswith("All cases,3,2,7200.0")


def test_many_groups_ask_no_more_statements_than_few(viewer, cases, workspace, django_assert_num_queries):
    for number in range(10, 40):
        Case.objects.create(
            workspace=workspace, number=number, title="x", channel=f"c{number}", opened_at=START, state="open"
        )
    with django_assert_num_queries(13):
        report(WEEK, by="channel", viewer=viewer, zone=ZoneInfo("UTC"))


def test_every_figure_has_words():
    assert {"opened", "answered", "resolved", "reopened", "live", "missed"} <= FIGURES.keys()
