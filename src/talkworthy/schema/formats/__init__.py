"""Files of posts, read and written: JSON Lines, Parquet, CSV, ActivityStreams 2.0.

Readers work in bounded memory: they yield record batches of schema POST and tell what they could not read
to `wrong`, a function that takes a `Wrong`; the rest goes on.
"""

from talkworthy.schema.formats.activitystreams import Understood, from_activitystreams, to_activitystreams
from talkworthy.schema.formats.csv import Mapping, read_csv, suggest_mapping, write_csv
from talkworthy.schema.formats.endings import ENDINGS, FORMATS, format_by_name
from talkworthy.schema.formats.jsonl import read_jsonl, read_jsonl_lines, with_columns, write_jsonl
from talkworthy.schema.formats.parquet import read_parquet, read_parquet_pairs, write_parquet
from talkworthy.schema.formats.rows import Wrong, conform, owned, post_from_json, post_to_json
from talkworthy.schema.formats.times import read_time

__all__ = [
    "ENDINGS",
    "FORMATS",
    "Mapping",
    "Understood",
    "Wrong",
    "conform",
    "format_by_name",
    "from_activitystreams",
    "owned",
    "post_from_json",
    "post_to_json",
    "read_csv",
    "read_jsonl",
    "read_jsonl_lines",
    "read_parquet",
    "read_parquet_pairs",
    "read_time",
    "suggest_mapping",
    "to_activitystreams",
    "with_columns",
    "write_csv",
    "write_jsonl",
    "write_parquet",
]
