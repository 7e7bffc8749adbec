"""Which hours and members a team has for what decides."""

from tests.conftest import NOW

from talkworthy.routing.hours import candidates_of, hours_of
from talkworthy.routing.models import TeamHours, WorkingHours
from talkworthy.workspaces.models import Team


def test_a_deleted_team_has_neither_members_nor_hours_of_its_own(agents: Team) -> None:
    usual = WorkingHours.objects.create(workspace=agents.workspace, name="Usual", is_default=True)
    nights = WorkingHours.objects.create(workspace=agents.workspace, name="Nights")
    TeamHours.objects.create(team=agents, hours=nights)
    assert (hours_of(agents.workspace, agents), len(candidates_of(agents))) == (nights, 2)
    Team.objects.filter(pk=agents.pk).update(deleted_at=NOW)
    assert (hours_of(agents.workspace, agents), candidates_of(agents)) == (usual, [])
