"""Monitors: the list, one of them, the editor with its live check, and the backtest."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBadRequest, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from talkworthy.analysis.meaning import MEANING
from talkworthy.listening import actions, charts
from talkworthy.listening.cards import Cards
from talkworthy.listening.filters import Filter
from talkworthy.listening.forms.monitors import LONGEST_QUERY, MonitorForm
from talkworthy.listening.models import Job, Mark, Monitor, MonitorVersion
from talkworthy.listening.periods import DAY, Bucket, Period, read_period
from talkworthy.listening.selectors import mentions, series
from talkworthy.listening.selectors import monitors as selectors
from talkworthy.listening.selectors.monitors import Listed, Precision
from talkworthy.listening.selectors.series import Point
from talkworthy.listening.views.drawing import Drawn, drawn, plotted
from talkworthy.listening.views.problems import problems_of
from talkworthy.query import check, compile_query, format_query, parse
from talkworthy.workspaces.models import Member
from talkworthy.workspaces.once import once
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, offer_undo, permission_required
from talkworthy.workspaces.seen import print_of

DRAFT = ("name", "kind", "colour", "owner", "seen")
"""What a draft carries along in the address, besides its query; `seen` is a print of what it was begun over."""

SPANS = {"30d": timedelta(days=30), "90d": timedelta(days=90), "365d": timedelta(days=365), "all": None}
SORTS: dict[str, Callable[[Listed], Any]] = {
    "name": lambda item: item.monitor.name.lower(),
    "week": lambda item: -item.week.now,
    "change": lambda item: -(item.week.ratio if item.week.ratio is not None else -2.0),
    "precision": lambda item: item.precision.share if item.precision.share is not None else 2.0,
}
"""How the list may be sorted: most mentions, greatest rise and lowest precision first."""

NEWEST = 10
LISTED = 50


@require_GET
@permission_required(Permission.READ)
def monitors(request: MemberRequest) -> HttpResponse:
    """All monitors, with what they found lately and how often they were right."""
    period = _lately(request.member, days=14)
    listed = selectors.listed_monitors(viewer=request.member, period=period)
    sort = request.GET.get("sort", "name")
    listed.sort(key=SORTS.get(sort, SORTS["name"]))
    rows = [(item, sparkline(item.points)) for item in listed]
    return render(
        request,
        "listening/monitors/list.html",
        {"sort": sort, "rows": rows, "period": period, "is_past": period.until < timezone.now() - DAY},
    )


@require_GET
@permission_required(Permission.READ)
def monitor(request: MemberRequest, monitor_id: int) -> HttpResponse:
    """One monitor: what it found, how it was changed, how right it is."""
    now = timezone.now()
    shown = selectors.monitor_or_404(monitor_id, viewer=request.member)
    period = _lately(request.member, days=30)
    points = series.volume([shown.pk], period, viewer=request.member)[shown.pk]
    total = sum(point.posts or 0 for point in points)
    posts = mentions.mentions(
        Filter(monitors=(shown.pk,)), viewer=request.member, period=None, now=now, limit=NEWEST
    ).posts
    cards = Cards(request.workspace.slug, mentions.monitors_of(viewer=request.member), now=now)
    marks = mentions.marks_of(posts, shown)
    river = reverse("listening:river", args=(request.workspace.slug,))
    base = Filter(monitors=(shown.pk,))
    line = charts.Line(
        shown.name,
        shown.colour,
        points,
        [f"{river}?{base.over(p.bucket.since, p.bucket.until).address}" for p in points],
    )
    compared = series.change(total, series.totals([shown.pk], period.before, viewer=request.member)[shown.pk])
    last = (period.until - timedelta(hours=1)).astimezone(period.zone)
    said = {
        "name": shown.name,
        "n": number_format(total, use_l10n=True, force_grouping=True),
        "days": period.days,
        "day": date_format(last, "j F Y"),
    }
    title = _("%(name)s was mentioned %(n)s times in the %(days)s days to %(day)s") % said
    rows = [
        [(charts.bucket_name(point.bucket.since, period), ""), (point.posts, line.addresses[place])]
        for place, point in enumerate(points)
    ]
    chart = drawn(
        "volume",
        title,
        charts.bars(line, period, words=plotted(), now=now),
        period=period,
        n=total,
        columns=[_("Day"), _("Mentions")],
        rows=rows,
        exports=reverse("listening:trends", args=(request.workspace.slug,)) + "volume",
        parameters=f"monitor={shown.pk}&period=30d",
    )
    context = {
        "monitor": shown,
        "chart": chart,
        "change": compared,
        "period": period,
        "precision": selectors.precisions([shown]).get(shown.pk, Precision(0, 0)),
        "cards": [(cards.card(post, only=cards.compiled(shown)), marks.get(post["uid"])) for post in posts],
        "versions": selectors.versions_of(shown),
        "backtests": selectors.backtests_of(shown),
        "rematch": selectors.rematch_of(shown),
        "river": f"{river}?monitor={shown.pk}",
        "formatted": _neat(shown.query),
    }
    return render(request, "listening/monitors/monitor.html", context)


@require_http_methods(["GET", "POST"])
@permission_required(Permission.EDIT_MONITORS)
@once
def new(request: MemberRequest) -> HttpResponse:
    """Make a monitor; a draft may come along in the address, from the river, or from a backtest."""
    if request.method == "POST":
        return _saved(request, None)
    start: dict[str, Any] = {
        "owner": request.member.pk,
        **{name: request.GET[name] for name in (*DRAFT, "query") if name in request.GET},
    }
    job = _draft_job(request, start)
    return _editor(request, MonitorForm(initial=start, workspace=request.workspace), None, job=job)


@require_http_methods(["GET", "POST"])
@permission_required(Permission.EDIT_MONITORS)
def edit(request: MemberRequest, monitor_id: int) -> HttpResponse:
    """Change a monitor."""
    changed = selectors.monitor_or_404(monitor_id, viewer=request.member)
    if request.method == "POST":
        return _saved(request, changed)
    held = _held(changed)
    start = held | {name: request.GET[name] for name in (*DRAFT, "query") if name in request.GET}
    job = _draft_job(request, start)
    form = MonitorForm(initial=start, workspace=request.workspace)
    return _editor(request, form, changed, job=job, seen=request.GET.get("seen") or print_of(held))


@require_POST
@permission_required(Permission.READ)
def preview(request: MemberRequest) -> HttpResponse:
    """What is wrong with a query as it is typed, how it reads formatted, and what it finds among the newest posts."""
    words = request.POST.get("query", "").strip()[:LONGEST_QUERY]
    return render(request, "listening/monitors/preview.html", previewed(request.member, words))


@require_POST
@permission_required(Permission.EDIT_MONITORS)
def backtest(request: MemberRequest) -> HttpResponse:
    """Run the draft's query over stored history, and come back to its result."""
    now = timezone.now()
    number = request.POST.get("monitor", "")
    tested = selectors.monitor_or_404(int(number), viewer=request.member) if number.isdecimal() else None
    span = SPANS.get(request.POST.get("span", "all"))
    try:
        job = actions.start_backtest(
            request.workspace,
            query=request.POST.get("query", "").strip()[:LONGEST_QUERY],
            monitor=tested,
            since=series.standing_now(viewer=request.member, now=now) - span if span else None,
            by=request.user,
            now=now,
        )
    except actions.Refused:
        form = MonitorForm(request.POST, workspace=request.workspace)
        form.is_valid()
        return _editor(request, form, tested, job=None, seen=request.POST.get("seen", ""))
    draft = urlencode([(name, request.POST[name]) for name in DRAFT if request.POST.get(name)])
    return redirect(
        reverse("listening:backtest", args=(request.workspace.slug, job.pk)) + (f"?{draft}" if draft else "")
    )


@require_GET
@vary_on_headers("HX-Request")
@permission_required(Permission.READ)
def backtested(request: MemberRequest, job_id: int) -> HttpResponse:
    """How far a backtest is, and then what it found."""
    job = selectors.backtest_or_404(job_id, viewer=request.member)
    context: dict[str, Any] = {
        "job": job,
        "draft": request.GET.urlencode(),
        "tested": job.monitor,
        "words": job.request.get("query", ""),
    }
    context |= {
        "formatted": _neat(context["words"]) or context["words"],
        "edit": _back_to_editor(request, job),
        "remaining": _remaining(job, timezone.now()),
    }
    if job.state == Job.State.DONE and job.result:
        context |= _findings(request, job)
    if request.htmx and request.GET.get("progress"):
        if job.state in (Job.State.WAITING, Job.State.RUNNING):
            return render(request, "listening/monitors/backtest.html#progress", context)
        answer = HttpResponse()
        answer["HX-Refresh"] = "true"
        return answer
    return render(request, "listening/monitors/backtest.html", context)


@require_POST
@permission_required(Permission.MARK)
def mark(request: MemberRequest, monitor_id: int) -> HttpResponse:
    """Say whether a mention rightly belongs to a monitor."""
    marked = selectors.monitor_or_404(monitor_id, viewer=request.member)
    right = _said(request.POST)
    uid = request.POST.get("uid", "")
    if not uid or right == "?":
        return HttpResponseBadRequest()
    actions.mark_mention(marked, uid, right=right, by=request.user, now=timezone.now())  # type: ignore[arg-type]
    precision = selectors.precisions([marked]).get(marked.pk, Precision(0, 0))
    return _marked(
        request, uid, right, precision, address=reverse("listening:mark", args=(request.workspace.slug, marked.pk))
    )


@require_POST
@permission_required(Permission.MARK)
def mark_found(request: MemberRequest, job_id: int) -> HttpResponse:
    """Say whether what a backtest found is right; for a monitor that is not saved yet it is kept until it is."""
    job = selectors.backtest_or_404(job_id, viewer=request.member)
    uid, right = request.POST.get("uid", ""), _said(request.POST)
    if not uid or right == "?":
        return HttpResponseBadRequest()
    if job.monitor is not None:
        actions.mark_mention(job.monitor, uid, right=right, by=request.user, now=timezone.now())  # type: ignore[arg-type]
    else:
        kept = dict(request.session.get(f"marks {job.pk}", {}))
        kept[uid] = right
        request.session[f"marks {job.pk}"] = {key: value for key, value in kept.items() if value is not None}
    precision = _sample_precision(request, job)
    return _marked(
        request, uid, right, precision, address=reverse("listening:mark_found", args=(request.workspace.slug, job.pk))
    )


@require_POST
@permission_required(Permission.EDIT_MONITORS)
def pause(request: MemberRequest, monitor_id: int) -> HttpResponse:
    """Let a monitor find nothing new."""
    paused = selectors.monitor_or_404(monitor_id, viewer=request.member)
    actions.pause_monitor(paused, by=request.user, now=timezone.now())
    offer_undo(
        request,
        _("“%(name)s” is paused. What it found stays.") % {"name": paused.name},
        reverse("listening:resume_monitor", args=(request.workspace.slug, paused.pk)),
    )
    return redirect("listening:monitor", request.workspace.slug, paused.pk)


@require_POST
@permission_required(Permission.EDIT_MONITORS)
def resume(request: MemberRequest, monitor_id: int) -> HttpResponse:
    """Find again, also what came in between."""
    resumed = selectors.monitor_or_404(monitor_id, viewer=request.member)
    actions.resume_monitor(resumed, by=request.user, now=timezone.now())
    messages.success(
        request, _("“%(name)s” finds again; what came in between is being matched.") % {"name": resumed.name}
    )
    return redirect("listening:monitor", request.workspace.slug, resumed.pk)


@require_POST
@permission_required(Permission.EDIT_MONITORS)
def delete(request: MemberRequest, monitor_id: int) -> HttpResponse:
    """Take a monitor away; the answer offers to undo it."""
    deleted = selectors.monitor_or_404(monitor_id, viewer=request.member)
    actions.delete_monitor(deleted, by=request.user, now=timezone.now())
    offer_undo(
        request,
        _("“%(name)s” is deleted.") % {"name": deleted.name},
        reverse("listening:restore_monitor", args=(request.workspace.slug, deleted.pk)),
    )
    return redirect("listening:monitors", request.workspace.slug)


@require_POST
@permission_required(Permission.EDIT_MONITORS)
def restore(request: MemberRequest, monitor_id: int) -> HttpResponse:
    """Bring a deleted monitor back."""
    restored = selectors.deleted_monitor_or_404(monitor_id, viewer=request.member)
    try:
        actions.restore_monitor(restored, by=request.user, now=timezone.now())
    except actions.Refused as error:
        messages.error(request, str(error))
        return redirect("listening:monitors", request.workspace.slug)
    messages.success(request, _("“%(name)s” is back, with everything that it found.") % {"name": restored.name})
    return redirect("listening:monitor", request.workspace.slug, restored.pk)


@require_POST
@permission_required(Permission.EDIT_MONITORS)
def restore_version(request: MemberRequest, monitor_id: int, version: int) -> HttpResponse:
    """Make an older query the newest version."""
    changed = selectors.monitor_or_404(monitor_id, viewer=request.member)
    old = get_object_or_404(MonitorVersion, monitor=changed, version=version)
    before = changed.version
    try:
        actions.change_monitor(changed, by=request.user, now=timezone.now(), query=old.query)
    except actions.Refused as error:
        messages.error(request, str(error))
    else:
        undo = reverse("listening:restore_version", args=(request.workspace.slug, changed.pk, before))
        offer_undo(request, _("Version %(old)s holds again; history is being matched.") % {"old": version}, undo)
    return redirect("listening:monitor", request.workspace.slug, changed.pk)


def sparkline(points: Sequence[Point], width: int = 112, height: int = 28) -> dict[str, Any]:
    """A small curve from zero: pieces between gaps as SVG points, and its last point."""
    top = max((point.posts or 0 for point in points), default=0) or 1
    step = (width - 6) / max(1, len(points) - 1)
    pieces: list[list[str]] = [[]]
    last = None
    for place, point in enumerate(points):
        if point.posts is None:
            pieces.append([])
            continue
        last = (round(3 + place * step, 1), round(height - 3 - (height - 6) * point.posts / top, 1))
        pieces[-1].append(f"{last[0]},{last[1]}")
    return {
        "pieces": [" ".join(piece) for piece in pieces if len(piece) > 1],
        "last": last,
        "width": width,
        "height": height,
        "most": top,
    }


def _saved(request: MemberRequest, changed: Monitor | None) -> HttpResponse:
    held = _held(changed) if changed is not None else {}
    form = MonitorForm(request.POST, initial=held, workspace=request.workspace, kept=changed is not None)
    number = request.POST.get("backtest", "")
    job = selectors.backtest_or_404(int(number), viewer=request.member) if number.isdecimal() else None
    if not form.is_valid():
        return _editor(request, form, changed, job=job, seen=form.seen, status=422)
    now = timezone.now()
    try:
        if changed is None:
            kept = actions.create_monitor(request.workspace, by=request.user, now=now, **form.cleaned_data)
            said = _("“%(name)s” listens now. What is stored is being matched.") % {"name": kept.name}
        else:
            kept = actions.change_monitor(changed, by=request.user, now=now, **form.cleaned_data)
            said = _("“%(name)s” is saved.") % {"name": kept.name}
    except actions.Refused as error:
        form.add_error("name", str(error))
        return _editor(request, form, changed, job=job, seen=form.seen, status=422)
    if job is not None and job.request.get("query") == kept.query:
        _take_over_marks(request, job, kept, now=now)
    messages.success(request, said)
    return redirect("listening:monitor", request.workspace.slug, kept.pk)


def _take_over_marks(request: MemberRequest, job: Job, kept: Monitor, *, now: datetime) -> None:
    """Marks made on the backtest's sample speak of the version that was tested, which is now the saved one."""
    for uid, right in _sample_marks(request, job).items():
        actions.mark_mention(kept, uid, right=right, by=request.user, now=now)
    request.session.pop(f"marks {job.pk}", None)


def _held(monitor: Monitor) -> dict[str, Any]:
    """A monitor as its form shows it."""
    return {name: getattr(monitor, name) for name in ("name", "kind", "colour", "query")} | {"owner": monitor.owner_id}


def _editor(
    request: MemberRequest,
    form: MonitorForm,
    changed: Monitor | None,
    *,
    job: Job | None,
    seen: str = "",
    status: int = 200,
) -> HttpResponse:
    words = str(form["query"].value() or "").strip()
    context = {"form": form, "monitor": changed, "job": job, "seen": seen, "spans": _spans()}
    context |= previewed(request.member, words)
    return render(request, "listening/monitors/edit.html", context, status=status)


def _spans() -> list[tuple[str, str]]:
    return [("30d", _("30 days")), ("90d", _("90 days")), ("365d", _("a year")), ("all", _("everything"))]


def previewed(viewer: Member, words: str, *, stage: Literal["monitor", "search"] = "monitor") -> dict[str, Any]:
    """Problems, formatted spelling and newest matches of a draft."""
    if not words:
        return {"words": "", "errors": [], "warnings": []}
    checked = check(words, stage=stage)
    errors, warnings = problems_of(checked, stage=stage)
    found: dict[str, Any] = {"words": words, "errors": errors, "warnings": warnings, "formatted": ""}
    if checked.tree is None:
        return found
    now = timezone.now()
    compiled = compile_query(checked.tree, now=now, similarity=MEANING)
    posts, total, reached = mentions.preview(compiled, viewer=viewer)
    cards = Cards(viewer.workspace.slug, (), now=now, words=compiled)
    neat = format_query(checked.tree)
    return found | {
        "formatted": neat if neat != words else "",
        "cards": [cards.card(post) for post in posts],
        "total": total,
        "reached": reached,
        "looked": True,
    }


def _draft_job(request: MemberRequest, start: dict[str, Any]) -> Job | None:
    """The backtest that a draft comes from; its query stands in the form."""
    number = request.GET.get("backtest", "")
    if not number.isdecimal():
        return None
    job = selectors.backtest_or_404(int(number), viewer=request.member)
    start["query"] = job.request.get("query", "")
    return job


def _back_to_editor(request: MemberRequest, job: Job) -> str:
    route = (
        ("listening:edit_monitor", (request.workspace.slug, job.monitor_id))
        if job.monitor_id
        else ("listening:new_monitor", (request.workspace.slug,))
    )
    draft = QueryDict(mutable=True)
    for name in DRAFT:
        if name in request.GET:
            draft[name] = request.GET[name]
    draft["backtest"] = str(job.pk)
    return f"{reverse(route[0], args=route[1])}?{draft.urlencode()}"


def _findings(request: MemberRequest, job: Job) -> dict[str, Any]:
    """What a backtest found, with the list that is asked for."""
    now, result = timezone.now(), job.result or {}
    shown = request.GET.get("show") or ("sample" if not job.monitor_id else "added" if result["added"] else "sample")
    uids = result.get({"added": "added_sample", "lost": "lost_sample"}.get(shown, "sample"), [])
    posts = mentions.posts_of_uids(uids[:LISTED], viewer=request.member)
    marks = _sample_marks(request, job)
    compiled = compile_query(parse(job.request["query"], stage="monitor"), now=now, similarity=MEANING)
    cards = Cards(request.workspace.slug, mentions.monitors_of(viewer=request.member), now=now)
    own = cards.compiled(job.monitor) if job.monitor else None
    only = own if shown == "lost" and own else compiled
    return {
        "result": result,
        "show": shown,
        "cards": [(cards.card(post, only=only), marks.get(post["uid"])) for post in posts],
        "gone": len(uids[:LISTED]) - len(posts),
        "shown_of": len(uids),
        "precision": _sample_precision(request, job),
        "chart": _backtest_chart(job, now=now),
        "mark_address": reverse("listening:mark_found", args=(request.workspace.slug, job.pk)),
        "tabs": _tabs(request, job, result, shown),
    }


def _tabs(request: MemberRequest, job: Job, result: Mapping[str, Any], shown: str) -> list[tuple[str, str, bool, int]]:
    def address(name: str) -> str:
        parameters = request.GET.copy()
        parameters["show"] = name
        return f"?{parameters.urlencode()}"

    named = [("sample", _("Sample to mark"), len(result["sample"]))]
    if job.monitor_id:
        named += [("added", _("Added"), result["added"]), ("lost", _("Lost"), result["lost"])]
    return [(label, address(name), name == shown, tally) for name, label, tally in named]


def _backtest_chart(job: Job, *, now: datetime) -> Drawn | None:
    """Volume per day (UTC, as the backtest counts), the saved version beside the new one."""
    days = (job.result or {}).get("days", [])
    if not days:
        return None
    held = {day["day"]: day for day in days}
    first, last = (datetime.fromisoformat(f"{day}T00:00:00+00:00") for day in (min(held), max(held)))
    period = Period(first, last + DAY, ZoneInfo("UTC"))
    dates = [first + DAY * step for step in range((last - first) // DAY + 1)]

    def points(name: str) -> list[Point]:
        return [Point(Bucket(day, day + DAY), held.get(f"{day:%Y-%m-%d}", {}).get(name, 0)) for day in dates]

    lines = [
        charts.Line(_("this query"), job.monitor.colour if job.monitor else "blue", points("new"), [""] * len(dates))
    ]
    if job.monitor is not None:
        lines.append(charts.Line(_("saved version"), "slate", points("old"), [""] * len(dates)))
    total = sum(day["new"] for day in days)
    title = ngettext(
        "It would have found %(n)s mention on %(days)s day",
        "It would have found %(n)s mentions on %(days)s days",
        total,
    ) % {
        "n": number_format(total, use_l10n=True, force_grouping=True),
        "days": sum(1 for day in days if day["new"]),
    }
    rows: list[list[tuple[Any, str]]] = [
        [(f"{day:%Y-%m-%d}", ""), *((line.points[place].posts, "") for line in lines)]
        for place, day in enumerate(dates)
    ]
    spec = charts.lines(lines, period, words=plotted(), now=now)
    return drawn(
        "days",
        title,
        spec,
        period=period,
        n=total,
        columns=[_("Day (UTC)"), *(line.name for line in lines)],
        rows=rows,
        exports="",
    )


def _sample_marks(request: MemberRequest, job: Job) -> dict[str, bool]:
    """What was said of the mentions that a backtest lists."""
    if job.monitor_id is None:
        return dict(request.session.get(f"marks {job.pk}", {}))
    result = job.result or {}
    uids = {uid for name in ("sample", "added_sample", "lost_sample") for uid in result.get(name, [])}
    return dict(Mark.objects.filter(monitor_id=job.monitor_id, uid__in=uids).values_list("uid", "right"))


def _sample_precision(request: MemberRequest, job: Job) -> Precision:
    """Precision of the tested query, from the marks of its random sample alone."""
    marks = _sample_marks(request, job)
    said = [marks[uid] for uid in (job.result or {}).get("sample", []) if uid in marks]
    return Precision(sum(said), len(said))


def _marked(request: MemberRequest, uid: str, right: object, precision: Precision, *, address: str) -> HttpResponse:
    if not request.htmx:
        return redirect(request.headers.get("referer", address))
    return render(
        request,
        "listening/monitors/marked.html",
        {"uid": uid, "right": right, "precision": precision, "mark_address": address},
    )


def _said(posted: Mapping[str, Any]) -> bool | str | None:
    """Right, wrong, or taken back; a question mark for anything else."""
    return {"1": True, "0": False, "": None}.get(posted.get("right", "?"), "?")


def _lately(viewer: Member, *, days: int) -> Period:
    """The last days up to now, or up to the newest posts where these are old."""
    zone = timezone.get_current_timezone()
    now = series.standing_now(viewer=viewer, now=timezone.now())
    held = zone if isinstance(zone, ZoneInfo) else ZoneInfo("UTC")
    whole = read_period("30d", now=now, zone=held)
    if days == 30:
        return whole
    return read_period(
        "",
        since=f"{(whole.until - timedelta(hours=1)).astimezone(held).date() - timedelta(days=days - 1)}",
        until=whole.until.isoformat(),
        now=now,
        zone=held,
    )


def _neat(query: str) -> str:
    tree = check(query, stage="monitor").tree
    return format_query(tree) if tree else ""


def _remaining(job: Job, now: datetime) -> str:
    """How long it still takes, from how far it came; empty while that cannot be said."""
    if not job.total or not job.done or job.started_at is None or job.state != Job.State.RUNNING:
        return ""
    passed = (now - job.started_at).total_seconds()
    seconds = round(passed * (job.total - job.done) / job.done)
    return _("about %(n)s s left") % {"n": max(1, seconds)}
