"""The fields of the language: one table of what each takes, where it is read in a post, and when it is known."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from talkworthy.query.languages import LANGUAGES, language_code
from talkworthy.schema import ENGAGEMENT_TYPES, INTENTS, SENTIMENTS


class Takes(Enum):
    """What kind of value a field takes, and so how it is compared."""

    TEXT = "text"
    WORDS = "words"
    NAME = "name"
    CODE = "code"
    ADDRESS = "address"
    HOST = "host"
    POST = "post"
    ENTITY = "entity"
    LANGUAGE = "language"
    ONE_OF = "one of"
    TRUTH = "true or false"
    NUMBER = "number"
    RANGE = "range"
    TIME = "time"
    MEANING = "meaning"


class Known(Enum):
    """When a field can be read."""

    ARRIVAL = "when the post arrives"
    ANALYSIS = "after analysis"
    DESK = "on the desk"


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One field. `reads` are paths of columns: all are looked at where there are several."""

    name: str
    takes: Takes
    reads: tuple[str, ...]
    help: str
    known: Known = Known.ARRIVAL
    choices: tuple[str, ...] = ()
    low: float = float("-inf")
    high: float = float("inf")
    whole: bool = False


_ROWS = (
    FieldSpec("title", Takes.TEXT, ("title",), "words of the headline or subject"),
    FieldSpec("text", Takes.TEXT, ("text",), "words of the body"),
    FieldSpec("author", Takes.WORDS, ("author.handle", "author.name"), "words of the author's name or handle"),
    FieldSpec("authorFollowers", Takes.RANGE, ("author.followers",), "followers of the author", low=0, whole=True),
    FieldSpec("authorVerified", Takes.TRUTH, ("author.verified",), "whether the channel vouches for the account"),
    FieldSpec(
        "authorVerifiedType",
        Takes.ONE_OF,
        ("author.verified_type",),
        "how the account is verified",
        choices=("blue", "business", "government"),
    ),
    FieldSpec("blogName", Takes.WORDS, ("community", "author.name"), "words of the blog's, board's or author's name"),
    FieldSpec("bio", Takes.WORDS, ("author.bio",), "words of what the account says of itself"),
    FieldSpec("channel", Takes.NAME, ("channel",), "kind of place: mastodon, bluesky, feed …"),
    FieldSpec("source", Takes.NAME, ("source",), "id of the source that brought the post"),
    FieldSpec("site", Takes.HOST, ("site", "url"), "host, with its subdomains, and a path where one is given"),
    FieldSpec("url", Takes.ADDRESS, ("url", "links"), "part of the post's address or of a link in it"),
    FieldSpec("links", Takes.ADDRESS, ("links",), "part of a link in the post"),
    FieldSpec("continent", Takes.CODE, ("place.continent",), "continent, matched from the left"),
    FieldSpec("country", Takes.CODE, ("place.country",), "country code such as usa, matched from the left"),
    FieldSpec("region", Takes.CODE, ("place.region",), "region code such as usa.fl, matched from the left"),
    FieldSpec("city", Takes.CODE, ("place.city",), "city code such as deu.berlin.berlin, matched from the left"),
    FieldSpec("latitude", Takes.RANGE, ("place.latitude",), "degrees north", low=-90, high=90),
    FieldSpec("longitude", Takes.RANGE, ("place.longitude",), "degrees east", low=-180, high=180),
    FieldSpec(
        "language", Takes.LANGUAGE, ("language", "detected_language"), "declared language, else the detected one"
    ),
    FieldSpec(
        "engagementType",
        Takes.ONE_OF,
        ("engagement_type",),
        "what the post does with another; an original post does none of it",
        choices=ENGAGEMENT_TYPES,
    ),
    FieldSpec("parentPostId", Takes.POST, ("in_reply_to",), "post that this one answers"),
    FieldSpec("rootPostId", Takes.POST, ("root",), "first post of the thread"),
    FieldSpec("guid", Takes.POST, ("uid", "native_id"), "the post itself"),
    FieldSpec("hashtag", Takes.NAME, ("hashtags",), "a hashtag, with or without #"),
    FieldSpec("mention", Takes.NAME, ("mentions",), "a handle that is mentioned, with or without @"),
    FieldSpec("tags", Takes.WORDS, ("tags",), "words of a label, category or flair"),
    FieldSpec("subreddit", Takes.NAME, ("community",), "subreddit, board, list or repository"),
    FieldSpec("entityId", Takes.ENTITY, ("entities",), "Wikidata number of something the post names"),
    FieldSpec("rating", Takes.NUMBER, ("rating",), "stars of a review", low=0, high=5),
    FieldSpec("since", Takes.TIME, ("published_at",), "published then or later"),
    FieldSpec("until", Takes.TIME, ("published_at",), "published then or earlier; a date counts to its end"),
    FieldSpec("minuteOfDay", Takes.RANGE, ("published_at",), "minute of the day, UTC", low=0, high=1439, whole=True),
    FieldSpec("likes", Takes.NUMBER, ("engagement.likes",), "likes, favourites and votes", whole=True),
    FieldSpec("shares", Takes.NUMBER, ("engagement.shares",), "reposts, boosts and quotes", low=0, whole=True),
    FieldSpec("replies", Takes.NUMBER, ("engagement.replies",), "answers and comments", low=0, whole=True),
    FieldSpec("views", Takes.NUMBER, ("engagement.views",), "times shown", low=0, whole=True),
    FieldSpec("has", Takes.ONE_OF, (), "whether the post has it: a field's name, link, image, video, audio or media"),
    FieldSpec(
        "is",
        Takes.ONE_OF,
        ("in_reply_to", "engagement_type"),
        "what the post is",
        choices=("reply", "repost", "original", "owned"),
    ),
    FieldSpec("sentiment", Takes.ONE_OF, ("sentiment",), "tone of the post", Known.ANALYSIS, SENTIMENTS),
    FieldSpec("intent", Takes.ONE_OF, ("intent",), "what the author wants", Known.ANALYSIS, INTENTS),
    FieldSpec("touchpoint", Takes.NAME, ("touchpoint",), "where customer and organisation met", Known.ANALYSIS),
    FieldSpec("urgency", Takes.NUMBER, ("urgency",), "how soon somebody should look", Known.ANALYSIS, low=0, high=100),
    FieldSpec(
        "influence", Takes.NUMBER, ("influence",), "how far the author is heard", Known.ANALYSIS, low=0, high=100
    ),
    FieldSpec(
        "theme", Takes.NAME, ("theme",), "theme that the post belongs to; unknown on every post so far", Known.ANALYSIS
    ),
    FieldSpec("state", Takes.NAME, ("state",), "state of the case", Known.DESK),
    FieldSpec("assignee", Takes.NAME, ("assignee",), "who has the case", Known.DESK),
    FieldSpec("team", Takes.NAME, ("team",), "which team has the case", Known.DESK),
    FieldSpec("person", Takes.NAME, ("person",), "person behind the author", Known.DESK),
    FieldSpec("segment", Takes.NAME, ("segment",), "segment the person belongs to", Known.DESK),
    FieldSpec("similar", Takes.MEANING, ("text",), "posts that mean about the same"),
)

Vocabulary = Mapping[str, FieldSpec]
"""Fields by their canonical names."""

FIELDS: Vocabulary = {spec.name: spec for spec in _ROWS}
"""Every field by its canonical name."""

PRESENCE: dict[str, tuple[str, ...]] = {
    "link": ("links",),
    "image": ("media",),
    "video": ("media",),
    "audio": ("media",),
    "media": ("media",),
    "followers": ("author.followers",),
    "location": ("place.continent", "place.country", "place.region", "place.city", "place.latitude"),
    **{
        spec.name: spec.reads
        for spec in _ROWS
        if spec.name not in ("has", "is", "similar", "since", "until", "minuteOfDay")
    },
}
"""What may stand after `has:`, and the columns of which one must hold something."""

_BY_LOWER = {name.casefold(): spec for name, spec in FIELDS.items()}
_PRESENCE_BY_LOWER = {name.casefold(): name for name in PRESENCE}
INSTANT = timedelta(microseconds=1)
"""The finest step of time that posts carry."""

_RELATIVE = re.compile(r"(\d{1,5})(mi|[hdwmy])")
_UNITS = {
    "mi": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
    "m": timedelta(days=30),
    "y": timedelta(days=365),
}
_NUMBER = re.compile(r"[+-]?\d{1,18}(?:\.\d{1,18})?")


class BadValue(ValueError):
    """A value that a field does not take; `fix` is one it takes, where there is a near one."""

    def __init__(self, message: str, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time: absolute, or `ago` before now. A date covers its whole day."""

    at: datetime | None = None
    ago: timedelta | None = None
    covers: timedelta = timedelta(0)

    def bounds(self, now: datetime | None) -> tuple[datetime, datetime]:
        """First instant and the one after the last; ValueError where a relative time meets no `now`."""
        if self.at is not None:
            return self.at, self.at + self.covers
        if now is None or self.ago is None:
            raise ValueError("a query with a relative time such as since:7d needs to be told what time it is: pass now")
        return now - self.ago, now - self.ago


def field_named(name: str, vocabulary: Vocabulary = FIELDS) -> FieldSpec | None:
    """The field of that name, in any case."""
    return _lowered(vocabulary).get(name.casefold())


def nearest_field(name: str, vocabulary: Vocabulary = FIELDS) -> str:
    """The known name that looks most like it."""
    lowered = _lowered(vocabulary)
    close = difflib.get_close_matches(name.casefold(), lowered, n=1, cutoff=0.0)
    return lowered[close[0]].name


def _lowered(vocabulary: Vocabulary) -> Vocabulary:
    if vocabulary is FIELDS:
        return _BY_LOWER
    return {name.casefold(): spec for name, spec in vocabulary.items()}


def nearest(text: str, known: "tuple[str, ...] | list[str]") -> str | None:
    """The known word that looks like it, if one does."""
    lowered = {word.casefold(): word for word in known}
    close = difflib.get_close_matches(text.casefold(), lowered, n=1, cutoff=0.5)
    return lowered[close[0]] if close else None


def read_choice(spec: FieldSpec, text: str) -> str:
    """The canonical spelling of an enumerated value. Raises BadValue."""
    if spec.name == "has" and not spec.choices:
        found = _PRESENCE_BY_LOWER.get(text.casefold())
        if found is None:
            raise BadValue(
                f"has: takes a field's name, link, image, video, audio or media, not {text!r}",
                nearest(text, list(PRESENCE)),
            )
        return found
    wanted = "REPOST" if spec.name == "engagementType" and text.casefold() == "retweet" else text
    for choice in spec.choices:
        if choice.casefold() == wanted.casefold():
            return choice
    raise BadValue(f"{spec.name}: takes {_listed(spec.choices)}, not {text!r}", nearest(text, spec.choices))


def read_truth(spec: FieldSpec, text: str) -> bool:
    """True or false, in any case. Raises BadValue."""
    if text.casefold() not in ("true", "false"):
        raise BadValue(
            f"{spec.name}: takes true or false, not {text!r}",
            {"yes": "true", "1": "true", "no": "false", "0": "false"}.get(text.casefold()),
        )
    return text.casefold() == "true"


def read_number(spec: FieldSpec, text: str) -> float:
    """A number within the field's limits. Raises BadValue."""
    if not _NUMBER.fullmatch(text):
        raise BadValue(f"{spec.name}: takes a number, not {text!r}")
    number = float(text)
    if spec.whole and not number.is_integer():
        raise BadValue(f"{spec.name}: takes a whole number, not {text}")
    if not spec.low <= number <= spec.high:
        raise BadValue(f"{spec.name}: takes {_limits(spec)}, not {text}")
    return number


def read_entity(spec: FieldSpec, text: str) -> str:
    """A Wikidata number as `Q29`. Raises BadValue."""
    found = re.fullmatch(r"[Qq]?([1-9]\d{0,17})", text, re.ASCII)
    if not found:
        raise BadValue(f"{spec.name}: takes a Wikidata number such as 29, without a leading zero, not {text!r}")
    return f"Q{found.group(1)}"


def read_language(spec: FieldSpec, text: str) -> tuple[str, bool]:
    """The language's code, and whether it was typed as one. Raises BadValue."""
    code = language_code(text)
    if code is None:
        names = [*LANGUAGES, *LANGUAGES.values()]
        near = nearest(text, names)
        raise BadValue(
            f"{spec.name}: takes an ISO 639-1 code such as en, not {text!r}", language_code(near) if near else None
        )
    return code, code == text


def read_time(spec: FieldSpec, text: str) -> Moment:
    """An ISO date or time, or a span before now such as 7d. Raises BadValue."""
    relative = _RELATIVE.fullmatch(text)
    if relative:
        return Moment(ago=int(relative.group(1)) * _UNITS[relative.group(2)])
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadValue(
            f"{spec.name}: takes an ISO date such as 2026-01-31 or a span such as 7d, not {text!r}"
        ) from None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else _as_utc(spec, at)
    is_date = re.fullmatch(r"\d{4}-?\d\d-?\d\d|\d{4}-?W\d\d(-?\d)?", text) is not None
    return Moment(at=at, covers=timedelta(days=1) if is_date else timedelta(0))


def _as_utc(spec: FieldSpec, at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise BadValue(f"{spec.name}: the time lies outside the calendar") from None


def check_range(spec: FieldSpec, low: str, high: str) -> tuple[float, float]:
    """Both bounds as numbers, running upwards. Raises BadValue."""
    first, last = read_number(spec, low), read_number(spec, high)
    if first > last:
        raise BadValue(
            f"{spec.name}: a range runs upwards, [{low} TO {high}] does not", f"{spec.name}:[{high} TO {low}]"
        )
    return first, last


def _limits(spec: FieldSpec) -> str:
    if spec.low == float("-inf") and spec.high == float("inf"):
        return "any number"
    if spec.high == float("inf"):
        return f"numbers from {spec.low:g} up"
    return f"numbers from {spec.low:g} to {spec.high:g}"


def _listed(choices: tuple[str, ...]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"
