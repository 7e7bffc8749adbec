"""Verbs on cases. Each locks the case, checks the version that was seen, and leaves a row of history for each change.

The history of a case is its trail: its rows are added by these verbs alone, and are never changed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext as _

from talkworthy.notifying.actions import notify, tell
from talkworthy.people.models import Identity
from talkworthy.routing.actions.problems import Refused, Stale
from talkworthy.routing.clocks import set_clocks
from talkworthy.routing.models import (
    Availability,
    Case,
    CaseChange,
    CaseConversation,
    CaseRole,
    CaseTag,
    Conversation,
    ConversationLink,
    Note,
    Timer,
)
from talkworthy.routing.ranking import rank
from talkworthy.routing.states import CASE, LIVE, SETTLED
from talkworthy.routing.telling import address_of, data_of
from talkworthy.states.graph import NoWay
from talkworthy.workspaces.models import Member, Team, User, Workspace
from talkworthy.workspaces.permissions import Permission, may

LONGEST_TITLE = 140


def open_case(
    conversation: Conversation,
    *,
    title: str,
    priority: str = Case.Priority.SERVICE,
    urgency: int = 0,
    influence: float = 0.0,
    reason: Mapping[str, Any] | None = None,
    requester: Identity | None = None,
    team: Team | None = None,
    owner: Member | None = None,
    touchpoint: Any = None,
    outcome: str = "",
    language: str = "",
    by: User | None,
    now: datetime,
) -> tuple[Case, bool]:
    """The case of a conversation, and whether it is new: there is one live case a conversation."""
    with transaction.atomic():
        workspace = Workspace.objects.select_for_update().get(pk=conversation.workspace_id)
        there = live_case_of(conversation)
        if there is not None:
            return there, False
        number = (Case.objects.filter(workspace=workspace).aggregate(last=Max("number"))["last"] or 0) + 1
        case = Case(
            workspace=workspace,
            number=number,
            title=_shortened(title) or _("(no words)"),
            priority=priority,
            urgency=urgency,
            influence=influence,
            rank=rank(priority, urgency=urgency, influence=influence),
            reason=dict(reason or {}),
            channel=conversation.channel,
            language=language,
            requester=requester,
            team=team,
            owner=owner,
            owned_since=now if owner else None,
            touchpoint=touchpoint,
            outcome=outcome,
            opened_at=now,
            last_inward_at=conversation.last_inward_at,
            changed_at=now,
        )
        case.save()
        CaseConversation.objects.create(case=case, conversation=conversation, at=now)
        set_clocks(case, now=now)
        case.save()
        told = {"priority": priority, "team": team.pk if team else None, "owner": owner.pk if owner else None}
        CaseChange.objects.create(case=case, what="opened", new=told, by=by, why=_reason_words(case.reason), at=now)
        tell(workspace, type="case.opened", data=data_of(case), now=now)
        if owner is not None:
            _note_assigned(case, owner, by=by, now=now)
    return case, True


def live_case_of(conversation: Conversation) -> Case | None:
    """The case that somebody works on for this conversation."""
    return Case.objects.filter(conversations=conversation, state__in=LIVE).order_by("-opened_at").first()


def assign_case(
    case: Case,
    *,
    owner: Member | None,
    team: Team | None = None,
    keep_team: bool = True,
    by: User | None,
    now: datetime,
    version: int | None = None,
    why: str = "",
    tells: bool = True,
) -> Case:
    """Give it to a member, to a team, or to nobody. Without `team` the team stays unless `keep_team` is False.

    Who gets many at once is told once, by whoever gives them, with `tells` False.
    """
    for thing in (owner, team):
        if thing is not None and thing.workspace_id != case.workspace_id:
            raise Refused(_("They are not in this workspace."))
    if owner is not None and owner.pk != case.owner_id and not may_own(owner):
        raise Refused(_("%(who)s may not work on cases. Give it to somebody who may.") % {"who": owner})

    def change(held: Case) -> None:
        held.owner = owner
        held.owned_since = now if owner else None
        if team is not None or not keep_team:
            held.team = team

    changed = _change(case, change, ("owner", "team"), by=by, now=now, version=version, why=why)
    if owner is not None and changed.owner_id == owner.pk and case.owner_id != owner.pk:
        _note_assigned(changed, owner, by=by, now=now, tells=tells)
    return changed


def may_own(member: Member) -> bool:
    """Whether a case can be theirs: who may only read could do nothing with it."""
    return may(member.role, Permission.WORK_CASES)


def take_case(case: Case, *, member: Member, now: datetime, version: int | None = None) -> Case:
    """Make it one's own, and begin with it."""
    taken = assign_case(case, owner=member, by=member.user, now=now, version=version)
    return set_state(taken, state=Case.State.OPEN, by=member.user, now=now) if taken.state == Case.State.NEW else taken


def set_state(
    case: Case, *, state: str, by: User | None, now: datetime, version: int | None = None, why: str = ""
) -> Case:
    """Bring it into another state. Raises Refused where no way leads there."""

    def change(held: Case) -> None:
        if held.state == state:
            return
        try:
            CASE.step(held.state, state)
        except NoWay as error:
            labels = ", ".join(str(Case.State(way).label) for way in sorted(error.ways))
            raise Refused(
                _("From “%(old)s” a case cannot become “%(new)s”; it can become: %(ways)s.")
                % {"old": Case.State(error.old).label, "new": Case.State(state).label, "ways": labels}
            ) from error
        held.state = state
        held.resolved_at = (held.resolved_at or now) if state in SETTLED else None
        if state != Case.State.SNOOZED:
            held.snoozed_until = None

    return _change(case, change, ("state", "snoozed_until"), by=by, now=now, version=version, why=why)


def snooze_case(case: Case, *, until: datetime, by: User | None, now: datetime, version: int | None = None) -> Case:
    """Out of sight until then; deadlines go on."""
    if until <= now:
        raise Refused(_("Choose a time that is still to come."))
    with transaction.atomic():
        changed = set_state(case, state=Case.State.SNOOZED, by=by, now=now, version=version)
        return _change(
            changed, lambda held: setattr(held, "snoozed_until", until), ("snoozed_until",), by=by, now=now
        )


def wake_case(case: Case, *, by: User | None, now: datetime, version: int | None = None) -> Case:
    """End a snooze."""
    return set_state(case, state=Case.State.OPEN, by=by, now=now, version=version)


def resolve_case(
    case: Case,
    *,
    outcome: str = "",
    note: str = "",
    by: User | None,
    now: datetime,
    version: int | None = None,
) -> Case:
    """Settle it, with the outcome and a word on it."""
    with transaction.atomic():
        if outcome or note:
            case = _change(
                case,
                lambda held: _set(held, outcome=outcome or held.outcome, outcome_note=note or held.outcome_note),
                ("outcome", "outcome_note"),
                by=by,
                now=now,
                version=version,
            )
            version = None
        return set_state(case, state=Case.State.RESOLVED, by=by, now=now, version=version)


def set_priority(
    case: Case, *, priority: str, by: User | None, now: datetime, version: int | None = None, why: str = ""
) -> Case:
    """Another class; deadlines and the place in the queue follow."""
    if priority not in Case.Priority.values:
        raise Refused(_("There is no class of that name."))

    def change(held: Case) -> None:
        held.priority = priority
        held.rank = rank(priority, urgency=held.urgency, influence=held.influence)

    return _change(case, change, ("priority",), by=by, now=now, version=version, why=why)


def note_outcome(case: Case, *, outcome: str, by: User | None, now: datetime, why: str = "") -> Case:
    """Another outcome, before the case is settled."""
    return _change(case, lambda held: _set(held, outcome=outcome), ("outcome",), by=by, now=now, why=why)


def retitle_case(case: Case, *, title: str, by: User | None, now: datetime, version: int | None = None) -> Case:
    """Another title."""
    if not title.strip():
        raise Refused(_("A case needs a title."))
    return _change(case, lambda held: _set(held, title=_shortened(title)), ("title",), by=by, now=now, version=version)


def tag_case(
    case: Case,
    *,
    add: Iterable[str] = (),
    take: Iterable[str] = (),
    only_if: Iterable[str] | None = None,
    by: User | None,
    now: datetime,
) -> bool:
    """Add tags and take tags away; others stay. With `only_if` only while the tags are these. Says whether it did."""
    more, fewer = _tags_of(add), _tags_of(take)
    with transaction.atomic():
        case = Case.objects.select_for_update().get(pk=case.pk)
        there = set(CaseTag.objects.filter(case=case).values_list("tag", flat=True))
        if only_if is not None and there != set(only_if):
            return False
        wanted = (there - fewer) | more
        if wanted == there:
            return True
        CaseTag.objects.filter(case=case, tag__in=there - wanted).delete()
        CaseTag.objects.bulk_create([CaseTag(case=case, tag=tag) for tag in sorted(wanted - there)])
        CaseChange.objects.create(case=case, what="tags", old=sorted(there), new=sorted(wanted), by=by, at=now)
        _touch(case, now)
    return True


def add_note(case: Case, *, text: str, by: Member, mentioned: Sequence[Member] = (), now: datetime) -> Note:
    """A word among members; who is named is told, and is informed from then on."""
    if not text.strip():
        raise Refused(_("Write something first."))
    with transaction.atomic():
        case = Case.objects.select_for_update().get(pk=case.pk)
        note = Note.objects.create(case=case, by=by, text=text.strip(), at=now)
        note.mentioned.set(mentioned)
        CaseChange.objects.create(case=case, what="note", new=note.pk, by=by.user, at=now)
        for member in mentioned:
            CaseRole.objects.get_or_create(case=case, member=member, role=CaseRole.Role.INFORMED, defaults={"at": now})
            if member != by:
                words = _("%(who)s named you in a note on %(case)s.") % {"who": by, "case": case}
                _tell_member(member, case, kind="mentioned", text=words, key=f"note {note.pk}", now=now)
        _touch(case, now)
    return note


def delete_note(note: Note, *, by: Member, now: datetime) -> None:
    """Take a note away; only who wrote it may. That there was one stays in the history."""
    if note.by_id != by.pk:
        raise Refused(_("Only who wrote a note can take it away."))
    with transaction.atomic():
        Note.objects.filter(pk=note.pk).update(text="", deleted_at=now)
        CaseChange.objects.create(case=note.case, what="note taken away", old=note.pk, by=by.user, at=now)


def give_role(case: Case, *, member: Member, role: str, by: User | None, now: datetime) -> CaseRole:
    """Let somebody act, decide or be informed. One decides: who did so before is informed then."""
    with transaction.atomic():
        if role == CaseRole.Role.DECIDES:
            for other in CaseRole.objects.filter(case=case, role=role).exclude(member=member):
                end_role(other, by=by, now=now)
                give_role(case, member=other.member, role=CaseRole.Role.INFORMED, by=by, now=now)
        held, is_new = CaseRole.objects.get_or_create(case=case, member=member, role=role, defaults={"at": now})
        if is_new:
            CaseChange.objects.create(case=case, what="role", new={"member": member.pk, "role": role}, by=by, at=now)
            if by is None or member.user_id != by.pk:
                words = _("You have a part in %(case)s now: %(role)s.") % {
                    "case": case,
                    "role": CaseRole.Role(role).label,
                }
                _tell_member(member, case, kind="informed", text=words, key=f"role {held.pk}", now=now)
    return held


def end_role(role: CaseRole, *, by: User | None, now: datetime) -> None:
    """They have that part no more."""
    told = {"member": role.member_id, "role": role.role}
    with transaction.atomic():
        CaseChange.objects.create(case=role.case, what="role", old=told, by=by, at=now)
        role.delete()


def link_conversations(
    one: Conversation, other: Conversation, *, kind: str, by: User | None, now: datetime, why: str = ""
) -> ConversationLink:
    """Tie two conversations; nothing of their content moves."""
    if one.pk == other.pk:
        raise Refused(_("A conversation cannot be tied to itself."))
    if one.workspace_id != other.workspace_id:
        raise Refused(_("The conversations are in different workspaces."))
    with transaction.atomic():
        link, is_new = ConversationLink.objects.get_or_create(
            one=one,
            other=other,
            kind=kind,
            undone_at=None,
            defaults={"workspace_id": one.workspace_id, "why": why, "by": by, "at": now},
        )
        if is_new:
            _note_link(link, "linked", by=by, now=now)
    return link


def unlink_conversations(link: ConversationLink, *, by: User | None, now: datetime) -> None:
    """Undo a tie; that it was there stays."""
    with transaction.atomic():
        if ConversationLink.objects.filter(pk=link.pk, undone_at=None).update(undone_at=now, undone_by=by):
            _note_link(link, "unlinked", by=by, now=now)


def add_conversation(case: Case, conversation: Conversation, *, by: User | None, now: datetime) -> None:
    """Let a case work on a further conversation."""
    if case.workspace_id != conversation.workspace_id:
        raise Refused(_("The conversation is in another workspace."))
    with transaction.atomic():
        _held, is_new = CaseConversation.objects.get_or_create(
            case=case, conversation=conversation, defaults={"at": now}
        )
        if is_new:
            CaseChange.objects.create(case=case, what="conversation", new=conversation.pk, by=by, at=now)


def undo_changes(changes: Sequence[CaseChange], *, by: User | None, now: datetime) -> tuple[int, int]:
    """Give cases back what they were before these changes: (undone, left because they were changed again)."""
    undone, left = 0, 0
    for change in sorted(changes, key=lambda held: -held.pk):
        if change.what not in _UNDOABLE:
            left += 1
            continue
        with transaction.atomic():
            case = Case.objects.select_for_update().get(pk=change.case_id)
            if _plain(case, change.what) != change.new:
                left += 1
                continue
            _change(case, _restored(change, now), (change.what,), by=by, now=now, why=_("undone"))
            undone += 1
    return undone, left


def changes_since(case: Case, version: int) -> list[CaseChange]:
    """The newest changes of a case that a reader of this version has not seen."""
    missed = max(1, case.version - version)
    return list(CaseChange.objects.filter(case=case).select_related("by").order_by("-id")[:missed])


_UNDOABLE = ("owner", "team", "state", "snoozed_until", "priority", "title", "outcome", "outcome_note")


def _change(
    case: Case,
    change: Callable[[Case], None],
    fields: Sequence[str],
    *,
    by: User | None,
    now: datetime,
    version: int | None = None,
    why: str = "",
) -> Case:
    """Lock, check what was seen, change, write history for each field that differs, set the clocks, tell programs."""
    with transaction.atomic():
        held = Case.objects.select_for_update().get(pk=case.pk)
        if version is not None and held.version != version:
            raise Stale(held, changes_since(held, version))
        before = {name: _plain(held, name) for name in fields}
        change(held)
        after = {name: _plain(held, name) for name in fields}
        differing = [name for name in fields if before[name] != after[name]]
        if not differing:
            return held
        for name in differing:
            CaseChange.objects.create(case=held, what=name, old=before[name], new=after[name], by=by, why=why, at=now)
        set_clocks(held, now=now, keeps_rung=not {"team", "priority"} & set(differing))
        if "snoozed_until" in differing:
            _set_snooze(held, now=now)
        held.version += 1
        held.changed_at = now
        held.save()
        for name in differing:
            if name in _EVENTS:
                more = {"was": before[name], "by": by.email if by else None}
                tell(held.workspace, type=_EVENTS[name], data=data_of(held, **more), now=now)
    return held


def _set_snooze(case: Case, *, now: datetime) -> None:
    """Let the timer of a snooze ring when it ends, also where an undo gave it back an earlier end."""
    running = Timer.objects.filter(case=case, kind=Timer.Kind.SNOOZE, done_at=None)
    running.update(done_at=now, outcome="moved" if case.snoozed_until else "dropped")
    if case.snoozed_until is not None:
        Timer.objects.create(case=case, kind=Timer.Kind.SNOOZE, due_at=case.snoozed_until)


_EVENTS = {"owner": "case.assigned", "team": "case.assigned", "state": "case.state", "priority": "case.priority"}


def _plain(case: Case, name: str) -> Any:
    value = getattr(case, f"{name}_id") if name in ("owner", "team") else getattr(case, name)
    return value.isoformat() if isinstance(value, datetime) else value


def _restored(change: CaseChange, now: datetime) -> Callable[[Case], None]:
    def restore(held: Case) -> None:
        value: Any = change.old
        if change.what in ("owner", "team"):
            setattr(held, f"{change.what}_id", value)
            if change.what == "owner":
                held.owned_since = now if value else None
        elif change.what == "snoozed_until":
            held.snoozed_until = datetime.fromisoformat(value) if value else None
        else:
            setattr(held, change.what, value)
        if change.what == "priority":
            held.rank = rank(str(value), urgency=held.urgency, influence=held.influence)
        if change.what == "state":
            held.resolved_at = held.resolved_at if value in SETTLED else None

    return restore


def _set(case: Case, **values: Any) -> None:
    for name, value in values.items():
        setattr(case, name, value)


def _touch(case: Case, now: datetime) -> None:
    case.version += 1
    case.changed_at = now
    case.save(update_fields=["version", "changed_at"])


def _tags_of(words: Iterable[str]) -> set[str]:
    return {word.strip().lstrip("#").casefold()[:60] for word in words} - {""}


def _shortened(title: str) -> str:
    line = " ".join(title.split())
    return line if len(line) <= LONGEST_TITLE else f"{line[: LONGEST_TITLE - 1].rstrip()}…"


def _reason_words(reason: Mapping[str, Any]) -> str:
    names = ", ".join(str(rule.get("name", "")) for rule in reason.get("rules", ()))
    return names[:500]


def _note_assigned(case: Case, owner: Member, *, by: User | None, now: datetime, tells: bool = True) -> None:
    Availability.objects.update_or_create(member=owner, defaults={"last_assigned_at": now})
    if tells and (by is None or owner.user_id != by.pk):
        words = _("%(case)s is yours now.") % {"case": case}
        _tell_member(owner, case, kind="assigned", text=words, key=f"assigned {case.pk} {case.version}", now=now)


def _tell_member(member: Member, case: Case, *, kind: str, text: str, key: str, now: datetime) -> None:
    notify(member, kind=kind, text=text, address=address_of(case), key=key, now=now)


def _note_link(link: ConversationLink, what: str, *, by: User | None, now: datetime) -> None:
    told = {"one": link.one_id, "other": link.other_id, "kind": link.kind}
    for case in Case.objects.filter(conversations__in=[link.one_id, link.other_id]).distinct():
        CaseChange.objects.create(case=case, what=what, new=told, by=by, why=link.why, at=now)
