"""The hooks: what is called, with what, when, and what may be answered. A hook lands with its first user."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import pyarrow as pa

PROJECT = "talkworthy"


@dataclass(frozen=True)
class TimelineRow:
    """One thing that happened with a person, as their page shows it."""

    at: datetime
    kind: str
    """post, case, reply, note: one word that the page has a sign for."""
    channel: str
    title: str
    text: str
    address: str
    """Where it can be read in the workspace; empty where nowhere."""
    by_us: bool = False


@dataclass(frozen=True)
class TiedData:
    """What an erasure touches beyond the posts of the person."""

    uids: Sequence[str] = ()
    """Posts that are erased along: our own answers, which name who is answered."""
    look_at: Sequence[tuple[str, str]] = ()
    """What a person must look at: in which kind of place the name stands, and the address. Never the name itself."""


spec = pluggy.HookspecMarker(PROJECT)


@spec
def posts_stored(workspace: Any, posts: "pa.Table", edited: "pa.Table", gone: Sequence[str], now: datetime) -> None:
    """Posts were committed to the archive and are being counted: called inside the desk's transaction of the batch.

    `posts` and `edited` have the columns of `archive.STORED` with their ids and monitors; `gone` are uids of posts
    that were deleted. After a crash it may be called again with posts that it was called with before: what it writes
    must be the same the second time. It must be quick; longer work is a due row.
    """


@spec
def data_forgotten(  # type: ignore[empty-body] # a specification has none
    workspace: Any, uids: Sequence[str], authors: Sequence[tuple[str, str]], now: datetime
) -> Mapping[str, int]:
    """Somebody's data is erased: remove what you derived from these posts (uids) and accounts (channel, account id).

    Called outside a transaction, maybe twice. Answers how many rows of what were removed, for the receipt.
    """


@spec
def data_tied(  # type: ignore[empty-body] # a specification has none
    workspace: Any, uids: Sequence[str], authors: Sequence[tuple[str, str]]
) -> "TiedData":
    """Asked before somebody's data is erased, while it can still be found: what goes with it, and what nobody can
    decide but a person."""


@spec
def data_exported(  # type: ignore[empty-body] # a specification has none
    workspace: Any, uids: Sequence[str], authors: Sequence[tuple[str, str]]
) -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Somebody asks for their data: what you keep that was derived from these posts and accounts, by table, as JSON."""


@spec
def work_due(now: datetime) -> int:  # type: ignore[empty-body] # a specification has none
    """The worker's tick, a few times a second: do due work of one kind, in small pieces, claimed row by row.

    Answers how many pieces were done; called again at once while that is not 0. Each function that joins has a thread
    of its own in every worker, so what calls others must not stand with what must not wait: join once a kind, with
    `@joins(specname="work_due")` before a function of any name.
    """


@spec
def models_chosen(workspace: Any) -> Any:
    """With which models of its own a workspace understands posts: a `listening.chosen.Chosen`, or None.

    Asked before each batch: what is answered holds from the next one on.
    """


@spec
def posts_tied(workspace: Any, posts: "pa.Table", now: datetime) -> None:
    """Stored posts were tied to a monitor later, by something else than its query: inside the transaction that does it.

    `posts` have at least `id`, `uid` and `published_at`. What is written must be the same if it is called again.
    """


@spec
def ties_explained(  # type: ignore[empty-body] # a specification has none
    workspace: Any, post_id: int
) -> Mapping[str, tuple[float | None, Sequence[tuple[int, float, Sequence[str]]]]]:
    """Why a post belongs to touchpoints by something else than their queries, by the touchpoint's slug.

    Its probability, None where a person said so, and the posts that it is like: (id, likeness, words that do most).
    """


@spec
def touchpoints_learned(  # type: ignore[empty-body] # a specification has none
    workspace: Any, posts: Sequence[int] | None
) -> Mapping[str, Sequence[int]]:
    """Posts that belong to touchpoints by something else than their queries: ids of posts by the touchpoint's slug.

    Of these posts, or of all where None is given, as when a search says `touchpoint:`. The answers of all who joined
    are put together.
    """


@spec
def annotation_corrected(workspace: Any, correction: Any, post: Mapping[str, Any], now: datetime) -> None:
    """A person corrected an annotation, in the same transaction; `post` is its row as it stood before."""


@spec
def correction_undone(workspace: Any, correction: Any, now: datetime) -> None:
    """A correction was taken back, in the same transaction."""


@spec
def node_answered(workspace: Any, uid: str, ask: str, answer: str, override: int, by: Any, now: datetime) -> None:
    """A person answered a node of triage otherwise, in the same transaction; `ask` is who is asked at that node."""


@spec
def node_answer_undone(workspace: Any, overrides: Sequence[int], now: datetime) -> None:
    """Such answers were taken back, or others took their place, in the same transaction."""


@spec
def member_removed(member: Any, heir: Any) -> None:
    """A member leaves, in the same transaction: hand over to `heir` (a member, or None) what must not fall silent."""


@spec
def timeline_rows(  # type: ignore[empty-body] # a specification has none
    workspace: Any, accounts: Sequence[tuple[str, str]], identities: Sequence[int], before: datetime | None, limit: int
) -> Sequence["TimelineRow"]:
    """What happened with somebody, the newest first: by their accounts (channel, account id) or identities (numbers).

    Rows older than `before` where one is given, at most `limit`. What a viewer may not see must not be answered: it
    is asked for members who may read people.
    """
