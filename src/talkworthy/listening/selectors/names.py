"""Names that posts speak of: of one post, and those that the newest mentions of a period name most; as a viewer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
from django.core.cache import cache

from talkworthy.analysis.entities import LANGUAGES, Entity, entities
from talkworthy.analysis.memes import PHRASE, Meme
from talkworthy.archive import Scan
from talkworthy.listening.periods import Period
from talkworthy.listening.selectors.mentions import Post
from talkworthy.listening.stores import archive_of
from talkworthy.listening.voices import account_of
from talkworthy.query import tokens
from talkworthy.workspaces.models import Member

NEWEST = 2_000
"""Posts of a period that are read for names, newest first."""
SHOWN = 12
FEWEST = 2
KEPT_FOR = 300
COLUMNS = ("channel", "site", "author", "title", "text", "detected_language", "published_at")


@dataclass(frozen=True)
class Name:
    """A name as it is mostly written, what it names, in how many posts, and by how many people."""

    written: str
    kind: str
    posts: int
    voices: int

    @property
    def query(self) -> str:
        """What finds its posts."""
        return phrase(self.written)


@dataclass(frozen=True)
class Names:
    """The names of some posts, the most named first, and which posts were read."""

    names: tuple[Name, ...]
    posts: int
    since: datetime | None
    is_cut: bool


def names_in(row: Post) -> list[Entity]:
    """The names in a post, each once, as what it most surely names; none in a language that is not read."""
    if (row["detected_language"] or "") not in LANGUAGES:
        return []
    return once_each(entities([whole(row["title"], row["text"])])[0])


def once_each(found: Sequence[Entity]) -> list[Entity]:
    """Names in the order of their first places; one that was read as two kinds is of the kind that was surer in sum."""
    sure: dict[str, dict[str, float]] = {}
    best: dict[tuple[str, str], Entity] = {}
    for entity in found:
        name = tokens.fold(entity.text)
        kinds = sure.setdefault(name, {})
        kinds[entity.kind] = kinds.get(entity.kind, 0.0) + entity.probability
        stood = best.get((name, entity.kind))
        if stood is None or stood.probability < entity.probability:
            best[name, entity.kind] = entity
    return [best[name, max(kinds, key=kinds.__getitem__)] for name, kinds in sure.items()]


def names_said(monitors: Sequence[int], period: Period, *, viewer: Member) -> Names:
    """What the newest mentions of the monitors (none: every post) name most."""
    span = f"{period.since.timestamp():.0f}-{period.until.timestamp():.0f}"
    key = f"names:{viewer.workspace_id}:{'-'.join(map(str, sorted(monitors)))}:{span}"
    kept: Names | None = cache.get(key)
    if kept is None:
        asked = Scan(
            columns=COLUMNS, monitors_any=tuple(monitors), since=period.since, until=period.until, limit=NEWEST
        )
        kept = counted(archive_of(viewer.workspace).table(asked))
        cache.set(key, kept, KEPT_FOR)
    return kept


def counted(posts: pa.Table, *, fewest: int = FEWEST, most: int = SHOWN) -> Names:
    """The names that several people said, by kind and folded spelling; each post once a name.

    Posts whose author nobody told are of one voice a site: nobody knows how many people they are.
    """
    rows = posts.to_pylist()
    read = [row for row in rows if (row["detected_language"] or "") in LANGUAGES]
    written: dict[tuple[str, str], dict[str, int]] = {}
    said: dict[tuple[str, str], int] = {}
    voices: dict[tuple[str, str], set[tuple[str, str, bool]]] = {}
    for row, found in zip(read, entities([whole(row["title"], row["text"]) for row in read]), strict=True):
        account = account_of(row["author"] or {})
        voice = (row["channel"], account or row["site"] or "", bool(account))
        for entity in once_each(found):
            key = (entity.kind, tokens.fold(entity.text))
            said[key] = said.get(key, 0) + 1
            voices.setdefault(key, set()).add(voice)
            spellings = written.setdefault(key, {})
            spellings[entity.text] = spellings.get(entity.text, 0) + 1
    names = [
        Name(max(written[key], key=lambda form: written[key][form]), key[0], count, len(voices[key]))
        for key, count in said.items()
        if len(voices[key]) >= fewest
    ]
    names.sort(key=lambda name: (-name.voices, -name.posts, name.written))
    since = min((row["published_at"] for row in rows), default=None)
    return Names(tuple(names[:most]), len(read), since, len(rows) == NEWEST)


def kinds_of(memes: Sequence[Meme]) -> Mapping[str, str]:
    """By the phrase of a meme, what it names: where most of its examples read it as a name of one kind."""
    asked = [meme for meme in memes if meme.term.kind == PHRASE]
    found = iter(entities([text for meme in asked for text in meme.examples]))
    kinds: dict[str, str] = {}
    for meme in asked:
        read = [next(found) for _ in meme.examples]
        votes = [_kind_in(names, meme.term.text) for names in read]
        for kind in {vote for vote in votes if vote}:
            if votes.count(kind) * 2 > len(votes):
                kinds[meme.term.text] = kind
    return kinds


def phrase(written: str) -> str:
    """A name as the phrase of a query."""
    return '"' + written.replace('"', " ") + '"'


def whole(title: str | None, text: str | None) -> str:
    """A post as it is read."""
    return f"{title}\n{text or ''}" if title else text or ""


def _kind_in(names: Sequence[Entity], folded: str) -> str:
    """The kind of the name that is this phrase, or that holds or lies in it as whole words."""
    for entity in names:
        name = f" {tokens.fold(entity.text)} "
        if f" {folded} " in name or name in f" {folded} ":
            return entity.kind
    return ""
