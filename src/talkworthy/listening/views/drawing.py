"""A chart as a page shows it: sentence, drawing, table, exports."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from django.http import HttpResponse
from django.utils.formats import date_format, number_format
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from talkworthy.listening import charts
from talkworthy.listening.periods import Period

Cell = tuple[Any, str]
"""What a cell of the table shows, and the address of its rows or nothing."""

_HARMLESS = {ord(">"): "\\u003E", ord("<"): "\\u003C", ord("&"): "\\u0026"}
_HOUR = timedelta(hours=1)

FORMS = {"png": "image/png", "svg": "image/svg+xml", "csv": "text/csv; charset=utf-8"}


@dataclass(frozen=True)
class Drawn:
    """One chart. `spec` is its Vega-Lite specification with colour tokens, `exports` the address before `.png?…`."""

    key: str
    title: str
    about: str
    spec: charts.Spec
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    exports: str
    parameters: str = ""
    foot: str = ""
    n: int = 0
    width: int = charts.WIDTH
    most: int | None = None
    """Rows of the table that the page shows; the CSV has all of them."""

    @property
    def shown(self) -> Sequence[Sequence[Cell]]:
        """The rows that the page shows."""
        return self.rows[: self.most]

    @property
    def left_out(self) -> int:
        """How many more rows there are."""
        return len(self.rows) - len(self.shown)

    @property
    def svg(self) -> SafeString:
        """The drawing for the page; made by the drawer from escaped values."""
        return mark_safe(charts.page_svg(charts.sized(self.spec, self.width), self.key))  # noqa: S308 - vl-convert escapes what it draws

    @property
    def script(self) -> SafeString:
        """The specification for the page's script, such that it cannot end its element."""
        return mark_safe(json.dumps(self.spec).translate(_HARMLESS))  # noqa: S308 - what could close it is escaped


def drawn(
    key: str,
    title: str,
    spec: charts.Spec,
    *,
    period: Period,
    n: int,
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    exports: str = "",
    parameters: str = "",
    unit: str = "",
    foot: str = "",
    most: int | None = None,
) -> Drawn:
    """A chart with its n, its period and the zone of its days said below the sentence."""
    said = about(period, n, unit=unit)
    return Drawn(key, title, said, spec, columns, rows, exports, parameters, foot, n, most=most)


def about(period: Period, n: int, *, unit: str = "") -> str:
    """n, period and zone in words; a number from few rows says so."""
    counted = unit or ngettext("post", "posts", n)
    parts = [f"n = {number_format(n, use_l10n=True, force_grouping=True)} {counted}", period_dates(period)]
    parts.append(
        _("days in %(zone)s") % {"zone": period.zone.key} + (_(", begun at the full hour") if period.is_shifted else "")
    )
    if n < 30:
        parts.append(_("few: read with care"))
    return " · ".join(parts)


def period_dates(period: Period) -> str:
    """First and last day of a period, in its zone."""
    since, until = period.since.astimezone(period.zone), period.until.astimezone(period.zone)
    if until.hour == 0:
        return _("%(since)s to %(until)s") % {
            "since": date_format(since, "j M Y"),
            "until": date_format(until - _HOUR, "j M Y"),
        }
    return _("%(since)s to %(until)s") % {
        "since": date_format(since, "j M Y"),
        "until": date_format(until, "j M Y, H:i"),
    }


def plotted() -> charts.Words:
    """The chart's own words in the reader's language."""
    return charts.Words(posts=_("posts"), gap=_("nothing of any kind was collected"), so_far=_("so far"))


def exported(chart: Drawn, form: str) -> HttpResponse:
    """The chart as a file: PNG, SVG, or its table as CSV."""
    kind: Literal["png", "svg"] = "png" if form == "png" else "svg"
    body = _csv(chart) if form == "csv" else charts.picture(charts.titled(chart.spec, chart.title, chart.about), kind)
    answer = HttpResponse(body, content_type=FORMS[form])
    answer["Content-Disposition"] = f'attachment; filename="talkworthy-{chart.key}.{form}"'
    return answer


def _csv(chart: Drawn) -> bytes:
    """The table; a byte order mark lets spreadsheets read it as UTF-8."""
    held = io.StringIO()
    held.write("\ufeff")
    writer = csv.writer(held)
    writer.writerow(chart.columns)
    for row in chart.rows:
        writer.writerow([plain(value) for value, _address in row])
    return held.getvalue().encode()


def plain(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
