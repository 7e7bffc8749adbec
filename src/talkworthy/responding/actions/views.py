"""Filters of the inbox that members keep."""

from django.db import IntegrityError
from django.utils.translation import gettext as _

from talkworthy.responding.actions.problems import Refused
from talkworthy.routing.models import CaseView
from talkworthy.workspaces.models import Member


def keep_view(member: Member, *, name: str, address: str, shared: bool = False) -> CaseView:
    """Keep a filter of the inbox under a name; the same name replaces."""
    if not name.strip():
        raise Refused(_("A view needs a name."))
    try:
        view, _created = CaseView.objects.update_or_create(
            member=member,
            name=name.strip(),
            defaults={"workspace": member.workspace, "address": address, "shared": shared},
        )
    except IntegrityError as error:  # two saves of one name at the same moment
        raise Refused(_("This view was saved at the same moment by another page. Look again.")) from error
    return view


def forget_view(view: CaseView) -> None:
    """Forget a view."""
    view.delete()
