"""Spans of time in words."""

from datetime import timedelta

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from talkworthy.listening.periods import Period


def period_words(period: Period) -> str:
    """A period as people say it."""
    named = {
        "24h": _("the last 24 hours"),
        "7d": _("the last 7 days"),
        "30d": _("the last 30 days"),
        "90d": _("the last 90 days"),
        "365d": _("the last 365 days"),
        "all": _("all time"),
    }
    if period.name in named:
        return named[period.name]
    since, until = period.since.astimezone(period.zone), period.until.astimezone(period.zone)
    if (since.hour, until.hour) == (0, 0):
        last = (period.until - timedelta(hours=1)).astimezone(period.zone)
        if last.date() == since.date():
            return date_format(since, "D j M Y")
        return _("%(since)s to %(until)s") % {"since": date_format(since, "j M Y"), "until": date_format(last, "j M Y")}
    return _("%(since)s to %(until)s") % {
        "since": date_format(since, "j M Y H:i"),
        "until": date_format(until, "j M Y H:i"),
    }


def short_period(name: str) -> str:
    """A named period as a button says it."""
    return {
        "24h": _("24 hours"),
        "7d": _("7 days"),
        "30d": _("30 days"),
        "90d": _("90 days"),
        "365d": _("A year"),
        "all": _("All time"),
    }[name]
