"""What can be wrong with what a person asked for, in words for them."""

from talkworthy.responding.models import Draft


class Refused(ValueError):
    """It was not done; the message says why and what can be done."""


class Stale(Refused):
    """Somebody else saved in between: nothing was overwritten. `draft` is theirs, `text` is what was to be saved."""

    def __init__(self, message: str, *, draft: Draft, text: str, subject: str = "") -> None:
        super().__init__(message)
        self.draft, self.text, self.subject = draft, text, subject
