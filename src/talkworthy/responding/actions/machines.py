"""What a machine does: draft where it may, and send after its delay where it may."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from talkworthy.connectors.errors import ConnectorError
from talkworthy.connectors.http import Http
from talkworthy.listening.stores import http_for
from talkworthy.responding import drafter as model
from talkworthy.responding.actions.deliveries import schedule_by_machine
from talkworthy.responding.actions.drafts import last_inward, save_draft, start_draft
from talkworthy.responding.actions.problems import Refused
from talkworthy.responding.autonomy import Deed, Situation, refusals
from talkworthy.responding.models import Delivery, Draft, Drafter, Manner
from talkworthy.responding.reasons import refusal_in_words
from talkworthy.responding.reply import own_links
from talkworthy.responding.selectors.suggestions import suggestions_for
from talkworthy.responding.sending import limits_of
from talkworthy.responding.situation import allowed_of, situation_of, standing_of
from talkworthy.responding.states import OPEN
from talkworthy.routing.models import Case, Message
from talkworthy.workspaces.credentials import LockedCredentials, opened
from talkworthy.workspaces.models import Member


def ask_machine(case: Case, *, by: Member | None, now: datetime, draft: Draft | None = None) -> Draft:
    """Let the drafter write an answer to the last message, into a new draft or over one that is empty.

    Refused where the class of the case does not let a machine draft, or no drafter is turned on.
    """
    _refuse_drafting(case)
    drafter = Drafter.objects.filter(workspace_id=case.workspace_id, enabled=True).first()
    if drafter is None:
        raise Refused(_("No drafter is turned on. An administrator can do so in the settings."))
    message = last_inward(case)
    if message is None:
        raise Refused(_("There is no message here that could be answered."))
    fresh = draft is None
    if draft is None:
        with transaction.atomic():  # two clicks at the same moment ask once
            Case.objects.select_for_update().get(pk=case.pk)
            if Draft.objects.filter(case=case, state__in=OPEN).exists():
                raise Refused(_("An answer is being written already."))
            draft = start_draft(case, message=message, made_by=_name(drafter), by=None, now=now)
    try:
        with http_for(case.workspace) as http:
            text = _asked(http, drafter, draft, message)
    except (ConnectorError, LockedCredentials) as error:
        if fresh:
            draft.delete()
        raise Refused(_("The drafter did not answer: %(why)s") % {"why": error}) from error
    evidence = draft.evidence | {"model": _name(drafter), "asked by": by.pk if by else None}
    return save_draft(
        draft, version=draft.version, text=text, made_by=_name(drafter), evidence=evidence, by=None, now=now
    )


def draft_by_program(
    case: Case, *, text: str, subject: str = "", language: str = "", program: str, by: Member, now: datetime
) -> Draft:
    """Keep what a program of a member wrote, as a machine's: Refused where the class does not let a machine draft."""
    _refuse_drafting(case)
    return start_draft(case, text=text, subject=subject, language=language, made_by=program, by=by, now=now)


def change_by_program(
    draft: Draft, *, version: int, program: str, by: Member, now: datetime, **changes: str
) -> Draft:
    """Let a draft be what a program of a member wrote: a machine's from then on. Refused as writing one is."""
    _refuse_drafting(draft.case)
    return save_draft(draft, version=version, by=by, now=now, made_by=program, **changes)


def send_if_allowed(draft: Draft, *, now: datetime) -> Delivery | None:
    """Schedule a machine's draft where its class lets it send, nothing forbids it, and nobody must approve."""
    allowed = allowed_of(draft.workspace_id, draft.case.outcome)
    if refusals(Deed.SEND, allowed, situation_of(draft, now=now)) or not standing_of(draft).enough:
        return None
    return schedule_by_machine(draft, version=draft.version, delay_seconds=allowed.delay_seconds, now=now)


def _refuse_drafting(case: Case) -> None:
    """Raises Refused where the class of the case does not let a machine draft."""
    found = refusals(Deed.DRAFT, allowed_of(case.workspace_id, case.outcome), Situation())
    if found:
        raise Refused(" ".join(refusal_in_words(refusal) for refusal in found))


def _name(drafter: Drafter) -> str:
    return drafter.model[:80]


def _asked(http: Http, drafter: Drafter, draft: Draft, message: Message) -> str:
    manner = Manner.objects.filter(workspace_id=draft.workspace_id).first()
    said = Message.objects.filter(conversation_id=draft.conversation_id, deleted_at=None).order_by("at", "id")
    matter = model.Matter(
        conversation=[
            {"who": "us" if one.direction == Message.Direction.OUTWARD else "them", "text": one.text} for one in said
        ],
        language=message.language,
        visibility=draft.visibility,
        characters=limits_of(draft.source).characters if draft.source else None,
        guidance=manner.guidance if manner else "",
        earlier=[one.earlier.answer for one in suggestions_for(message)],
        links=sorted(own_links(draft)),
    )
    endpoint = model.Endpoint(
        url=drafter.url,
        model=drafter.model,
        token=str(opened(drafter.secret).get("token", "")),
        instructions=drafter.instructions,
    )
    return model.ask(http, endpoint, matter)
