"""In this process, one piece after the other: what the other engines are compared with."""

from collections.abc import Iterator
from pathlib import Path

from talkworthy.engines.pieces import annotate


def annotated(folder: Path, pieces: int, *, tier: str, address: str | None) -> Iterator[int]:
    """Posts in each piece, as it is done. There is no cluster, so `address` must be None."""
    if address is not None:
        raise ValueError("the engine local has no cluster: leave out --address, or choose ray or spark")
    for number in range(pieces):
        yield annotate(folder, number, tier=tier)
