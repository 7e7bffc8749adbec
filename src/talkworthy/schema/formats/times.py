"""Times as people and programs write them."""

import re
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
_LATEST = datetime(9999, 12, 30, tzinfo=UTC)
_PATTERNS = (
    "%a %b %d %H:%M:%S %z %Y",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%d %b %Y %H:%M:%S",
    "%d %b %Y",
    "%d %B %Y",
    "%d/%b/%y %H:%M",
    "%d/%b/%Y:%H:%M:%S %z",
    "%b %d, %Y",
    "%B %d, %Y",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
)
_SLASHES = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{2,4})(?:[ T,]+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([AaPp][Mm])?)?$")


def read_time(value: object, *, day_first: bool | None = None) -> datetime:
    """A time in UTC from ISO 8601, RFC 2822, seconds or milliseconds since 1970, and common written forms.

    A time without zone is taken as UTC. 3/4/2025 is read only where `day_first` is said or one number is
    above 12. Raises ValueError for anything else.
    """
    if isinstance(value, datetime):
        return _within(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_epoch(value)
    if not isinstance(value, str):
        raise ValueError(f"not a time: {str(value)[:60]!r}")
    text = value.strip()
    with suppress(ValueError):
        return _within(datetime.fromisoformat(text))
    if re.fullmatch(r"\d{9,17}(\.\d+)?", text):
        return _from_epoch(float(text))
    found = _SLASHES.fullmatch(text)
    if found:
        return _from_slashes(found, day_first)
    with suppress(ValueError):
        return _within(
            datetime.fromisoformat(re.sub(r"\s*(UTC|GMT|Z)$", "+00:00", re.sub(r" (?=[+-]\d\d:?\d\d$)", "", text)))
        )
    for pattern in _PATTERNS:
        with suppress(ValueError):
            return _within(datetime.strptime(text, pattern))  # noqa: DTZ007 - `_within` adds the zone
    with suppress(ValueError, TypeError, IndexError):
        return _within(parsedate_to_datetime(text))
    raise ValueError(f"not a time: {text[:60]!r}")


def _from_epoch(number: float) -> datetime:
    if abs(number) > 1e18:  # a whole number may be too large for a float
        raise ValueError("not a time: a number without measure")
    for unit in (1e14, 1e11):
        if abs(number) > unit:
            number /= 1e6 if unit == 1e14 else 1e3
            break
    try:
        return datetime.fromtimestamp(number, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"not a time: {number}") from error


def _from_slashes(found: "re.Match[str]", day_first: bool | None) -> datetime:
    first, second, year = int(found[1]), int(found[2]), int(found[3])
    year += 2000 if year < 70 else 1900 if year < 100 else 0
    if first > 12:
        day_first = True
    elif second > 12:
        day_first = False
    if day_first is None:
        raise ValueError(f"day or month first? {found[0][:60]!r}")
    day, month = (first, second) if day_first else (second, first)
    hour = int(found[4] or 0)
    if found[7]:
        hour = hour % 12 + (12 if found[7].lower() == "pm" else 0)
    return _within(datetime(year, month, day, hour, int(found[5] or 0), int(found[6] or 0), tzinfo=UTC))


def _within(moment: datetime) -> datetime:
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    if not _EARLIEST.replace(tzinfo=moment.tzinfo) <= moment <= _LATEST.replace(tzinfo=moment.tzinfo):
        raise ValueError(f"not a time we can store: {moment}")
    return moment.astimezone(UTC)
