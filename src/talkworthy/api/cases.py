"""Cases: listed, read with their history and why they are there, changed by whoever saw the newest, and noted on."""

from typing import Annotated, Any, Literal

from django.db import transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _
from ninja import Query, Router, Schema, Status
from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from talkworthy.api.posts import post_named
from talkworthy.api.problems import Problem
from talkworthy.api.routes import known_names, operation
from talkworthy.api.shapes import Changes, Deleted, Given, Id, Moment
from talkworthy.api.tokens import CallerRequest
from talkworthy.responding.noting import mentioned
from talkworthy.responding.selectors.case import history_of, teams
from talkworthy.responding.selectors.inbox import Place
from talkworthy.responding.selectors.listing import Narrowed, listed_cases
from talkworthy.routing import actions
from talkworthy.routing.actions.cases import note_outcome
from talkworthy.routing.actions.opening import open_by_hand
from talkworthy.routing.evidence import steps_of
from talkworthy.routing.models import Case, ConversationLink, Decision, Note
from talkworthy.routing.selectors.cases import case_or_404, links_of
from talkworthy.routing.telling import lacking_words
from talkworthy.workspaces.models import Member, Team
from talkworthy.workspaces.selectors import member_or_404, members

router = Router(tags=["cases"])

NOBODY = "none"
MOST_DECISIONS = 50


def _place(text: str) -> str:
    if Place.read(text) is None:
        raise ValueError("take it from `after` of the page before")
    return text


class CasesAsked(Schema):
    """Which cases, and which page of them. Within one name any value will do, and every name must hold."""

    q: str = Field("", description="A query over cases, as in the inbox.", max_length=2_000)
    state: list[Case.State] = []
    priority: list[Case.Priority] = []
    channel: list[str] = []
    tag: list[str] = []
    team: list[Id] = []
    owner: list[Annotated[str, Field(pattern=r"^(\d{1,18}|none)$")]] = Field(
        [], description="Numbers of members; none: nobody has it."
    )
    after: Annotated[str, AfterValidator(_place)] | None = Field(None, description="From the page before.")
    limit: int = Field(40, ge=1, le=200)


class CaseShape(Schema):
    """One piece of work. `version` counts every change."""

    number: Id = Field(description="What people call it, without #.")
    title: str
    state: str
    priority: str
    urgency: int
    channel: str
    language: str
    outcome: str
    team: Id | None
    owner: Id | None = Field(description="Number of a member.")
    tags: list[str]
    opened_at: Moment
    changed_at: Moment
    due_at: Moment | None = Field(description="The earliest of what is still due.")
    first_answered_at: Moment | None
    resolved_at: Moment | None
    snoozed_until: Moment | None
    version: int


class Cases(Schema):
    """A page of cases, in the order of the queue."""

    cases: list[CaseShape]
    after: str | None = Field(None, description="Pass it as `after` for the next page; null at the end.")


class CaseEvent(Schema):
    """One thing that changed, in words."""

    at: Moment
    who: str = Field(description="Empty: the product itself.")
    words: str
    why: str


class NoteShape(Schema):
    """What a member said to the others; never sent."""

    id: Id
    by: str | None
    text: str
    at: Moment


class StepShape(Schema):
    """One question of the playbook, its answer, and on what that rests."""

    node: str
    question: str
    answer: str
    words: str


class DecisionShape(Schema):
    """What the rules and the playbook said of one mention."""

    uid: str
    at: Moment
    rules: list[dict[str, Any]]
    steps: list[StepShape]
    outcome: str
    priority: str


class CaseWhole(CaseShape):
    """A case with its history, its notes, and why it was opened and given to whom."""

    history: list[CaseEvent]
    notes: list[NoteShape]
    decisions: list[DecisionShape]
    assigned: dict[str, Any] = Field(description="How its first owner was chosen; `words` where there was nobody.")


class CaseChanged(Changes):
    """What is to change; the rest stays. All of it is done or nothing."""

    version: int = Field(description="The version that was read: where it is no longer the newest, the answer is 409.")
    state: Case.State = Case.State.OPEN
    snoozed_until: AwareDatetime | None = Field(None, description="Goes with the state snoozed.")
    owner: Id | None = Field(None, description="Number of a member; null: nobody.")
    team: Id | None = None
    priority: Case.Priority = Case.Priority.SERVICE
    tags: list[Annotated[str, Field(max_length=60)]] = Field([], description="All that it is to have.")
    title: str = Field("", max_length=2_000)
    outcome: str = Field("", max_length=30, description="A leaf of the playbook, or a word of one's own.")
    why: str = Field("", max_length=500, description="Stands in the history.")


class CaseGiven(Given):
    """A case to be opened by hand, of whoever made the token."""

    post: Annotated[str, Field(min_length=1, max_length=2_000)] = Field(description="Id or uid of a post.")


class LinkGiven(Given):
    """A tie between the first conversations of two cases."""

    to: Id = Field(description="Number of the other case.")
    kind: Literal["same_matter", "repeats", "answers"]
    why: str = Field("", max_length=500)


class LinkShape(Schema):
    """A typed tie between two conversations; nothing of their content moves."""

    id: Id
    kind: str
    one: Id = Field(description="Number of a conversation.")
    other: Id
    why: str
    at: Moment


class Links(Schema):
    """The ties of a case's conversations."""

    links: list[LinkShape]


class NoteGiven(Given):
    """A note. Who is named with @ is told."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=10_000)]


@operation(router, "GET", "/cases", scope="cases:read", response=Cases)
def list_cases(request: CallerRequest, asked: Query[CasesAsked]) -> dict[str, Any]:
    """The cases that a filter lets through, in the order of the queue, page by page."""
    known_names(request, CasesAsked)
    narrowed = Narrowed(
        asked.q.strip(),
        [state.value for state in asked.state],
        [priority.value for priority in asked.priority],
        asked.channel,
        [tag.casefold() for tag in asked.tag],
        [int(team) for team in asked.team],
        [None if owner == NOBODY else int(owner) for owner in asked.owner],
    )
    after = Place.read(asked.after) if asked.after else None
    found, following = listed_cases(
        narrowed, viewer=request.auth.member, now=timezone.now(), after=after, limit=asked.limit
    )
    return {"cases": [_shape(case) for case in found], "after": None if following is None else str(following)}


@operation(router, "GET", "/cases/{int:number}", scope="cases:read", response=CaseWhole)
def get_case(request: CallerRequest, number: int) -> dict[str, Any]:
    """One case with its history, its notes, and why it is there."""
    case = case_or_404(number, viewer=request.auth.member)
    notes = case.notes.filter(deleted_at=None).select_related("by__user")
    assigned = dict(case.reason.get("assigned") or {})
    if assigned.get("lacking"):
        assigned["words"] = lacking_words(assigned["lacking"])
    decisions = case.decisions.order_by("-at", "-pk")[:MOST_DECISIONS]
    return {
        **_shape(case),
        "history": [{"at": one.at, "who": one.who, "words": one.words, "why": one.why} for one in history_of(case)],
        "notes": [_note(note) for note in notes],
        "decisions": [_decision(decision) for decision in decisions],
        "assigned": assigned,
    }


@operation(router, "PATCH", "/cases/{int:number}", scope="cases:write", response=CaseShape)
def change_case(request: CallerRequest, number: int, given: CaseChanged) -> dict[str, Any]:
    """Change state, owner, team or class; 409 where it was changed since it was read."""
    caller, now = request.auth, timezone.now()
    case = case_or_404(number, viewer=caller.member)
    named = given.model_fields_set
    until = given.snoozed_until
    if (until is not None) != ("state" in named and given.state == Case.State.SNOOZED):
        raise Problem("invalid", _("The state “snoozed” and `snoozed_until` go together."))
    owner = _owner(given.owner, caller.member) if "owner" in named else case.owner
    team = team_or_404(given.team, caller.member) if "team" in named else None
    told: dict[str, Any] = {"by": caller.user, "now": now, "why": given.why}
    with transaction.atomic():
        case = _as_seen(case, given.version)
        if named & {"owner", "team"}:
            case = actions.assign_case(case, owner=owner, team=team, keep_team="team" not in named, **told)
        if "priority" in named:
            case = actions.set_priority(case, priority=given.priority.value, **told)
        if "title" in named:
            case = actions.retitle_case(case, title=given.title, by=caller.user, now=now)
        if "outcome" in named:
            case = note_outcome(case, outcome=given.outcome.strip(), **told)
        if until is not None:
            case = actions.snooze_case(case, until=until, by=caller.user, now=now)
        elif "state" in named:
            case = actions.set_state(case, state=given.state.value, **told)
        if "tags" in named:
            there = [held.tag for held in case.tags.all()]
            actions.tag_case(case, add=given.tags, take=_missing(there, given.tags), by=caller.user, now=now)
    return _shape(case_or_404(number, viewer=caller.member))


@operation(router, "POST", "/cases", scope="cases:write", response={201: CaseShape, 200: CaseShape})
def open_case(request: CallerRequest, given: CaseGiven) -> Status[dict[str, Any]]:
    """Open a case on a post, and take it; where its conversation has a live one, that is the answer, with 200."""
    caller = request.auth
    post = post_named(given.post, caller.member)
    case, is_new = open_by_hand(caller.workspace, post, by=caller.member, now=timezone.now())
    return Status(201 if is_new else 200, _shape(case))


@operation(router, "GET", "/cases/{int:number}/links", scope="cases:read", response=Links)
def list_links(request: CallerRequest, number: int) -> dict[str, Any]:
    """The ties of the conversations that a case works on."""
    case = case_or_404(number, viewer=request.auth.member)
    return {"links": [_link(link) for link in links_of(case)]}


@operation(router, "POST", "/cases/{int:number}/links", scope="cases:write", response={201: LinkShape})
def link_case(request: CallerRequest, number: int, given: LinkGiven) -> Status[dict[str, Any]]:
    """Tie the first conversations of two cases; the same tie twice is one."""
    caller = request.auth
    case, other = (case_or_404(one, viewer=caller.member) for one in (number, int(given.to)))
    one, two = (held.conversations.order_by("pk").first() for held in (case, other))
    if one is None or two is None:
        raise Problem("refused", _("These two cannot be tied: one of them has no conversation."))
    told: dict[str, Any] = {"kind": given.kind, "why": given.why, "by": caller.user, "now": timezone.now()}
    return Status(201, _link(actions.link_conversations(one, two, **told)))


@operation(router, "DELETE", "/cases/{int:number}/links/{int:link_id}", scope="cases:write", response=Deleted)
def unlink_case(request: CallerRequest, number: int, link_id: int) -> dict[str, Any]:
    """Undo a tie; that it was there stays in the history."""
    case = case_or_404(number, viewer=request.auth.member)
    link = next((held for held in links_of(case) if held.pk == link_id), None)
    if link is None:
        raise Http404(_("There is no such tie."))
    actions.unlink_conversations(link, by=request.auth.user, now=timezone.now())
    return {"id": str(link.pk)}


@operation(router, "POST", "/cases/{int:number}/notes", scope="cases:write", response={201: NoteShape})
def add_note(request: CallerRequest, number: int, given: NoteGiven) -> Status[dict[str, Any]]:
    """Say something to the other members, and tell those who are named; it is never sent."""
    member = request.auth.member
    case = case_or_404(number, viewer=member)
    everybody = {one.pk: one for one in members(viewer=member)}
    named = mentioned(given.text, [(one.pk, one.user.name, one.user.email) for one in everybody.values()])
    note = actions.add_note(
        case, text=given.text, by=member, mentioned=[everybody[one] for one in named], now=timezone.now()
    )
    return Status(201, _note(note))


def _as_seen(case: Case, version: int) -> Case:
    """The case, locked for the change; Stale where it is not what was read."""
    held = Case.objects.select_for_update().get(pk=case.pk)
    if held.version != version:
        raise actions.Stale(held, actions.changes_since(held, version))
    return held


def _missing(there: list[str], wanted: list[str]) -> list[str]:
    """The tags that are there and not wanted, however they are written."""
    named = {word.strip().lstrip("#").casefold() for word in wanted}
    return [tag for tag in there if tag not in named]


def _link(link: ConversationLink) -> dict[str, Any]:
    return {
        "id": str(link.pk),
        "kind": str(link.kind),
        "one": str(link.one_id),
        "other": str(link.other_id),
        "why": link.why,
        "at": link.at,
    }


def _owner(number: str | None, viewer: Member) -> Member | None:
    return None if number is None else member_or_404(int(number), viewer=viewer)


def team_or_404(number: str | None, viewer: Member) -> Team | None:
    """The team of that number; None: no team."""
    if number is None:
        return None
    found = next((team for team in teams(viewer=viewer) if team.pk == int(number)), None)
    if found is None:
        raise Http404(_("There is no such team."))
    return found


def _shape(case: Case) -> dict[str, Any]:
    return {
        "number": str(case.number),
        "title": case.title,
        "state": str(case.state),
        "priority": str(case.priority),
        "urgency": case.urgency,
        "channel": case.channel,
        "language": case.language,
        "outcome": case.outcome,
        "team": None if case.team_id is None else str(case.team_id),
        "owner": None if case.owner_id is None else str(case.owner_id),
        "tags": [held.tag for held in case.tags.all()],
        "opened_at": case.opened_at,
        "changed_at": case.changed_at,
        "due_at": case.due_at,
        "first_answered_at": case.first_answered_at,
        "resolved_at": case.resolved_at,
        "snoozed_until": case.snoozed_until,
        "version": case.version,
    }


def _note(note: Note) -> dict[str, Any]:
    return {"id": str(note.pk), "by": str(note.by) if note.by else None, "text": note.text, "at": note.at}


def _decision(decision: Decision) -> dict[str, Any]:
    return {
        "uid": decision.uid,
        "at": decision.at,
        "rules": [{**held, "rule": str(held["rule"])} for held in decision.rules],
        "steps": [{name: step.get(name, "") for name in StepShape.model_fields} for step in steps_of(decision)],
        "outcome": decision.outcome,
        "priority": decision.priority,
    }
