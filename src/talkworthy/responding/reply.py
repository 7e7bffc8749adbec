"""A draft as it will be read: its words with the lines that are added, and what is wrong with them."""

from talkworthy.analysis.extraction import links
from talkworthy.connectors.contract import SendingLimits
from talkworthy.responding.disclosure import Lines, whole_text
from talkworthy.responding.models import Draft, Manner, SnippetText
from talkworthy.responding.sending import limits_of
from talkworthy.responding.warnings import Reply, Warned, warnings_of
from talkworthy.routing.models import Message
from talkworthy.workspaces.models import Member


def lines_of(draft: Draft) -> Lines:
    """The lines that the workspace adds."""
    manner = Manner.objects.filter(workspace_id=draft.workspace_id).first()
    return Lines(manner.disclosure, manner.machine_disclosure) if manner else Lines()


def words_of(draft: Draft, *, sender: Member | None = None) -> str:
    """The words as they leave, signed by who sends it, else by who wrote it."""
    who = sender or draft.by
    return whole_text(
        draft.text,
        lines_of(draft),
        visibility=draft.visibility,
        machine=bool(draft.made_by),
        name=who.user.name if who else "",
        workspace=draft.workspace.name,
    )


def warnings_for(draft: Draft, *, sender: Member | None = None) -> tuple[Warned, ...]:
    """Everything that is wrong with it."""
    message = Message.objects.filter(workspace_id=draft.workspace_id, uid=draft.in_reply_to).first()
    reply = Reply(
        text=draft.text,
        whole=words_of(draft, sender=sender),
        subject=draft.subject,
        visibility=draft.visibility,
        their_language=message.language if message else "",
        alts=tuple(draft.attachments.values_list("alt", flat=True)) if draft.pk else (),
        machine=bool(draft.made_by),
        known_links=own_links(draft) if draft.made_by else frozenset(),
    )
    return warnings_of(reply, limits_of(draft.source) if draft.source else SendingLimits())


def own_links(draft: Draft) -> frozenset[str]:
    """Links that we wrote ourselves: in snippets, guidance, and the lines that are added."""
    texts = list(SnippetText.objects.filter(snippet__workspace_id=draft.workspace_id).values_list("text", flat=True))
    manner = Manner.objects.filter(workspace_id=draft.workspace_id).first()
    texts += [manner.guidance, manner.disclosure, manner.machine_disclosure] if manner else []
    return frozenset(address for text in texts for address in links(text))
