"""What the queue of one member costs in a long queue: a walk along an index, never through everybody's cases."""

import pytest
from django.db import connection
from django.utils import timezone

from talkworthy.responding.selectors.inbox import Asked, _in_any_state
from talkworthy.workspaces.models import Team

pytestmark = pytest.mark.django_db


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL chooses by its statistics")
@pytest.mark.parametrize(("tab", "index"), [("mine", "cases_of_an_owner"), ("team", "cases_of_a_team")])
def test_few_cases_of_a_long_queue_are_read_along_an_index_of_their_own(people, case, tab, index):
    viewer = people["frank"]
    team = Team.objects.create(workspace=case.workspace, name="Own", slug="own")
    team.memberships.create(member=viewer)
    found = _in_any_state(Asked(tab=tab), viewer=viewer, now=timezone.now())
    plan = found.filter(state="new").order_by("-rank", "due_order", "number")[:51].explain()
    assert index in plan and "TEMP B-TREE" not in plan
