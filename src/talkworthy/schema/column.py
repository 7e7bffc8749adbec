"""One documented column of an Arrow schema."""

import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")


def column(name: str, type: pa.DataType, meaning: str, *, null: str | None = None, unit: str = "") -> pa.Field:
    """A field that says what it holds.

    `null` is what a missing value means; a column without it is never null.
    """
    metadata = {"meaning": meaning, "null": null or "", "unit": unit}
    return pa.field(name, type, nullable=null is not None, metadata=metadata)
