"""Reads of playbooks, asked as a viewer."""

from django.db.models import QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from talkworthy.routing.models import Playbook, PlaybookVersion
from talkworthy.workspaces.models import Member


def versions(playbook: Playbook, *, viewer: Member) -> "QuerySet[PlaybookVersion]":
    """The versions of a playbook, the newest first."""
    return playbook.versions.filter(playbook__workspace_id=viewer.workspace_id).select_related("by")


def version_or_404(number: int, *, viewer: Member) -> PlaybookVersion:
    """A version of the workspace's playbook by its number."""
    found = (
        PlaybookVersion.objects.filter(
            playbook__workspace_id=viewer.workspace_id, playbook__deleted_at=None, version=number
        )
        .select_related("playbook__active", "by")
        .first()
    )
    if found is None:
        raise Http404(_("There is no version %(n)s of this playbook.") % {"n": number})
    return found
