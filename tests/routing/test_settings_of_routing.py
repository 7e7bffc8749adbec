"""The pages of teams, working hours, targets, and of one's own availability."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from tests.conftest import NOW

from talkworthy.routing import actions as case_actions
from talkworthy.routing.actions import teams as actions
from talkworthy.routing.forms.hours import BadShifts, read_shifts, write_shifts
from talkworthy.routing.hours import candidates_of, hours_of, shifts_of, targets_of
from talkworthy.routing.models import Availability, Case, Conversation, Target, TeamHours, WorkingHours
from talkworthy.workspaces.models import AuditEntry, Member, Team, TeamMember, User, Workspace

TEAMS, HOURS, TARGETS, MINE = (f"/acme/settings/{page}/" for page in ("teams", "hours", "targets", "availability"))
WEEK = {"name": "Office", "timezone": "Europe/Berlin", "day_0": "09:00-12:00, 13:00-17:00", "country": "de-by"}


@pytest.fixture
def page(client_of: Callable[[User], Client], alice: User) -> Client:
    """The browser of an administrator."""
    return client_of(alice)


@pytest.fixture
def office(workspace: Workspace) -> WorkingHours:
    """Monday's hours, of every team."""
    return WorkingHours.objects.create(workspace=workspace, name="Office", shifts={"0": [[540, 1020]]}, is_default=True)


def shown(answer: Any) -> str:
    """The words of a page."""
    words: str = answer.content.decode()
    return words


@pytest.mark.parametrize("address", [TEAMS, HOURS, TARGETS])
def test_agents_neither_see_nor_change_how_cases_are_routed(
    agents: Team, bob: User, client_of: Callable[[User], Client], address: str
) -> None:
    client = client_of(bob)
    assert client.get(address).status_code == 403
    assert client.post(address, {**WEEK, "colour": "blue"}).status_code == 403
    assert not WorkingHours.objects.exists()
    assert Team.objects.count() == 1
    assert address not in shown(client.get("/acme/settings/availability/"))


def test_agents_change_no_single_team_and_no_single_hours(
    agents: Team, office: WorkingHours, bob: User, client_of: Callable[[User], Client]
) -> None:
    client = client_of(bob)
    for address in (f"{TEAMS}{agents.pk}/", f"{HOURS}{office.pk}/"):
        assert client.get(address).status_code == 403
        assert client.post(f"{address}delete/").status_code == 403
    assert client.post(f"{TEAMS}{agents.pk}/restore/").status_code == 403
    assert client.post(f"{TARGETS}usual/").status_code == 403
    assert not Target.objects.exists()


def test_who_only_reads_has_no_availability(
    workspace: Workspace, carol: User, client_of: Callable[[User], Client]
) -> None:
    assert client_of(carol).get(MINE).status_code == 403
    assert client_of(carol).post(MINE, {"state": "away", "capacity": 3}).status_code == 403


def test_a_team_of_another_workspace_is_not_there(agents: Team, dan: User, page: Client) -> None:
    far = Workspace.objects.get(slug="elsewhere")
    team = Team.objects.create(workspace=far, name="Far", slug="far")
    hours = WorkingHours.objects.create(workspace=far, name="Far")
    assert page.get(f"{TEAMS}{team.pk}/").status_code == 404
    assert page.get(f"{HOURS}{hours.pk}/").status_code == 404
    assert page.get(TARGETS, {"team": team.pk}).status_code == 404
    stranger = Member.objects.get(user=dan)
    told = {"name": "Support", "colour": "blue", "members": [stranger.pk], "hours": hours.pk}
    assert page.post(f"{TEAMS}{agents.pk}/", told).status_code == 422
    assert not TeamMember.objects.filter(member=stranger).exists()


def test_a_team_is_made_and_its_word_in_queries_stays(page: Client, workspace: Workspace) -> None:
    assert "No teams" in shown(page.get(TEAMS))
    answer = page.post(TEAMS, {"name": "Customer care", "colour": "teal"})
    team = Team.objects.get()
    assert answer["Location"] == f"{TEAMS}{team.pk}/"
    page.post(f"{TEAMS}{team.pk}/", {"name": "Helpers", "colour": "teal"})
    team.refresh_from_db()
    assert (team.name, team.slug) == ("Helpers", "customer-care")
    assert page.post(TEAMS, {"name": "helpers", "colour": "teal"}).status_code == 422
    assert [entry.verb for entry in AuditEntry.objects.filter(noun="team").order_by("pk")] == ["create", "change"]


def test_members_leads_and_hours_of_a_team_are_saved(
    page: Client, agents: Team, office: WorkingHours, bob: User
) -> None:
    member = Member.objects.get(user=bob)
    told = {"name": "Support", "colour": "teal", "members": [member.pk], "leads": [member.pk], "hours": office.pk}
    assert page.post(f"{TEAMS}{agents.pk}/", told).status_code == 302
    assert [(row.member_id, row.is_lead) for row in agents.memberships.all()] == [(member.pk, True)]
    assert TeamHours.objects.get(team=agents).hours == office
    entry = AuditEntry.objects.get(noun="team", verb="change")
    assert entry.after is not None
    assert entry.after["members"] == {str(member.pk): True}
    assert "checked" in shown(page.get(f"{TEAMS}{agents.pk}/"))


def test_a_lead_who_is_no_member_is_refused(page: Client, agents: Team, alice: User) -> None:
    told = {"name": "Support", "colour": "teal", "leads": [Member.objects.get(user=alice).pk]}
    answer = page.post(f"{TEAMS}{agents.pk}/", told)
    assert answer.status_code == 422
    assert "is a member of it" in shown(answer)
    assert agents.memberships.count() == 2


def test_a_team_is_deleted_and_comes_back(page: Client, agents: Team) -> None:
    answer = page.post(f"{TEAMS}{agents.pk}/delete/", follow=True)
    assert f"{TEAMS}{agents.pk}/restore/" in shown(answer)
    assert page.get(f"{TEAMS}{agents.pk}/").status_code == 404
    page.post(f"{TEAMS}{agents.pk}/restore/")
    assert page.get(f"{TEAMS}{agents.pk}/").status_code == 200
    assert agents.memberships.count() == 2


def test_a_team_does_not_come_back_beside_one_of_its_name(page: Client, agents: Team) -> None:
    page.post(f"{TEAMS}{agents.pk}/delete/")
    page.post(TEAMS, {"name": "Support", "colour": "teal"})
    page.post(f"{TEAMS}{agents.pk}/restore/")
    agents.refresh_from_db()
    assert agents.deleted_at is not None
    assert Team.objects.get(deleted_at=None).slug == "support-2"


def test_a_team_with_open_cases_is_not_deleted(page: Client, agents: Team, conversation: Conversation) -> None:
    case_actions.open_case(conversation, title="Broken", team=agents, by=None, now=NOW)
    answer = page.post(f"{TEAMS}{agents.pk}/delete/", follow=True)
    assert "1 open case lies with" in shown(answer)
    assert Team.objects.filter(pk=agents.pk, deleted_at=None).exists()


def test_the_list_of_teams_takes_the_same_statements_for_many(
    page: Client, agents: Team, workspace: Workspace, django_assert_max_num_queries: Any
) -> None:
    members = Member.objects.filter(workspace=workspace)
    for number in range(10):
        team = Team.objects.create(workspace=workspace, name=f"Team {number}", slug=f"team-{number}")
        TeamMember.objects.bulk_create([TeamMember(team=team, member=member) for member in members])
    with django_assert_max_num_queries(12):
        assert "Team 9" in shown(page.get(TEAMS))


def test_shifts_are_read_and_written() -> None:
    assert read_shifts(" 13:00 - 17:00,9:00–12:00 ") == [[540, 720], [780, 1020]]
    assert read_shifts("00:00-24:00") == [[0, 1440]]
    assert read_shifts("") == []
    assert write_shifts([[780, 1020], [540, 720]]) == "09:00-12:00, 13:00-17:00"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("09:00-12:00, nine", "Shift 2, “nine”: write it as 09:00-17:00"),
        ("9-17", "“9” is no time"),
        ("09:00-25:00", "“25:00” is no time of a day"),
        ("09:75-12:00", "“09:75” is no time of a day"),
        ("22:00-06:00", "ends before it begins"),
        ("09:00-12:00,", "Shift 2 is empty"),
        ("09:00-12:00, 11:00-13:00", "09:00-12:00 and 11:00-13:00 overlap"),
    ],
)
def test_bad_shifts_say_where(text: str, said: str) -> None:
    with pytest.raises(BadShifts, match=said):
        read_shifts(text)


def test_hours_are_kept_and_followed(page: Client, workspace: Workspace) -> None:
    assert "Around the clock" in shown(page.get(HOURS))
    told = {**WEEK, "days_off": "2026-12-24\n2026-12-24\n", "is_default": "on"}
    assert page.post(HOURS, told).status_code == 302
    held = WorkingHours.objects.get()
    assert (held.shifts, held.country) == ({"0": [[540, 720], [780, 1020]]}, "DE-BY")
    assert held.days_off == ["2026-12-24"]
    assert hours_of(workspace, None) == held
    shifts = shifts_of(held, now=NOW)
    assert shifts is not None
    assert shifts.shifts[0] == [(540, 720), (780, 1020)]
    assert "09:00-12:00, 13:00-17:00" in shown(page.get(HOURS))
    assert page.get(f"{HOURS}{held.pk}/").status_code == 200


def test_a_bad_shift_is_said_beside_its_day_and_nothing_is_saved(page: Client, office: WorkingHours) -> None:
    answer = page.post(f"{HOURS}{office.pk}/", {**WEEK, "day_2": "09:00-12:00, 13:00"})
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["day_2"]
    assert "Shift 2, “13:00”" in shown(answer)
    office.refresh_from_db()
    assert office.shifts == {"0": [[540, 1020]]}


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("country", "XX", "No holidays are known of “XX”"),
        ("country", "DE-XX", "“XX” is no part of DE"),
        ("days_off", "2026-12-24\n24.12.", "Line 2, “24.12.”, is no date"),
        ("timezone", "Europe/Nowhere", "Select a valid choice"),
    ],
)
def test_bad_hours_are_refused(page: Client, workspace: Workspace, field: str, value: str, said: str) -> None:
    answer = page.post(HOURS, {**WEEK, field: value})
    assert answer.status_code == 422
    assert said in shown(answer)
    assert not WorkingHours.objects.exists()


def test_a_week_without_any_shift_is_refused(page: Client, workspace: Workspace) -> None:
    assert "no shift in the week" in shown(page.post(HOURS, {**WEEK, "day_0": ""}))


def test_one_set_of_hours_is_the_default(page: Client, office: WorkingHours) -> None:
    page.post(HOURS, {**WEEK, "name": "Night", "is_default": "on"})
    assert [held.name for held in WorkingHours.objects.filter(is_default=True)] == ["Night"]
    assert page.post(HOURS, {**WEEK, "name": "night"}).status_code == 422


def test_hours_that_a_team_keeps_are_not_deleted(page: Client, office: WorkingHours, agents: Team) -> None:
    kept = TeamHours.objects.create(team=agents, hours=office)
    answer = page.post(f"{HOURS}{office.pk}/delete/", follow=True)
    assert "is kept by: Support" in shown(answer)
    kept.delete()
    page.post(f"{HOURS}{office.pk}/delete/")
    assert not WorkingHours.objects.exists()
    assert AuditEntry.objects.filter(noun="working hours", verb="delete").exists()


def test_targets_are_offered_and_hold_only_once_taken(page: Client, workspace: Workspace) -> None:
    assert "Begin with these" in shown(page.get(TARGETS))
    assert not Target.objects.exists()
    page.post(f"{TARGETS}usual/")
    assert targets_of(workspace, None, "risk")[0].first_answer == actions.USUAL["risk"]["first_answer"]
    assert Target.objects.count() == len(Case.Priority)
    assert "Begin with these" not in shown(page.get(TARGETS))
    Target.objects.filter(priority="risk").update(first_answer=7)
    page.post(f"{TARGETS}usual/")
    assert targets_of(workspace, None, "risk")[0].first_answer == 7


def test_targets_of_a_team_stand_before_those_of_all(page: Client, agents: Team, workspace: Workspace) -> None:
    page.post(TARGETS, {"service-first_answer": "240", "low-first_answer": "480"})
    page.post(f"{TARGETS}?team={agents.pk}", {"service-first_answer": "60", "service-around_the_clock": "on"})
    found, always = targets_of(workspace, agents, "service")
    assert (found.first_answer, always) == (60, True)
    assert targets_of(workspace, agents, "low")[0].first_answer == 480
    page.post(f"{TARGETS}?team={agents.pk}", {})
    assert targets_of(workspace, agents, "service")[0].first_answer == 240
    assert [entry.label for entry in AuditEntry.objects.filter(noun="target", verb="delete")] == ["service (support)"]


def test_a_target_of_no_minutes_is_refused(page: Client, workspace: Workspace) -> None:
    assert page.post(TARGETS, {"risk-first_answer": "0"}).status_code == 422
    assert not Target.objects.exists()


def test_one_says_what_one_takes_on(agents: Team, bob: User, client_of: Callable[[User], Client]) -> None:
    client = client_of(bob)
    assert client.get(MINE).status_code == 200
    until = (timezone.now() + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    told = {"state": "away", "away_until": until, "capacity": "5", "languages": "EN, de, en", "skills": "billing,"}
    assert client.post(MINE, told).status_code == 302
    held = Availability.objects.get()
    assert (held.languages, held.skills, held.capacity) == (["en", "de"], ["billing"], 5)
    mine = next(one for one in candidates_of(agents) if one.member == held.member_id)
    assert (mine.state, mine.away_until) == ("away", held.away_until)
    client.post(MINE, {**told, "state": "here"})
    held.refresh_from_db()
    assert (held.state, held.away_until) == ("here", None)
    assert "en, de" in shown(client.get(MINE))


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("away_until", "2020-01-01T10:00", "over already"),
        ("languages", "en, German", "“german” is no code of a language"),
        ("capacity", "-1", "greater than or equal to 0"),
    ],
)
def test_bad_availability_is_refused(
    agents: Team, bob: User, client_of: Callable[[User], Client], field: str, value: str, said: str
) -> None:
    answer = client_of(bob).post(MINE, {"state": "away", "capacity": "5", field: value})
    assert answer.status_code == 422
    assert said in shown(answer)
    assert not Availability.objects.exists()
