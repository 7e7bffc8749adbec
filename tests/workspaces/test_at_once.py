"""What two people do at the same moment, on a database that lets both write."""

import threading
from typing import Any

import pytest
from django.db import connection, transaction
from tests.conftest import NOW

from talkworthy.workspaces.actions import Refused, change_role, remove_member
from talkworthy.workspaces.models import Member, Workspace

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "sqlite", reason="one writes at a time there"),
]


@pytest.mark.parametrize("leave", ["another role", "out"])
def test_two_administrators_who_take_it_from_each_other_leave_one(
    workspace: Workspace, alice: Any, bob: Any, leave: str
) -> None:
    Member.objects.filter(user=bob).update(role="administrator")
    refused: list[Refused] = []

    def take(user: Any, by: Any) -> None:
        member = Member.objects.get(workspace=workspace, user=user)
        if leave == "out":
            remove_member(member, by=by, now=NOW)
        else:
            change_role(member, role="viewer", by=by, now=NOW)

    def meanwhile() -> None:
        try:
            take(alice, bob)
        except Refused as error:
            refused.append(error)
        finally:
            connection.close()

    other = threading.Thread(target=meanwhile)
    with transaction.atomic():
        take(bob, alice)
        other.start()
        other.join(1)
    other.join()
    assert refused and Member.objects.filter(workspace=workspace, role="administrator").count() == 1
