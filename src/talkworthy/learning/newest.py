"""Which posts count as the newest: what a sample is drawn from, and what examples are compared with."""

from datetime import datetime, timedelta

from talkworthy.archive import Archive

DAYS = 90


def first_of_days(archive: Archive, *, now: datetime) -> datetime:
    """When the newest days begin: the last ones, or those up to the newest post where none came since."""
    return min(archive.stats().newest or now, now) - timedelta(days=DAYS)
