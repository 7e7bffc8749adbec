"""What a post is tied to besides its columns: touchpoints, by monitors or examples; the influence of its author."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Posts = TypeVar("Posts", pa.Table, pa.RecordBatch)

_DIVIDER = "\x00"


@dataclass(frozen=True)
class Influence:
    """The influence of accounts, 0 to 100; those of whom it is not known are left out."""

    keys: pa.StringArray
    values: pa.Int64Array

    @classmethod
    def of(cls, values: Mapping[tuple[str, str], int]) -> "Influence":
        """By channel and account."""
        keys = [f"{channel}{_DIVIDER}{account}" for channel, account in values]
        return cls(pa.array(keys, pa.string()), pa.array(list(values.values()), pa.int64()))


@dataclass(frozen=True)
class Ties:
    """What a query asks of posts that they do not hold themselves; None: it does not ask."""

    touchpoints: Mapping[int, str] | None = None
    """The slug of the touchpoint that a monitor carries."""
    learned: Mapping[str, Sequence[int]] = field(default_factory=dict)
    """Ids of posts that belong to a touchpoint besides, by its slug."""
    influence: Influence | None = None


def with_ties(posts: Posts, ties: Ties) -> Posts:
    """Posts with the columns `touchpoint` and `influence`, as far as they are asked."""
    if ties.touchpoints is not None:
        posts = learned_of(tied_to(posts, ties.touchpoints), ties.learned)
    return posts if ties.influence is None else heard(posts, ties.influence)


def tied_to(posts: Posts, ties: Mapping[int, str]) -> Posts:
    """Posts with a column `touchpoint`: the slugs that `ties` gives to their monitors, an empty list without any."""
    lists = posts["monitors"]
    if isinstance(lists, pa.ChunkedArray):
        lists = lists.combine_chunks()
    places = pc.index_in(pc.list_flatten(lists), pa.array(list(ties), pa.int64()))
    kept = places.is_valid()
    rows = pc.list_parent_indices(lists).filter(kept).to_numpy(zero_copy_only=False)
    counts = np.bincount(rows, minlength=len(lists)) if len(rows) else np.zeros(len(lists), np.int64)
    ends = np.concatenate(([0], np.cumsum(counts))).astype(np.int32)
    slugs = pa.array(list(ties.values()), pa.string()).take(places.filter(kept))
    return posts.append_column("touchpoint", pa.ListArray.from_arrays(pa.array(ends, pa.int32()), slugs))


def learned_of(posts: Posts, learned: Mapping[str, Sequence[int]]) -> Posts:
    """Posts with the slugs of `learned` added to their column `touchpoint`, each once."""
    if not learned or not posts.num_rows:
        return posts
    added = _added(posts["touchpoint"].to_pylist(), posts["id"].to_pylist(), learned)
    return posts.set_column(posts.schema.get_field_index("touchpoint"), "touchpoint", added)


def _added(slugs: list[list[str]], ids: list[int], learned: Mapping[str, Sequence[int]]) -> pa.Array:
    by_post: dict[int, list[str]] = {}
    for slug, numbers in learned.items():
        for number in numbers:
            by_post.setdefault(number, []).append(slug)
    both = [list(dict.fromkeys([*held, *by_post.get(number, ())])) for held, number in zip(slugs, ids, strict=True)]
    return pa.array(both, pa.list_(pa.string()))


def heard(posts: Posts, influence: Influence) -> Posts:
    """Posts with a column `influence`: that of who wrote them, null where it is not known."""
    author, channel = posts["author"], posts["channel"]
    if isinstance(author, pa.ChunkedArray):
        author, channel = author.combine_chunks(), channel.combine_chunks()
    account = pc.coalesce(pc.struct_field(author, "id"), pc.struct_field(author, "handle"))
    places = pc.index_in(pc.binary_join_element_wise(channel.cast(pa.string()), account, _DIVIDER), influence.keys)
    return posts.append_column("influence", influence.values.take(places))
