"""How the work on cases goes: figures that lead to their cases, and the same as a file."""

import csv
from dataclasses import dataclass
from io import StringIO
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe

from talkworthy.listening.labels import channel_title
from talkworthy.listening.periods import NAMED, BadPeriod, Period, read_period
from talkworthy.listening.views.naming import period_words
from talkworthy.routing.models import Timer
from talkworthy.routing.selectors.reports import GROUPS, Line, Report, Scope, report
from talkworthy.workspaces.permissions import Permission
from talkworthy.workspaces.requests import MemberRequest, permission_required

SPANS = ("7d", "30d", "90d", "365d")


@dataclass(frozen=True)
class Cell:
    """One line of the table, with an address behind each of its figures."""

    line: Line
    label: str
    opened: str
    answered: str
    again: str
    resolved: str
    missed: str
    reopened: str
    live: str


@require_safe
@permission_required(Permission.READ)
def reports(request: MemberRequest) -> HttpResponse:
    """The figures of a period."""
    found = _asked(request)
    return render(request, "routing/reports/reports.html", found, status=422 if found["problem"] else 200)


@require_safe
@permission_required(Permission.EXPORT)
def reports_csv(request: MemberRequest) -> HttpResponse:
    """The table as CSV; times are seconds of the clock, those called worked of working time."""
    found = _asked(request)
    file = StringIO()
    out = csv.writer(file)
    head = ["group", "opened", "first_answers", "first_answer_median_s", "first_answer_p90_s"]
    head += ["settled", "settled_median_s", "settled_p90_s", "missed", "reopened", "live"]
    head += ["next_answers", "next_answer_median_s", "next_answer_p90_s"]
    names = ("first_answer", "next_answer", "settled")
    out.writerow([*head, *(f"{name}_worked_{what}_s" for name in names for what in ("median", "p90"))])
    lines: list[Cell] = [*found["cells"], found["whole"]]
    for cell in lines:
        line = cell.line
        answers, ends = line.answers, line.resolutions
        figures = [line.opened, answers.n, answers.median, answers.p90, ends.n, ends.median, ends.p90]
        figures += [line.missed, line.reopened, line.live, line.again.n, line.again.median, line.again.p90]
        worked = (line.worked.answers, line.worked.again, line.worked.resolutions)
        out.writerow([_harmless(cell.label), *figures, *(one for each in worked for one in (each.median, each.p90))])
    response = HttpResponse(file.getvalue(), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="cases-by-{found["by"]}.csv"'
    return response


def _asked(request: MemberRequest) -> dict[str, Any]:
    by = request.GET.get("by", "")
    by = by if by in GROUPS else "priority"
    zone = timezone.get_current_timezone()
    since, until, name = (request.GET.get(key, "") for key in ("since", "until", "period"))
    problem, now = "", timezone.now()
    try:
        period = read_period(name or "30d", since=since, until=until, now=now, zone=zone)
    except BadPeriod as error:
        problem = str(error)
        period = read_period("30d", now=now, zone=zone)
    scope = Scope(period.since, period.until)
    found = report(scope, by=by, viewer=request.member, zone=zone)
    base = reverse("inbox:inbox", args=[request.workspace.slug])
    here = reverse("routing:reports", args=[request.workspace.slug])
    kept_period = {"since": since, "until": until} if since or until else {"period": period.name}
    return {
        "report": found,
        "whole": _cell(found.whole, str(_("All cases")), base),
        "cells": [
            _cell(line, channel_title(line.label) if by == "channel" else line.label, base) for line in found.lines
        ],
        "kept": _kept(found, scope, base),
        "by": by,
        "groups": [
            (str(_GROUP_WORDS[one]), f"{here}?{urlencode({**kept_period, 'by': one})}", one == by, None)
            for one in GROUPS
        ],
        "spans": [_span(one, by, here, period) for one in SPANS if one in NAMED],
        "period_words": period_words(period),
        "since": since,
        "until": until,
        "zone": str(zone),
        "busiest": max(found.hours) or 1,
        "csv": f"{here}cases.csv?{urlencode({**kept_period, 'by': by})}",
        "problem": problem,
    }


_GROUP_WORDS = {
    "priority": gettext_lazy("By priority"),
    "channel": gettext_lazy("By channel"),
    "team": gettext_lazy("By team"),
    "member": gettext_lazy("By member"),
}


def _span(name: str, by: str, here: str, period: Period) -> tuple[str, str, bool, None]:
    words = {"7d": _("7 days"), "30d": _("30 days"), "90d": _("90 days"), "365d": _("A year")}
    return (words[name], f"{here}?{urlencode({'period': name, 'by': by})}", name == period.name, None)


def _cell(line: Line, label: str, base: str) -> Cell:
    figures = ("opened", "answered", "again", "resolved", "missed", "reopened", "live")
    return Cell(line, label, *(_behind(figure, line.scope, base) for figure in figures))


def _behind(figure: str, scope: Scope, base: str) -> str:
    """Where the cases of a figure are listed."""
    told = {"figure": figure, "since": scope.since.isoformat(), "until": scope.until.isoformat()}
    if scope.by:
        told |= {"by": scope.by, "value": scope.value}
    return f"{base}?{urlencode(told)}"


def _kept(found: Report, scope: Scope, base: str) -> list[dict[str, Any]]:
    words = dict(Timer.Kind.choices)
    return [
        {
            "name": words[Timer.Kind(kept.kind)],
            "kept": kept,
            "promised": _behind(f"promised_{kept.kind}", scope, base),
            "missed": _behind(f"missed_{kept.kind}", scope, base),
        }
        for kept in found.kept
    ]


def _harmless(text: str) -> str:
    """A name as a cell that no table program takes for a formula."""
    return f"'{text}" if text[:1] in "=+-@\t\r" else text
