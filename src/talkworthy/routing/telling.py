"""What programs and members are told of a case."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils.text import get_text_list
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from talkworthy.notifying.actions import notify, tell
from talkworthy.routing.models import Case, CaseChange, Timer
from talkworthy.routing.rules import BadEffect
from talkworthy.workspaces.models import Member


def data_of(case: Case, **more: Any) -> dict[str, Any]:
    """What programs are told of a case: numbers, states and addresses."""
    return {
        "case": case.number,
        "state": case.state,
        "priority": case.priority,
        "channel": case.channel,
        "team": case.team.slug if case.team else None,
        "owner": case.owner.user.email if case.owner else None,
        "due_at": case.due_at.isoformat() if case.due_at else None,
        "address": f"{settings.CONFIGURATION.public_address}{address_of(case)}",
        **more,
    }


def lacking_words(skills: Sequence[str]) -> str:
    """Why nobody was given a case that asks for skills."""
    listed = get_text_list([f"“{skill}”" for skill in skills], _("and"))
    words = ngettext(
        "nobody with the skill %(skills)s is on shift", "nobody with the skills %(skills)s is on shift", len(skills)
    )
    return words % {"skills": listed}


def bad_effect_words(error: BadEffect) -> str:
    """What is wrong with an effect of a rule, and what it takes."""
    words = {
        "unknown": _("“%(value)s” is none of: %(known)s."),
        "too much": _("%(do)s does not take: %(unknown)s."),
        "too little": _("%(do)s needs: %(name)s."),
        "team": _("%(do)s takes the number of a team, not “%(value)s”."),
        "member": _("%(do)s takes the number of a member, not “%(value)s”."),
        "skill": _("%(do)s takes one skill of at most %(n)d characters, not “%(value)s”."),
        "step": _("escalate takes a step: minutes, does and whom."),
        "step unknown": _("“%(value)s” is none of: %(known)s."),
        "step minutes": _("A step comes after 1 to %(n)d minutes, not “%(value)s”."),
        "step whom": _("“%(value)s” cannot be named there: members are told; a case is given to a team or a member."),
    }
    return words[error.what] % error.facts


def address_of(case: Case) -> str:
    """Where the case stands, without the host."""
    return f"/{case.workspace.slug}/cases/{case.number}/"


def note_missed(case: Case, timer: Timer, *, now: datetime) -> None:
    """A promised time went by: into the history; programs, the owner and whoever leads the team are told."""
    CaseChange.objects.create(case=case, what="missed", new=timer.kind, why=timer.due_at.isoformat(), at=now)
    tell(case.workspace, type="case.missed", data=data_of(case, timer=timer.kind), now=now)
    words = _("%(what)s of %(case)s is overdue.") % {"what": timer.get_kind_display(), "case": case}
    for member in concerned(case):
        notify(member, kind="missed", text=words, address=address_of(case), key=f"missed {timer.pk}", now=now)


def concerned(case: Case) -> list[Member]:
    """The owner, and whoever leads the team."""
    found = {case.owner.pk: case.owner} if case.owner else {}
    if case.team is not None:
        for membership in case.team.memberships.filter(is_lead=True).select_related("member"):
            found[membership.member_id] = membership.member
    return list(found.values())
