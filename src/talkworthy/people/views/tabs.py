"""The tabs over the pages of people."""

from django.urls import reverse
from django.utils.translation import gettext as _

from talkworthy.people.models import LinkSuggestion
from talkworthy.workspaces.requests import MemberRequest

Tab = tuple[str, str, bool, int | None]


def tabs(request: MemberRequest, here: str) -> list[Tab]:
    """Name, address, whether one is there, and what waits."""
    waiting = LinkSuggestion.objects.filter(workspace_id=request.workspace.pk, state=LinkSuggestion.State.OPEN).count()
    rows: list[tuple[str, str, int | None]] = [
        ("persons", _("Persons"), None),
        ("accounts", _("Accounts"), None),
        ("organisations", _("Organisations"), None),
        ("segments", _("Segments"), None),
        ("links", _("Links"), waiting or None),
        ("exchange", _("Import and export"), None),
        ("crm", _("CRM"), None),
    ]
    slug = request.workspace.slug
    return [(label, reverse(f"people:{name}", args=(slug,)), name == here, tally) for name, label, tally in rows]
