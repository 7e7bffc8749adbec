"""How the work went, in figures whose cases can be listed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from talkworthy.routing.deadlines import Shifts, WorkedTime, worked
from talkworthy.routing.models import (
    Case,
    CaseChange,
    CaseConversation,
    Conversation,
    Message,
    TeamHours,
    Timer,
    WorkingHours,
)
from talkworthy.routing.selectors.reports import FIGURES, Scope, cases_behind, report
from talkworthy.routing.times import taken
from talkworthy.workspaces.models import Member, Team, Workspace

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
    with django_assert_num_queries(17):  # the figures' thirteen; next answers, teams, and two for whose hours hold
        report(WEEK, by="channel", viewer=viewer, zone=ZoneInfo("UTC"))


def talk(case, *said):
    """A conversation of a case: (hour after the start, whether we say it)."""
    held = Conversation.objects.create(
        workspace=case.workspace, channel="email", root=f"r{case.pk}", first_at=START, last_at=START
    )
    CaseConversation.objects.create(case=case, conversation=held)
    for number, (hour, ours) in enumerate(said):
        Message.objects.create(
            workspace=case.workspace,
            conversation=held,
            uid=f"{case.pk}-{number}",
            direction="outward" if ours else "inward",
            at=START + hour * HOUR,
        )


def test_next_answers_count_from_the_first_words_that_had_none(viewer, cases):
    talk(cases[1], (9, False), (10, True), (11, False), (12, False), (14, True), (15, True), (16, False), (17, True))
    talk(cases[2], (10, False), (13, True))  # a first answer alone
    talk(cases[4], (-48, False), (-46, True), (-45, False), (-40, True))  # before the period
    found = report(WEEK, by="priority", viewer=viewer, zone=ZoneInfo("UTC"))
    assert (found.whole.again.n, found.whole.again_cases, found.whole.again.median) == (2, 1, 2 * 3600.0)
    assert {line.label: line.again.n for line in found.lines} == {"Risk": 2, "Low": 0}
    for line in (found.whole, *found.lines):
        assert cases_behind("again", line.scope, viewer=viewer).count() == line.again_cases


def test_times_stand_in_working_hours_beside_clock_hours(viewer, cases, workspace):
    WorkingHours.objects.create(  # the first of March is a Sunday: nobody works before Monday at nine
        workspace=workspace, name="Office", shifts={str(day): [[540, 1020]] for day in range(5)}, is_default=True
    )
    night = Team.objects.create(workspace=workspace, name="Night", slug="night")
    always = WorkingHours.objects.create(
        workspace=workspace, name="All", shifts={str(day): [[0, 1440]] for day in range(7)}
    )
    TeamHours.objects.create(team=night, hours=always)
    Case.objects.filter(pk=cases[2].pk).update(team=night)
    whole = report(WEEK, by="priority", viewer=viewer, zone=ZoneInfo("UTC")).whole
    assert (whole.answers.median, whole.worked.answers.median) == (7200.0, 5400.0)  # 0 h and 3 h
    assert whole.worked.resolutions.median == 0.0


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_working_time_laid_out_once_is_the_working_time_counted_each_time(zone):
    shifts = Shifts(zone, {0: [(540, 720), (780, 1020)], 4: [(1200, 1440)], 5: [(0, 300)], 6: [(60, 200)]})
    laid = WorkedTime(shifts, since=START, until=START + timedelta(days=900))
    for hours in range(0, 900 * 24, 377):
        begin = START + timedelta(hours=hours, minutes=hours % 60)
        for length in (0.2, 9, 70, 300):
            end = begin + timedelta(hours=length)
            if end < START + timedelta(days=898):
                assert laid.between(begin, end) == worked(begin, end, shifts).total_seconds()
    assert laid.between(START + HOUR, START) == 0.0


def test_every_figure_has_words():
    assert {"opened", "answered", "resolved", "reopened", "live", "missed"} <= FIGURES.keys()
