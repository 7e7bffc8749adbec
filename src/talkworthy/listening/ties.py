"""Which touchpoints a post is tied to: those whose monitors found it."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Posts = TypeVar("Posts", pa.Table, pa.RecordBatch)


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
