"""Posts by hand, and the shared data where it is at hand."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from talkworthy.schema import posts_table

NOON = "2026-03-01T12:00:00+00:00"


@pytest.fixture
def posts() -> Callable[..., pa.RecordBatch]:
    """A batch of schema POST from texts or rows."""

    def made(*rows: str | dict[str, Any]) -> pa.RecordBatch:
        complete = []
        for number, row in enumerate(rows):
            given = {"text": row} if isinstance(row, str) else row
            complete.append({"uid": f"mastodon:example.org:{number}", "published_at": NOON, **given})
        return posts_table(complete).combine_chunks().to_batches()[0]

    return made


@pytest.fixture
def shared() -> Path:
    """The folder of shared data; a test that asks for it is skipped where there is none."""
    root = Path(os.environ.get("TALKWORTHY_SHARED", Path(__file__).parents[3] / "shared"))
    if not (root / "data").is_dir():
        pytest.skip("the shared data are not here (set TALKWORTHY_SHARED)")
    return root / "data"
