"""Monitors: made, changed, tried; what they found, and whether that is right."""

from typing import Annotated, Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from ninja import Query as Asks
from ninja import Router, Schema, Status
from pydantic import AfterValidator, Field

from talkworthy.analysis.meaning import MEANING
from talkworthy.api.jobs import JobShape, job_shape
from talkworthy.api.posts import AskedMentions, page_of, post_named
from talkworthy.api.routes import known_names, operation
from talkworthy.api.shapes import Changes, Deleted, Given, Id, Moment, Name, Posts, Query
from talkworthy.api.tokens import CallerRequest
from talkworthy.listening import actions
from talkworthy.listening.models import Monitor
from talkworthy.listening.periods import read_moment
from talkworthy.listening.selectors import mentions, monitors
from talkworthy.listening.selectors.monitors import Precision
from talkworthy.query import check, compile_query, format_query, parse
from talkworthy.workspaces.models import Member
from talkworthy.workspaces.selectors import member_or_404

router = Router(tags=["monitors"])
marking = Router(tags=["mentions"])


def _known_colour(colour: str) -> str:
    if colour not in actions.COLOURS:
        raise ValueError(f"none of: {', '.join(actions.COLOURS)}")
    return colour


Colour = Annotated[str, AfterValidator(_known_colour), Field(json_schema_extra={"enum": list(actions.COLOURS)})]


class MonitorGiven(Given):
    """A monitor to be made. Its owner is who made the token, unless another member is named."""

    name: Name
    query: Query
    kind: Monitor.Kind = Monitor.Kind.BRAND
    colour: Colour = "blue"
    owner: Id | None = Field(None, description="Number of a member.")


class MonitorChanged(Changes):
    """What is to change; the rest stays. A changed query is a new version, and history is matched again."""

    name: Name = ""
    query: Query = ""
    kind: Monitor.Kind = Monitor.Kind.BRAND
    colour: Colour = "blue"
    owner: Id | None = None


class MonitorShape(Schema):
    """A query with a name. `precision` is the share of marked mentions that rightly belong; null without a mark."""

    id: Id
    name: str
    kind: str
    colour: str
    owner: Id | None
    query: str
    version: int
    created_at: Moment
    changed_at: Moment
    paused_at: Moment | None
    precision: float | None
    precision_low: float = Field(description="Lower end of its 95 % interval.")
    precision_high: float
    marked: int
    job: Id | None = Field(description="The job that matches history again, while it waits or runs.")


class Monitors(Schema):
    """The monitors of the workspace, by name."""

    monitors: list[MonitorShape]


class Version(Schema):
    """A query as it once stood."""

    version: int
    query: str
    by: str | None
    at: Moment


class Versions(Schema):
    """The queries of a monitor, the newest first."""

    versions: list[Version]


class QueryGiven(Given):
    """A query to be looked at."""

    query: Query


class QueryProblem(Schema):
    """What is wrong or odd, where (line and column from 1, `end` behind it), and what would do."""

    code: str
    message: str
    line: int
    column: int
    end: int
    fix: str | None


class Checked(Schema):
    """The verdict on a query (valid, warning or error), and what it finds; nothing is saved."""

    verdict: str
    errors: list[QueryProblem]
    warnings: list[QueryProblem]
    formatted: str | None
    found: int | None = Field(description="Posts that it finds among the newest; null where it cannot be used.")
    reached: Moment | None = Field(description="How far back it looked; null: to the end.")


class BacktestGiven(Given):
    """A query to be run over stored history, compared with a monitor's saved query where one is named."""

    query: Query
    monitor: Id | None = None
    since: str = Field("", description="A date or an ISO 8601 time; without it from the beginning.")
    until: str = ""


class MarkGiven(Given):
    """Whether a mention rightly belongs; null takes the mark back."""

    right: bool | None


class Marked(Schema):
    """The mark as it stands, and the monitor's precision after it."""

    uid: str
    right: bool | None
    precision: float | None
    marked: int


class Mentions(Posts):
    """A page of a monitor's mentions, with what people said of them: uid → right."""

    marks: dict[str, bool]


@operation(router, "GET", "/monitors", scope="monitors:read", response=Monitors)
def list_monitors(request: CallerRequest) -> dict[str, Any]:
    """The monitors, by name."""
    found = mentions.monitors_of(viewer=request.auth.member)
    precisions = monitors.precisions(found)
    return {"monitors": [_shape(monitor, precisions.get(monitor.pk, Precision(0, 0))) for monitor in found]}


@operation(router, "POST", "/monitors", scope="monitors:write", response={201: MonitorShape})
def create_monitor(request: CallerRequest, given: MonitorGiven) -> Status[dict[str, Any]]:
    """Make a monitor; stored history is matched against it in the background."""
    caller = request.auth
    monitor = actions.create_monitor(
        caller.workspace,
        name=given.name,
        kind=given.kind.value,
        colour=given.colour,
        owner=_owner(given.owner, caller.member) or caller.member,
        query=given.query,
        by=caller.user,
        now=timezone.now(),
    )
    return Status(201, _one(monitor))


@operation(router, "POST", "/monitors/check", scope="monitors:read", response=Checked)
def check_query(request: CallerRequest, given: QueryGiven) -> dict[str, Any]:
    """What is wrong with a query, how it reads formatted, and how much it finds. Nothing is saved."""
    verdict = check(given.query, stage="monitor")
    told: dict[str, Any] = {**verdict.as_json(), "formatted": None, "found": None, "reached": None}
    if verdict.errors:
        return told
    tree = parse(given.query, stage="monitor")
    compiled = compile_query(tree, now=timezone.now(), similarity=MEANING)
    _posts, found, reached = mentions.preview(compiled, viewer=request.auth.member)
    return {**told, "formatted": format_query(tree), "found": found, "reached": reached}


@operation(router, "GET", "/monitors/{int:monitor_id}", scope="monitors:read", response=MonitorShape)
def get_monitor(request: CallerRequest, monitor_id: int) -> dict[str, Any]:
    """One monitor."""
    return _one(monitors.monitor_or_404(monitor_id, viewer=request.auth.member))


@operation(router, "PATCH", "/monitors/{int:monitor_id}", scope="monitors:write", response=MonitorShape)
def change_monitor(request: CallerRequest, monitor_id: int, given: MonitorChanged) -> dict[str, Any]:
    """Change what is named; the rest stays."""
    caller = request.auth
    monitor = monitors.monitor_or_404(monitor_id, viewer=caller.member)
    changes = given.model_dump(exclude_unset=True, mode="json")
    if "owner" in changes:
        changes["owner"] = _owner(given.owner, caller.member)
    return _one(actions.change_monitor(monitor, by=caller.user, now=timezone.now(), **changes))


@operation(router, "DELETE", "/monitors/{int:monitor_id}", scope="monitors:write", response=Deleted)
def delete_monitor(request: CallerRequest, monitor_id: int) -> dict[str, Any]:
    """Take a monitor away; it can be restored with everything that it found."""
    monitor = monitors.monitor_or_404(monitor_id, viewer=request.auth.member)
    actions.delete_monitor(monitor, by=request.auth.user, now=timezone.now())
    return {"id": str(monitor.pk)}


@operation(router, "POST", "/monitors/{int:monitor_id}/restore", scope="monitors:write", response=MonitorShape)
def restore_monitor(request: CallerRequest, monitor_id: int) -> dict[str, Any]:
    """Bring a deleted monitor back."""
    monitor = monitors.deleted_monitor_or_404(monitor_id, viewer=request.auth.member)
    actions.restore_monitor(monitor, by=request.auth.user, now=timezone.now())
    return _one(monitor)


@operation(router, "POST", "/monitors/{int:monitor_id}/pause", scope="monitors:write", response=MonitorShape)
def pause_monitor(request: CallerRequest, monitor_id: int) -> dict[str, Any]:
    """Let a monitor find nothing new; what it found stays."""
    monitor = monitors.monitor_or_404(monitor_id, viewer=request.auth.member)
    actions.pause_monitor(monitor, by=request.auth.user, now=timezone.now())
    return _one(monitor)


@operation(router, "POST", "/monitors/{int:monitor_id}/resume", scope="monitors:write", response=MonitorShape)
def resume_monitor(request: CallerRequest, monitor_id: int) -> dict[str, Any]:
    """Let it find again, also what came in between."""
    monitor = monitors.monitor_or_404(monitor_id, viewer=request.auth.member)
    actions.resume_monitor(monitor, by=request.auth.user, now=timezone.now())
    return _one(monitor)


@operation(router, "GET", "/monitors/{int:monitor_id}/versions", scope="monitors:read", response=Versions)
def list_versions(request: CallerRequest, monitor_id: int) -> dict[str, Any]:
    """The monitor's queries as they stood, the newest first."""
    monitor = monitors.monitor_or_404(monitor_id, viewer=request.auth.member)
    found = monitors.versions_of(monitor)
    told = [{"version": v.version, "query": v.query, "by": str(v.by) if v.by else None, "at": v.at} for v in found]
    return {"versions": told}


@operation(router, "POST", "/backtests", scope="monitors:write", response={202: JobShape})
def start_backtest(request: CallerRequest, given: BacktestGiven) -> Status[dict[str, Any]]:
    """Run a query over stored history in the background; the answer is the job to ask for."""
    caller = request.auth
    tested = monitors.monitor_or_404(int(given.monitor), viewer=caller.member) if given.monitor else None
    zone = ZoneInfo(caller.workspace.timezone)
    job = actions.start_backtest(
        caller.workspace,
        query=given.query,
        monitor=tested,
        since=read_moment(given.since, zone=zone) if given.since else None,
        until=read_moment(given.until, zone=zone, end=True) if given.until else None,
        by=caller.user,
        now=timezone.now(),
    )
    return Status(202, job_shape(job, now=timezone.now()))


@operation(marking, "GET", "/monitors/{int:monitor_id}/mentions", scope="mentions:read", response=Mentions)
def list_mentions(request: CallerRequest, monitor_id: int, asked: Asks[AskedMentions]) -> dict[str, Any]:
    """What a monitor found, newest first, narrowed as posts are."""
    known_names(request, AskedMentions)
    viewer = request.auth.member
    monitor = monitors.monitor_or_404(monitor_id, viewer=viewer)
    page = page_of(asked, viewer, monitors=[monitor.pk])
    uids = [{"uid": post.root["uid"]} for post in page["posts"]]
    return {**page, "marks": mentions.marks_of(uids, monitor)}


@operation(
    marking, "PUT", "/monitors/{int:monitor_id}/mentions/{path:key}", scope="mentions:write", response=Marked
)  # fmt: skip
def mark_mention(request: CallerRequest, monitor_id: int, key: str, given: MarkGiven) -> dict[str, Any]:
    """Say whether a post, by id or uid, rightly belongs to a monitor."""
    caller = request.auth
    monitor = monitors.monitor_or_404(monitor_id, viewer=caller.member)
    post = post_named(key, caller.member)
    actions.mark_mention(monitor, post["uid"], right=given.right, by=caller.user, now=timezone.now())
    precision = monitors.precisions([monitor]).get(monitor.pk, Precision(0, 0))
    return {"uid": post["uid"], "right": given.right, "precision": precision.share, "marked": precision.n}


def _owner(number: str | None, viewer: Member) -> Member | None:
    return member_or_404(int(number), viewer=viewer) if number is not None else None


def _one(monitor: Monitor) -> dict[str, Any]:
    return _shape(monitor, monitors.precisions([monitor]).get(monitor.pk, Precision(0, 0)))


def _shape(monitor: Monitor, precision: Precision) -> dict[str, Any]:
    job = monitors.rematch_of(monitor)
    return {
        "id": str(monitor.pk),
        "name": monitor.name,
        "kind": str(monitor.kind),
        "colour": monitor.colour,
        "owner": None if monitor.owner_id is None else str(monitor.owner_id),
        "query": monitor.query,
        "version": monitor.version,
        "created_at": monitor.created_at,
        "changed_at": monitor.changed_at,
        "paused_at": monitor.paused_at,
        "precision": precision.share,
        "precision_low": precision.low,
        "precision_high": precision.high,
        "marked": precision.n,
        "job": str(job.pk) if job else None,
    }
