"""Charts as Vega-Lite specifications: one for the page, for PNG, for SVG. Pure but for the drawing.

Colours are names of the look's tokens, written `token:blue`; who draws says what they are: CSS variables in the
page, so that a chart follows the theme, and the values of the light theme in a picture. Plain dictionaries stand
here because importing Altair costs every process 2.6 s and 56 MB, and a chart 30 ms.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal
from zoneinfo import ZoneInfo

import vl_convert
from django.utils.formats import date_format, number_format

from talkworthy.listening.periods import Grain, Period
from talkworthy.listening.selectors.series import Point

Spec = dict[str, Any]

VEGA_LITE = "6.4"
FONT = "Liberation Sans, Noto Sans, Arial, sans-serif"
WIDTH, LINE_HEIGHT, ROW = 720, 240, 30
NAME_ROOM, LABEL_ROOM = 184, 104
"""Pixels for the names of a ranking and for the labels at its ends, whatever font the reader has."""

LABEL_GAP = 15
"""Pixels that the names of two lines keep apart."""

LIGHT: Mapping[str, str] = {
    "text-1": "#1e1b16",
    "text-2": "#565046",
    "text-3": "#6b655a",
    "line-1": "#e8e4db",
    "line-2": "#d3cdc1",
    "line-control": "#928b7e",
    "surface-1": "#fffefb",
    "surface-2": "#f3f0ea",
    "accent": "#0b675f",
    "positive": "#1c62a8",
    "negative": "#a34805",
    "neutral": "#6b655a",
    "undecided": "#6b655a",
    "blue": "#2a6fc4",
    "teal": "#0d7d74",
    "green": "#427a1f",
    "cyan": "#0a6f93",
    "amber": "#9a6700",
    "orange": "#b8500b",
    "red": "#bd3230",
    "pink": "#b5347b",
    "purple": "#7a47bd",
    "slate": "#566273",
}
"""The light theme's values of the tokens that charts use; a test compares them with tokens.css."""

COLOURS = ("blue", "teal", "green", "cyan", "amber", "orange", "red", "pink", "purple", "slate")
"""What a monitor may be coloured."""

_BASE = "https://page.invalid"
_TOKEN = re.compile(r"token:([a-z0-9-]+)")
_FORMATS: dict[Grain, str] = {"hour": "%a %H:%M", "day": "%-d %b", "week": "%-d %b", "month": "%b %Y"}


@dataclass(frozen=True)
class Line:
    """One series with its name, colour token and points; `addresses` lead to the rows of each point."""

    name: str
    colour: str
    points: Sequence[Point]
    addresses: Sequence[str]


@dataclass(frozen=True)
class Bar:
    """One row of a ranking."""

    name: str
    colour: str
    posts: int
    label: str
    address: str


@dataclass(frozen=True)
class Words:
    """What the chart's own words are, in the reader's language."""

    posts: str
    gap: str
    so_far: str = ""


def lines(series: Sequence[Line], period: Period, *, words: Words, now: datetime) -> Spec:
    """Volume over time: a line each, named at its end; where nothing was collected the line is broken."""
    rows = [row for line in series for row in _line_rows(line, period, words, now)]
    colours = [line.name for line in series], [f"token:{line.colour}" for line in series]
    x = _x(period)
    y = _y()
    colour = _colour(*colours)
    tooltip = _shown("spoken")
    y["scale"] = {"domain": [0, _top(series)], "nice": False}
    layers: list[Spec] = [_ends(period), *_gaps(series[0].points if series else (), period, words)]
    layers.append(
        {
            "mark": {
                "type": "line",
                "strokeWidth": 2,
                "strokeJoin": "round",
                "invalid": "break-paths-show-path-domains",
            },
            "encoding": {"x": x, "y": y, "color": colour},
        }
    )
    layers.append(
        {
            "mark": {
                "type": "point",
                "filled": True,
                "size": 46 if len(rows) <= 160 else 22,
                "opacity": 1,
                "cursor": "pointer",
                "invalid": "filter",
            },
            "encoding": {
                "x": x,
                "y": y,
                "color": colour,
                "href": {"field": "href"},
                "tooltip": tooltip,
                "description": {"field": "spoken"},
            },
        }
    )
    if len(series) > 1:
        layers.append(_names(series, period))
    return _spec(rows, LINE_HEIGHT, layers)


def bars(series: Line, period: Period, *, words: Words, now: datetime) -> Spec:
    """Volume over time of one series, as bars from zero."""
    rows = _line_rows(series, period, words, now)
    layers = [
        _ends(period),
        *_gaps(series.points, period, words),
        {
            "mark": {
                "type": "rect",
                "cursor": "pointer",
                "invalid": "filter",
                "stroke": "token:surface-1",
                "strokeWidth": 1,
            },
            "encoding": {
                "x": _x(period),
                "x2": {"field": "to"},
                "y": _y(),
                "y2": {"datum": 0},
                "color": {"value": f"token:{series.colour}"},
                "href": {"field": "href"},
                "tooltip": _shown("spoken"),
                "description": {"field": "spoken"},
            },
        },
    ]
    return _spec(rows, LINE_HEIGHT, layers)


def stack(series: Sequence[Line], period: Period, *, words: Words, now: datetime) -> Spec:
    """Parts of a whole over time, on top of each other from zero, in the order given."""
    rows: list[Spec] = []
    for place in range(len(series[0].points) if series else 0):
        floor = 0
        for line in series:
            row = _row(line, place, period, words, now)
            if row["posts"]:
                rows.append(row | {"floor": floor, "top": floor + row["posts"]})
                floor += row["posts"]
    colours = [line.name for line in series], [f"token:{line.colour}" for line in series]
    layers = [
        _ends(period),
        *_gaps(series[0].points if series else (), period, words),
        {
            "mark": {"type": "rect", "cursor": "pointer", "stroke": "token:surface-1", "strokeWidth": 1},
            "encoding": {
                "x": _x(period),
                "x2": {"field": "to"},
                "y": _y() | {"field": "floor"},
                "y2": {"field": "top"},
                "color": _colour(*colours) | {"legend": {"orient": "top", "title": None, "symbolType": "square"}},
                "href": {"field": "href"},
                "tooltip": _shown("spoken"),
                "description": {"field": "spoken"},
            },
        },
    ]
    return _spec(rows, LINE_HEIGHT, layers)


def ranking(rows: Sequence[Bar], *, words: Words) -> Spec:
    """Bars from the largest to the smallest, each with its label at the end."""
    data = [
        {
            "name": row.name,
            "posts": row.posts,
            "label": row.label,
            "colour": f"token:{row.colour}",
            "href": row.address,
            "spoken": f"{row.name}: {row.label}",
        }
        for row in rows
    ]
    most = max((row.posts for row in rows), default=1)
    room = {"expr": f"max(40, width - {LABEL_ROOM})"}
    scale = {"domain": [0, most or 1], "nice": False, "rangeMin": 0, "rangeMax": room}
    x = {"field": "posts", "type": "quantitative", "axis": None, "scale": scale}
    extent = min(NAME_ROOM, 8 + 8 * max((len(row.name) for row in rows), default=0))
    y = {
        "field": "name",
        "type": "nominal",
        "sort": None,
        "axis": {
            "title": None,
            "domain": False,
            "ticks": False,
            "labelLimit": NAME_ROOM - 8,
            "labelPadding": 8,
            "labelColor": "token:text-1",
            "labelFontSize": 13,
            "minExtent": extent,
        },
        "scale": {"paddingInner": 0.3, "paddingOuter": 0.1},
    }
    linked = {
        "href": {"field": "href"},
        "tooltip": _shown("spoken"),
        "description": {"field": "spoken"},
    }
    layers: list[Spec] = [
        {
            "mark": {"type": "bar", "cornerRadiusEnd": 3, "cursor": "pointer"},
            "encoding": {"x": x, "y": y, "color": {"field": "colour", "type": "nominal", "scale": None}, **linked},
        },
        {
            "mark": {"type": "text", "align": "left", "dx": 6, "fontSize": 12, "aria": False},
            "encoding": {"x": x, "y": y, "text": {"field": "label"}, "color": {"value": "token:text-2"}},
        },
    ]
    return _spec(data, max(2, len(rows)) * ROW, layers)


def sized(spec: Spec, width: int) -> Spec:
    """The same chart at a width in pixels."""
    return spec | {"width": width}


def titled(spec: Spec, title: str, about: str) -> Spec:
    """The same chart with its sentence, n and period in the picture, for those who take it along."""
    words = {
        "text": _wrapped(title),
        "subtitle": _wrapped(about, 110),
        "anchor": "start",
        "frame": "group",
        "offset": 14,
        "fontSize": 15,
        "subtitleFontSize": 12,
        "subtitlePadding": 6,
        "color": "token:text-1",
        "subtitleColor": "token:text-3",
    }
    return spec | {"title": words, "padding": 20}


@lru_cache(maxsize=256)
def _drawn(spec: str) -> str:
    drawn: str = vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE)
    return drawn


def page_svg(spec: Spec, key: str) -> str:
    """SVG to stand in a page: its colours are the page's variables, its marks are links, its ids begin with `key`."""
    drawn = _drawn(json.dumps(_coloured(_based(spec), lambda name: f"var(--{name})"), sort_keys=True))
    own = re.sub(r'(id="|url\(#)(clip|gradient)(\d+)', rf"\g<1>{key}-\g<2>\g<3>", drawn)
    own = own.replace(_BASE, "").replace("xlink:href", "href")
    own = re.sub(r' style="[^"]*"', "", own)
    return re.sub(
        r'<svg [^>]*? width="(\d+)" height="(\d+)"',
        r'<svg xmlns="http://www.w3.org/2000/svg" role="group" width="\1" height="\2"',
        own,
        count=1,
    )


def picture(spec: Spec, form: Literal["png", "svg"]) -> bytes:
    """The chart as a picture in the light theme; a PNG at twice its size. Links are left out."""
    plain = _coloured(_unlinked(spec), lambda name: LIGHT[name]) | {"background": LIGHT["surface-1"]}
    if form == "svg":
        return str(vl_convert.vegalite_to_svg(plain, vl_version=VEGA_LITE)).encode()
    drawn: bytes = vl_convert.vegalite_to_png(plain, vl_version=VEGA_LITE, scale=2)
    return drawn


def browser_bundle() -> str:
    """Vega and Vega-Lite as one script for the page, made without a network; takes some seconds."""
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)
    return bundle


def _spec(rows: Sequence[Spec], height: int, layers: Sequence[Spec]) -> Spec:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "width": WIDTH,
        "height": height,
        "background": None,
        "padding": 4,
        "autosize": {"type": "fit-x", "contains": "padding"},
        "data": {"values": list(rows)},
        "layer": list(layers),
        "config": _CONFIG,
    }


_CONFIG: Spec = {
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "token:text-3",
        "titleColor": "token:text-3",
        "gridColor": "token:line-1",
        "domainColor": "token:line-2",
        "tickColor": "token:line-2",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "gridDash": [],
    },
    "legend": {"labelColor": "token:text-2", "labelFontSize": 12, "titleColor": "token:text-3"},
    "text": {"color": "token:text-2"},
}


def _x(period: Period) -> Spec:
    """The axis of time in the reader's zone: wall-clock times that are drawn as if they were UTC."""
    axis = {
        "title": None,
        "format": _FORMATS[period.grain],
        "grid": False,
        "labelOverlap": True,
        "labelFlush": True,
        "tickCount": 8,
    }
    return {"field": "from", "type": "temporal", "scale": {"type": "utc", "nice": False}, "axis": axis}


def _ends(period: Period) -> Spec:
    """Nothing to see: makes the axis reach from the first to the last moment of the period."""
    rows = [{"from": _wall(period.since, period.zone)}, {"from": _wall(period.until, period.zone)}]
    mark = {"type": "point", "opacity": 0, "aria": False, "tooltip": None}
    return {"data": {"values": rows}, "mark": mark, "encoding": {"x": _x(period)}}


def _y() -> Spec:
    return {
        "field": "posts",
        "type": "quantitative",
        "scale": {"zero": True, "nice": True},
        "axis": {"title": None, "tickMinStep": 1, "tickCount": 4, "domain": False, "ticks": False, "format": ",d"},
    }


def _colour(names: Sequence[str], colours: Sequence[str]) -> Spec:
    return {
        "field": "name",
        "type": "nominal",
        "scale": {"domain": list(names), "range": list(colours)},
        "legend": None,
    }


def _shown(field: str) -> Spec:
    return {"field": field, "type": "nominal"}


def _line_rows(line: Line, period: Period, words: Words, now: datetime) -> list[Spec]:
    return [_row(line, place, period, words, now) for place in range(len(line.points))]


def _row(line: Line, place: int, period: Period, words: Words, now: datetime) -> Spec:
    point = line.points[place]
    when = bucket_name(point.bucket.since, period)
    said = (
        words.gap
        if point.posts is None
        else f"{number_format(point.posts, use_l10n=True, force_grouping=True)} {words.posts}"
    )
    if words.so_far and point.bucket.since <= now <= point.bucket.until:
        said = f"{said}, {words.so_far}"
    return {
        "name": line.name,
        "from": _wall(point.bucket.since, period.zone),
        "to": _wall(point.bucket.until, period.zone),
        "posts": point.posts,
        "when": when,
        "said": said,
        "spoken": f"{when}, {line.name}: {said}",
        "href": line.addresses[place],
    }


def _gaps(points: Sequence[Point], period: Period, words: Words) -> list[Spec]:
    """Bands behind the marks where nothing of any kind was collected."""
    rows = [
        {
            "from": _wall(point.bucket.since, period.zone),
            "to": _wall(point.bucket.until, period.zone),
            "said": words.gap,
        }
        for point in points
        if point.posts is None
    ]
    layer = {
        "data": {"values": rows},
        "mark": {"type": "rect", "color": "token:surface-2", "tooltip": True, "aria": False},
        "encoding": {"x": _x(period), "x2": {"field": "to"}, "tooltip": _shown("said")},
    }
    return [layer] if rows else []


def _names(series: Sequence[Line], period: Period) -> Spec:
    """The lines' names beside their ends, pushed apart where they would lie on each other."""
    top = _top(series)
    ends = []
    for line in series:
        held = [point.posts for point in line.points if point.posts is not None]
        if held:
            ends.append((LINE_HEIGHT * (1 - held[-1] / top), line))
    spots: list[tuple[float, Line]] = []
    for spot, line in sorted(ends, key=lambda end: end[0]):
        spots.append((max(spot, spots[-1][0] + LABEL_GAP) if spots else spot, line))
    limit = float(LINE_HEIGHT)
    for place in range(len(spots) - 1, -1, -1):
        spots[place] = (min(spots[place][0], limit), spots[place][1])
        limit = spots[place][0] - LABEL_GAP
    rows = [
        {
            "label": line.name,
            "posts": top * (1 - spot / LINE_HEIGHT),
            "to": _wall(period.until, period.zone),
            "colour": f"token:{line.colour}",
        }
        for spot, line in spots
    ]
    return {
        "data": {"values": rows},
        "mark": {
            "type": "text",
            "align": "left",
            "dx": 8,
            "fontSize": 12,
            "fontWeight": 600,
            "limit": 150,
            "aria": False,
        },
        "encoding": {
            "x": _x(period) | {"field": "to"},
            "y": {"field": "posts", "type": "quantitative"},
            "text": {"field": "label"},
            "color": {"field": "colour", "type": "nominal", "scale": None},
        },
    }


def _top(series: Sequence[Line]) -> float:
    """Where the axis of the lines ends: a little above the highest point."""
    return max(1, max((point.posts or 0 for line in series for point in line.points), default=0)) * 1.08


def bucket_name(since: datetime, period: Period) -> str:
    """A bucket as people name it, in the period's zone: a day, an hour, a week by its first day, a month."""
    local = since.astimezone(period.zone)
    if period.grain == "hour":
        return date_format(local, "D j M, H:i")
    return date_format(local, "F Y" if period.grain == "month" else "D j M Y")


def _wall(moment: datetime, zone: ZoneInfo) -> int:
    """Milliseconds of the wall-clock time in the zone, written as if it were UTC."""
    return int(moment.astimezone(zone).replace(tzinfo=UTC).timestamp() * 1000)


def _wrapped(text: str, width: int = 92) -> list[str]:
    found, line = [], ""
    for word in text.split():
        if line and len(line) + len(word) >= width:
            found.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*found, line]


def _coloured(spec: Spec, colour: Any) -> Spec:
    """Every token replaced by what it is here."""

    def replaced(value: Any) -> Any:
        if isinstance(value, str) and value.startswith("token:"):
            return _TOKEN.sub(lambda match: colour(match[1]), value)
        if isinstance(value, dict):
            return {key: replaced(item) for key, item in value.items()}
        return [replaced(item) for item in value] if isinstance(value, list) else value

    found: Spec = replaced(spec)
    return found


def _based(spec: Spec) -> Spec:
    """Addresses made absolute, for a drawer that would put its own base before them."""
    return _rows_changed(spec, lambda row: row | {"href": _BASE + row["href"]} if row.get("href") else row)


def _unlinked(spec: Spec) -> Spec:
    layers = [
        layer | {"encoding": {key: value for key, value in layer.get("encoding", {}).items() if key != "href"}}
        for layer in spec["layer"]
    ]
    return _rows_changed(spec, lambda row: {key: value for key, value in row.items() if key != "href"}) | {
        "layer": layers
    }


def _rows_changed(spec: Spec, changed: Any) -> Spec:
    return spec | {"data": {"values": [changed(row) for row in spec["data"]["values"]]}}
