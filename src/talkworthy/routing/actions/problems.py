"""Why an action was not done."""

from collections.abc import Sequence

from django.utils.translation import gettext as _

from talkworthy.routing.models import Case, CaseChange


class Refused(ValueError):
    """It was not done; the message says why and what can be done."""


class Outdated(Refused):
    """Somebody else saved in between; `version` is the newest."""

    def __init__(self, message: str, version: int) -> None:
        super().__init__(message)
        self.version = version


class Stale(ValueError):
    """Somebody changed the case since it was looked at: `case` as it is now, `changes` made in between."""

    def __init__(self, case: Case, changes: Sequence[CaseChange]) -> None:
        super().__init__(_("%(case)s was changed in the meantime. Look at it, then try again.") % {"case": case})
        self.case, self.changes = case, tuple(changes)
