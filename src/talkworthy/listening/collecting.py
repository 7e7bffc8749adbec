"""From a channel to the archive: fetch → payload → spool → analysis → matching → posts and cubes.

Each step leaves something durable before the next begins, and each may run twice: fetching moves the cursor in the
file that holds the payloads, storing commits rows and their sequence number together, counting knows its batches
and begins anew where it was cut short.
"""

import logging
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass
from datetime import datetime
from functools import cache, partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from django.db import transaction
from django.db.models import F

from talkworthy import archive as river
from talkworthy.analysis.copies import Copies
from talkworthy.analysis.duplicates import BANDS_KEPT, bare_of, kept_bands
from talkworthy.archive import Archive, PayloadRef, PayloadStore, Spooled
from talkworthy.connectors.contract import Answer, Connector, Page, Parsed, SetAside
from talkworthy.connectors.errors import GiveUp, Malformed
from talkworthy.connectors.http import Http
from talkworthy.connectors.payload import Cursor, Payload
from talkworthy.connectors.registry import connector_named
from talkworthy.hooks.manager import call
from talkworthy.listening import cube, speaking
from talkworthy.listening.chosen import Chosen, chosen_for, pipeline_for
from talkworthy.listening.cursors import merged
from talkworthy.listening.models import Monitor, Source
from talkworthy.listening.planning import is_sampled
from talkworthy.listening.stores import archive_of, payloads_of
from talkworthy.listening.understanding import Matching, Monitors, NotUnderstood, Understanders, pieces, understood
from talkworthy.listening.voices import influence_of
from talkworthy.schema import POST
from talkworthy.workspaces.credentials import LockedCredentials, opened
from talkworthy.workspaces.models import Workspace

log = logging.getLogger(__name__)

PAGES_A_TURN = 20
POSTS_A_BATCH = 12_000
WORTH_A_PROCESS = 1_000
"""Fewer posts than this are understood where they are stored: asking another process would only delay them."""
AHEAD = 3
"""Groups that are understood while one before them is stored."""
FRAGMENTS_SHOWN = 5
SEEDED = 8_192
"""Stored posts whose copies are still known after a start."""


class MissingConnector(GiveUp):
    """The connector of a source is not installed (any more)."""


@dataclass(frozen=True)
class Stored:
    """What one round of storing did."""

    posts: int = 0
    new: int = 0
    batches: int = 0


def source_key(source: Source | int) -> str:
    """The name of a source in payloads, spool and the `source` column of its posts."""
    return f"source-{source if isinstance(source, int) else source.pk}"


def connector_of(source: Source) -> Connector:
    """The connector of a source; raises MissingConnector where it is not installed."""
    connector = connector_named(source.connector)
    if connector is None:
        raise MissingConnector(
            f"The connector “{source.connector}” is not installed. Install it, or delete this source."
        )
    return connector


def settings_of(source: Source) -> dict[str, Any]:
    """The settings of a source with its secrets in place."""
    return {**source.settings, **opened(source.secrets)}


def keep_page(store: PayloadStore, source: Source, page: Page | Answer, *, known: Cursor | None) -> PayloadRef | None:
    """Make a page durable, with the cursor that covers it. None where it holds neither payload nor cursor.

    `known` is the cursor that it went on from: what somebody else changed in it meanwhile stays.
    """
    if not page.payloads and page.cursor is None:
        return None
    kept = [
        river.Payload(
            payload.body, payload.content_type, payload.url, payload.fetched_at, payload.headers, payload.meta
        )
        for payload in page.payloads
    ]
    return store.keep(
        source_key(source), kept, page.cursor, settle=lambda ours, theirs: merged(known or {}, ours, theirs or {})
    )


def fetch_source(source: Source, http: Http, *, now: datetime) -> Page:
    """Bring what came since the cursor, page by page, each durable before the next is asked for.

    Returns the last page. Raises the connector's errors; what was kept before stays kept.
    """
    connector, settings, store = connector_of(source), settings_of(source), payloads_of(source.workspace)
    page = Page()
    for _turn in range(PAGES_A_TURN):
        known = store.cursor(source_key(source))
        page = connector.fetch(http, settings, known, now=now)
        keep_page(store, source, page, known=known)
        if not page.more or page.wait:
            break
    return page


def parse_pending(workspace: Workspace, *, archive: Archive, limit: int = 200) -> int:
    """Parse payloads that wait into the spool; returns how many fetches were dealt with.

    What cannot be read is set aside with its reason, the rest goes on. The payloads of a source whose connector or
    key is missing go on waiting, and keep no other's from their turn.
    """
    waiting = archive.payloads.pending()
    if not waiting:
        return 0
    sources = {source_key(source): source for source in Source.objects.filter(workspace=workspace)}
    named = sorted({ref.source for ref in waiting} & sources.keys())
    held = {name for name in named if not _can_be_parsed(sources[name])}
    taken = [ref for ref in waiting if ref.source not in held][:limit]
    for ref in taken:
        source = sources.get(ref.source)
        if source is None:
            archive.payloads.done(ref)
            continue
        try:
            _parse(ref, source, archive)
        except river.Damaged as error:
            archive.payloads.put_aside(ref)
            log.error("%s It is put aside.", error)
    return len(taken)


def _can_be_parsed(source: Source) -> bool:
    try:
        connector_of(source)
        settings_of(source)
    except (MissingConnector, LockedCredentials) as error:
        _warn_once(source_key(source), str(error))
        return False
    return True


@cache
def _warn_once(source: str, why: str) -> None:
    """Say it once a process: what waits is looked at several times a second."""
    log.warning("payloads of %s wait: %s", source, why)


def _parse(ref: PayloadRef, source: Source, archive: Archive) -> None:
    parsed = []
    connector, settings = connector_of(source), settings_of(source)
    for index, payload in enumerate(archive.payloads.load(ref)):
        if payload.content_type == "application/x-erased":
            continue
        try:
            result = _read(connector, payload, settings)
        except Malformed as error:
            archive.payloads.set_aside(ref, index, str(error))
            continue
        except Exception as error:  # a fault of the parser must not stop the source
            log.exception("parsing payload %s/%s of %s failed", ref.seq, index, ref.source)
            archive.payloads.set_aside(ref, index, f"The parser failed: {type(error).__name__}: {error}")
            continue
        if result.aside:
            archive.payloads.set_aside(ref, index, _reasons(result.aside))
        parsed.append(result)
    posts = _fit(_joined([result.posts for result in parsed], POST), ref, archive)
    archive.spool.write(
        ref.source,
        ref.seq,
        _arrived(posts, source, ref, archive),
        pa.concat_tables([result.observations for result in parsed]) if parsed else None,
        pa.concat_tables([result.tombstones for result in parsed]) if parsed else None,
    )
    archive.payloads.done(ref)


def _read(connector: Connector, payload: river.Payload, settings: Mapping[str, Any]) -> Parsed:
    given = Payload(
        body=payload.body,
        content_type=payload.content_type,
        url=payload.url,
        fetched_at=payload.fetched_at,
        headers=payload.headers,
        meta=payload.meta,
    )
    return connector.parse(given, settings)


def _reasons(aside: Sequence[SetAside]) -> str:
    """Why pieces of a payload were left out; the rest of it went on, and a replay reads all of it again."""
    lines = [f"{broken.reason}: {broken.fragment[:160].decode(errors='replace')}" for broken in aside[:FRAGMENTS_SHOWN]]
    more = [f"and {len(aside) - FRAGMENTS_SHOWN} more"] if len(aside) > FRAGMENTS_SHOWN else []
    return "\n".join([*lines, *more])


def _fit(posts: pa.Table, ref: PayloadRef, archive: Archive) -> pa.Table:
    """The posts that the archive can hold; the first reason against the others is noted on the source."""
    against = river.unfit(posts)
    if not against:
        return posts
    archive.payloads.set_aside(ref, 0, f"{len(against)} posts cannot be stored: {against[0].reason}")
    rows = {unfit.row for unfit in against}
    return posts.take(pa.array([row for row in range(posts.num_rows) if row not in rows], pa.int64()))


def _joined(tables: Sequence[pa.Table], schema: pa.Schema) -> pa.Table:
    return pa.concat_tables([table.cast(schema) for table in tables]) if tables else schema.empty_table()


def _arrived(posts: pa.Table, source: Source, ref: PayloadRef, archive: Archive) -> pa.Table:
    """The posts with the time they reached us and the source that brought them."""
    if not posts.num_rows:
        return posts
    fetched = max(payload.fetched_at for payload in archive.payloads.load(ref))
    collected = pc.fill_null(posts["collected_at"], pa.scalar(fetched, POST.field("collected_at").type))
    named = pa.array([ref.source] * posts.num_rows, pa.string())
    posts = posts.set_column(POST.get_field_index("collected_at"), POST.field("collected_at"), collected)
    return posts.set_column(POST.get_field_index("source"), POST.field("source"), named)


@dataclass(frozen=True)
class Foreseen:
    """A group that other processes understand before its turn: its posts and monitors as they were, and the answers."""

    posts: pa.Table
    monitors: Monitors
    answers: tuple["Future[pa.RecordBatch]", ...]


class Listener:
    """Analyses, matches and stores what waits in the spool of one workspace. One process at a time."""

    def __init__(
        self,
        workspace: Workspace,
        *,
        understanders: Understanders | None = None,
        stopping: threading.Event | None = None,
    ) -> None:
        self.workspace = workspace
        self.archive = archive_of(workspace)
        self.turn = threading.Lock()
        """Held while posts are stored and while a monitor is counted anew, so that none is counted twice."""
        self.stopping = stopping or threading.Event()
        self.understanders = understanders
        self._storing = threading.Lock()
        self._sizes: dict[Spooled, int] = {}
        self._foreseen: dict[tuple[Spooled, ...], Foreseen] = {}
        self._seen: tuple[Any, ...] = ()
        self._monitors = Monitors()
        self._matching: tuple[Monitors, Matching] = (self._monitors, self._monitors.matching())
        self._copies: Copies | None = None

    def store_pending(self, *, now: datetime, leave: int = 0) -> Stored:
        """Store what is in the spool, many fetches in one commit, until asked to end; returns what was done.

        The last `leave` groups may stay: they are understood meanwhile, and more is coming.
        """
        total = Stored()
        with self._storing:
            while len(groups := self._groups()) > leave and not self.stopping.is_set():
                self._look_ahead(groups, now=now)
                with self.turn:
                    done = self._store(groups[0], now=now)
                total = Stored(total.posts + done.posts, total.new + done.new, total.batches + 1)
            self._look_ahead(groups, now=now)
        return total

    def _groups(self) -> list[list[Spooled]]:
        """What waits, put together up to POSTS_A_BATCH posts, each source in its order."""
        sizes: dict[Spooled, int] = {}
        for spooled in self.archive.spool.pending():
            try:
                sizes[spooled] = self._sizes.get(spooled) or self.archive.spool.read(spooled).posts.num_rows
            except river.Damaged as error:
                _parse_again(spooled, self.archive, error)
        self._sizes = sizes
        return _groups(sizes)

    def _look_ahead(self, groups: Sequence[Sequence[Spooled]], *, now: datetime) -> None:
        """Let other processes begin with the next groups; the last may still grow."""
        near = [tuple(group) for group in groups[: AHEAD + 1]]
        self._foreseen = {key: found for key, found in self._foreseen.items() if key in near}
        if self.understanders is None or len(groups) < 2 or self.stopping.is_set():
            return
        for key in near[: len(groups) - 1]:
            if key not in self._foreseen and sum(self._sizes[spooled] for spooled in key) >= WORTH_A_PROCESS:
                posts = pa.concat_tables([self.archive.spool.read(spooled).posts for spooled in key])
                self._foreseen[key] = self._asked(posts, self.understanders, now=now)

    def _asked(self, posts: pa.Table, understanders: Understanders, *, now: datetime) -> Foreseen:
        monitors = self.monitors(now=now)
        return Foreseen(posts, monitors, tuple(understanders.ask(piece, monitors) for piece in pieces(posts)))

    def _store(self, group: Sequence[Spooled], *, now: datetime) -> Stored:
        transactions = {spooled.source: spooled.seq for spooled in group}
        sources = {source_key(source): source for source in Source.objects.filter(workspace=self.workspace)}
        batches = _within_their_rights(group, sources, self.archive)
        posts = pa.concat_tables([batch.posts for batch in batches])
        seen = self._understood(posts, now=now, foreseen=self._foreseen.pop(tuple(group), None))
        chosen = self._with_copies(_chosen(seen, sources))
        cursors = {name: self.archive.payloads.cursor(name) for name in transactions}
        names = [f"{spooled.source}:{spooled.seq}" for spooled in group]
        begun = cube.begin(self.workspace, names, now=now)
        appended = self.archive.append(chosen, transactions=transactions, cursors=cursors)
        observed = self.archive.observe(pa.concat_tables([batch.observations for batch in batches]))
        gone = self.archive.bury(pa.concat_tables([batch.tombstones for batch in batches]))
        again = begun.cut_short or begun.counted or appended.repeated
        told = partial(self._tell_rooms, appended, chosen, batches, gone, again=again, now=now)
        if begun.cut_short:
            log.warning("storing was cut short in workspace %s: counting anew", self.workspace.pk)
            cube.rebuild(self.workspace, self.archive, also=told)
        else:
            added = [appended.new, appended.edited, appended.recounted.rows, observed.rows]
            removed = [appended.previous, appended.recounted.previous, observed.previous, gone]
            if appended.repeated and begun.unheard_of:  # counted so long ago that it was forgotten
                added, removed = [], []
            if not cube.count_stored(self.workspace, names, added=added, removed=removed, now=now, also=told):
                told()
        _note_arrivals(seen, appended.new, sources, now=now)
        for spooled in group:
            self.archive.spool.remove(spooled)
        return Stored(chosen.num_rows, appended.new.num_rows)

    def _tell_rooms(
        self,
        appended: river.Appended,
        chosen: pa.Table,
        batches: Sequence[river.Batch],
        gone: pa.Table,
        *,
        again: bool,
        now: datetime,
    ) -> None:
        """Tell the rooms above what came; where it was stored before and cut short, all that it may have been.

        Counting anew takes every batch as counted, also those that come in a later group: their posts are told with
        their own group, though nothing of it is counted any more.
        """
        stones = [uid for batch in batches for uid in batch.tombstones["uid"].to_pylist() if uid]
        new, edited = appended.new, appended.edited
        if again:
            new = edited = self.archive.named(chosen["uid"].to_pylist())
        uids = sorted({*stones, *gone["uid"].to_pylist()})
        with transaction.atomic():
            call("posts_stored", workspace=self.workspace, posts=new, edited=edited, gone=uids, now=now)

    def understand(self, posts: pa.Table, *, now: datetime) -> pa.Table:
        """Analyse posts and say which monitors they match (columns of ARRIVING); copies are those among them."""
        return self._understood(posts, now=now, foreseen=None).select(river.ARRIVING.names)

    def _understood(self, posts: pa.Table, *, now: datetime, foreseen: Foreseen | None) -> pa.Table:
        """The same with what `Copies` reads. What was foreseen counts where neither posts nor monitors changed."""
        monitors = self.monitors(now=now)
        if foreseen is None or foreseen.monitors != monitors or not foreseen.posts.equals(posts):
            foreseen = None
            if self.understanders is not None and posts.num_rows >= WORTH_A_PROCESS:
                foreseen = self._asked(posts, self.understanders, now=now)
        found: list[pa.RecordBatch] = []
        if foreseen is not None:
            try:
                found = [answer.result() for answer in foreseen.answers]
            except (NotUnderstood, CancelledError) as error:
                log.warning("%s posts are understood where they are stored: %s", posts.num_rows, error)
        if not found:
            matching = self._compiled(monitors)
            found = [understood(piece, matching) for piece in pieces(posts)]
        return pa.Table.from_batches(found) if found else _UNDERSTOOD.empty_table()

    def _with_copies(self, posts: pa.Table) -> pa.Table:
        """Posts (columns of ARRIVING) that know which came earlier as copies of them, also before the last start."""
        copies = self._copies = self._copies or _seeded(self.archive)
        near = [copies.joined(piece) for piece in pieces(posts)]
        place = posts.schema.get_field_index("near_hash")
        joined = posts.set_column(place, posts.schema.field(place), pa.chunked_array(near, pa.int64()))
        return joined.select(river.ARRIVING.names)

    def forget_copies(self) -> None:
        """Keep no text in memory of posts that were erased: what stands is read again."""
        self._copies = None

    def annotate(self, posts: pa.Table, models: Chosen) -> pa.Table:
        """Stored posts as these models understand them, in their order; nothing is matched and nothing stored."""
        asked = Monitors(models=models)
        if self.understanders is not None and posts.num_rows >= WORTH_A_PROCESS:
            answers = [self.understanders.ask(piece, asked) for piece in pieces(posts)]
            try:
                return pa.Table.from_batches([answer.result() for answer in answers])
            except (NotUnderstood, CancelledError) as error:
                log.warning("%s posts are annotated in the process that stores: %s", posts.num_rows, error)
        return pa.Table.from_batches([pipeline_for(models).run(piece) for piece in pieces(posts)])

    def monitors(self, *, now: datetime) -> Monitors:
        """The monitors that listen, and the models; others when one of them changed, and daily for relative times."""
        rows = Monitor.objects.filter(workspace=self.workspace, deleted_at=None, paused_at=None).order_by("pk")
        models = chosen_for(self.workspace)
        seen = (
            now.date(),
            models,
            *rows.values_list("pk", "version", "touchpoint__slug", "workspace__voices_counted__counted_at"),
        )
        if seen != self._seen:
            told = rows.values_list("pk", "query", "touchpoint__slug")
            ties = tuple((number, slug) for number, _, slug in told if slug)
            queries = tuple((number, query) for number, query, _ in told)
            asks = any("influence" in query.lower() for _, query in queries)
            self._monitors = Monitors(queries, now, ties, models, influence_of(self.workspace) if asks else None)
            self._seen = seen
        return self._monitors

    def _compiled(self, monitors: Monitors) -> Matching:
        if self._matching[0] != monitors:
            self._matching = (monitors, monitors.matching())
        return self._matching[1]


_UNDERSTOOD = river.ARRIVING.append(pa.field(BANDS_KEPT, kept_bands([]).type))


def _seeded(archive: Archive) -> Copies:
    """A window over what comes, which knows the newest posts that are stored: those came before it was made."""
    copies = Copies()
    scan = river.Scan(columns=("id", "uid", "text_hash", "near_hash", "folded"), limit=SEEDED)
    stored = archive.table(scan).sort_by("id").filter(pc.field("folded").is_valid())
    for piece in pieces(stored):
        bands = kept_bands([bare_of(text) for text in piece.column("folded").to_pylist()])
        copies.joined(piece.append_column(BANDS_KEPT, bands))
    return copies


def _groups(sizes: Mapping[Spooled, int]) -> list[list[Spooled]]:
    """Spool files put together up to POSTS_A_BATCH posts, in their order."""
    groups: list[list[Spooled]] = []
    posts = 0
    for spooled, rows in sizes.items():
        if not groups or posts + rows > POSTS_A_BATCH:
            groups.append([])
            posts = 0
        groups[-1].append(spooled)
        posts += rows
    return groups


def _within_their_rights(
    group: Sequence[Spooled], sources: Mapping[str, Source], archive: Archive
) -> list[river.Batch]:
    """The batches of a group without changes to posts that their source has no say in; refusals are set aside."""
    waiting: dict[str, str] = {}
    batches = []
    for spooled in group:
        batch = archive.spool.read(spooled)
        speaker = _speaker(sources.get(spooled.source))
        if speaker is not None:
            found = speaking.heard(batch, speaker, archive, waiting=waiting)
            batch = found.batch
            if found.refused:
                _note_refused(spooled, found.refused, archive)
        batches.append(batch)
        waiting = {**dict.fromkeys(batch.posts["uid"].to_pylist(), spooled.source), **waiting}
    return batches


def _speaker(source: Source | None) -> speaking.Speaker | None:
    """Whom to hold to its own posts; None where the connector names every uid itself."""
    connector = connector_named(source.connector) if source is not None else None
    if source is None or connector is None or not connector.capabilities.any_channel:
        return None
    origin = str(source.settings.get("origin") or "").lower().replace(":", "_")
    return speaking.Speaker(source_key(source), connector.name, origin)


def _note_refused(spooled: Spooled, refused: Sequence[str], archive: Archive) -> None:
    """Say on the source's page what was refused, under what was unreadable in the same fetch."""
    said = [
        line
        for aside in archive.payloads.aside(spooled.source)
        if (aside.seq, aside.index) == (spooled.seq, 0)
        for line in aside.reason.splitlines()
    ]
    lines = dict.fromkeys([*said, *refused])
    try:
        archive.payloads.set_aside(PayloadRef(spooled.source, spooled.seq), 0, "\n".join(lines))
    except (FileNotFoundError, IndexError):
        log.warning("fetch %s of %s: %s", spooled.seq, spooled.source, "; ".join(refused))


def _parse_again(spooled: Spooled, archive: Archive, error: river.Damaged) -> None:
    """Put a damaged batch aside, and let what it was made from be parsed once more, as long as that is kept."""
    archive.spool.put_aside(spooled)
    try:
        archive.payloads.again(PayloadRef(spooled.source, spooled.seq))
    except FileNotFoundError:
        log.error("%s What it was made from is not kept any more.", error)
    else:
        log.error("%s It is parsed again from what the channel sent.", error)


def _chosen(posts: pa.Table, sources: Mapping[str, Source]) -> pa.Table:
    """The posts that their source wants kept."""
    if all(source.keep == Source.Keep.ALL for source in sources.values()) or not posts.num_rows:
        return posts
    names, uids, monitors = posts["source"].to_pylist(), posts["uid"].to_pylist(), posts["monitors"].to_pylist()
    stays = [
        _is_kept(sources.get(name), uid, bool(found)) for name, uid, found in zip(names, uids, monitors, strict=True)
    ]
    return posts.filter(pa.array(stays))


def _is_kept(source: Source | None, uid: str, is_matched: bool) -> bool:
    if source is None or source.keep == Source.Keep.ALL or is_matched:
        return True
    return source.keep == Source.Keep.SAMPLE and is_sampled(uid, source.sample_percent)


def _note_arrivals(seen: pa.Table, new: pa.Table, sources: Mapping[str, Source], *, now: datetime) -> None:
    """Write on each source what came, and when."""
    if not seen.num_rows:
        return
    fresh = {row["source"]: row["n"] for row in _newest(new)}
    for row in _newest(seen):
        source = sources.get(row["source"])
        if source is None:
            continue
        latest = max(filter(None, [source.last_post_at, row["latest"]]))
        Source.objects.filter(pk=source.pk).update(
            posts=F("posts") + fresh.get(row["source"], 0), last_post_at=latest, last_arrival_at=now
        )


def _newest(posts: pa.Table) -> list[dict[str, Any]]:
    grouped = (
        posts.select(["source", "published_at"])
        .group_by("source")
        .aggregate([("published_at", "max"), ([], "count_all")])
    )
    return [
        {"source": row["source"], "latest": row["published_at_max"], "n": row["count_all"]}
        for row in grouped.to_pylist()
    ]
