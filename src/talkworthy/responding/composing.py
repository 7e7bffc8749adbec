"""Everything that the composer of a case shows: one frozen view of a draft for one viewer."""

from dataclasses import dataclass, replace
from datetime import datetime

from talkworthy.connectors.contract import SendingLimits
from talkworthy.connectors.lengths import length_of
from talkworthy.listening.models import Source
from talkworthy.responding import actions
from talkworthy.responding.actions.drafts import addressed
from talkworthy.responding.autonomy import Deed, Situation, refusals
from talkworthy.responding.models import Attachment, Delivery, Draft, Presence, Stop
from talkworthy.responding.reasons import warning_in_words
from talkworthy.responding.reply import warnings_for, words_of
from talkworthy.responding.selectors import drafts as reads
from talkworthy.responding.selectors.snippets import Ready, ready_for
from talkworthy.responding.selectors.suggestions import suggestions_for
from talkworthy.responding.sending import limits_of
from talkworthy.responding.situation import allowed_of, current_stop, standing_of
from talkworthy.responding.suggesting import Suggestion
from talkworthy.responding.warnings import OPEN
from talkworthy.routing.models import Case, Message
from talkworthy.workspaces.models import Member
from talkworthy.workspaces.permissions import Permission, may


@dataclass(frozen=True)
class Told:
    """A warning in words: what is wrong, what to do, the words that are meant, and whether it stops the reply."""

    said: str
    remedy: str
    words: str
    stops: bool


@dataclass(frozen=True)
class Looked:
    """A draft as it stands: how long it is, how it will read, what is wrong with it, and who sees it."""

    whole: str
    signed_by: str
    """The account that it will stand under; empty where none answers."""
    length: int
    most: int | None
    left: int | None
    warnings: tuple[Told, ...]
    everybody: bool
    """Whether everybody can read it."""

    @property
    def over(self) -> int:
        """Characters too many."""
        return max(0, -(self.left or 0))

    @property
    def stops(self) -> bool:
        """Whether it cannot go out like this."""
        return any(told.stops for told in self.warnings)


@dataclass(frozen=True)
class Composer:
    """The composer of a case."""

    case: Case
    message: Message | None
    draft: Draft | None
    limits: SendingLimits
    looked: Looked | None
    accounts: tuple[Source, ...]
    attachments: tuple[Attachment, ...]
    snippets: tuple[Ready, ...]
    suggestions: tuple[Suggestion, ...]
    others: tuple[Presence, ...]
    approvers: tuple[str, ...]
    """Names of those whose approval is lacking."""
    lacking: tuple[tuple[str, int], ...]
    """Rules that are not met, and how many approvals each lacks."""
    delivery: Delivery | None
    stop: Stop | None
    may_write: bool
    has_drafter: bool
    previewed: bool = False
    """Somebody asked how it will read: it is shown open, and nothing was saved."""


def composer_of(case: Case, *, viewer: Member, now: datetime) -> Composer:
    """What the composer of a case shows to a viewer."""
    draft = reads.open_draft(case, viewer=viewer)
    message = reads.message_of(draft) if draft else actions.last_inward(case)
    limits = limits_of(draft.source) if draft and draft.source else SendingLimits()
    suggests = not refusals(Deed.SUGGEST, allowed_of(case.workspace_id, case.outcome), Situation())
    standing = standing_of(draft) if draft else None
    asked = actions.approvers(draft) if draft and standing and standing.lacking else []
    return Composer(
        case=case,
        message=message,
        draft=draft,
        limits=limits,
        looked=looked_at(draft, sender=viewer) if draft else None,
        accounts=tuple(reads.accounts_for(draft)) if draft else (),
        attachments=tuple(draft.attachments.order_by("pk")) if draft else (),
        snippets=tuple(ready_for(draft, viewer=viewer, message=message, now=now)) if draft else (),
        suggestions=suggestions_for(message) if message and suggests else (),
        others=tuple(actions.others_here(case, viewer=viewer, now=now)),
        approvers=tuple(str(one) for one in asked),
        lacking=tuple((one.rule.name, one.missing) for one in standing.lacking) if standing else (),
        delivery=draft.deliveries.order_by("-pk").first() if draft else None,
        stop=current_stop(case.workspace_id),
        may_write=may(viewer.role, Permission.WORK_CASES),
        has_drafter=reads.has_drafter(case.workspace_id),
    )


def as_it_leaves(draft: Draft, limits: SendingLimits, *, sender: Member | None) -> str:
    """The words as people will read them: with the lines that are added, and naming whom they answer where it must."""
    whole = words_of(draft, sender=sender)
    message = reads.message_of(draft) if limits.addressed else None
    return addressed(whole, message) if message else whole


def tried(composer: Composer, draft: Draft, *, viewer: Member) -> Composer:
    """The same composer with a draft that was not saved: what somebody wants to look at first."""
    return replace(composer, draft=draft, looked=looked_at(draft, sender=viewer), previewed=True)


def looked_at(draft: Draft, *, sender: Member | None) -> Looked:
    """A draft, saved or not, as it would leave if somebody sent it now."""
    limits = limits_of(draft.source) if draft.source else SendingLimits()
    whole = as_it_leaves(draft, limits, sender=sender)
    length = length_of(whole, limits)
    told = []
    for warned in warnings_for(draft, sender=sender):
        said, remedy = warning_in_words(warned)
        told.append(Told(said, remedy, draft.text[warned.start : warned.end], warned.stops))
    left = None if limits.characters is None else limits.characters - length
    signed_by = draft.source.name if draft.source else ""
    return Looked(whole, signed_by, length, limits.characters, left, tuple(told), draft.visibility in OPEN)
