"""Which format a file has, as its name tells."""

FORMATS = ("jsonl", "parquet", "activitystreams", "csv")
ENDINGS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "activitystreams",
    ".jsonld": "activitystreams",
    ".activity+json": "activitystreams",
}


def format_by_name(name: str) -> str | None:
    """The format that a file's name tells, `.gz` or not; None where it tells none."""
    bare = name.lower().removesuffix(".gz")
    return next((kind for ending, kind in ENDINGS.items() if bare.endswith(ending)), None)
