"""On Ray Data: a row a piece, mapped in Arrow batches. Needs the extra `ray`."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import ray

from talkworthy.engines.pieces import annotate


def annotated(folder: Path, pieces: int, *, tier: str, address: str | None) -> Iterator[int]:
    """Posts in each piece, as it is done, on the cluster at `address`; without one RAY_ADDRESS, else this machine.

    Ray runs a task again whose worker or node is gone, as often as it takes. A cluster that this starts it also ends;
    where the program is connected already, that cluster is used, and left.
    """
    connected = ray.is_initialized()
    if not connected:
        ray.init(address=address, log_to_driver=False, logging_level=logging.WARNING)
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        numbers = ray.data.range(pieces, override_num_blocks=max(pieces, 1))
        done = numbers.map_batches(
            _annotated,
            batch_size=1,
            batch_format="pyarrow",
            fn_kwargs={"folder": str(folder), "tier": tier},
        )
        for batch in done.iter_batches(batch_size=1, batch_format="pyarrow", prefetch_batches=0):
            yield from batch["posts"].to_pylist()
    finally:
        if not connected:
            ray.shutdown()


def _annotated(batch: pa.Table, *, folder: str, tier: str) -> pa.Table:
    posts = [annotate(Path(folder), number, tier=tier) for number in batch["id"].to_pylist()]
    return pa.table({"posts": pa.array(posts, pa.int64())})
