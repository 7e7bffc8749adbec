"""The page of the posts says what the schemas say, column by column."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pytest

from talkworthy.query.fields import FIELDS
from talkworthy.schema import (
    ANNOTATIONS,
    AUTHOR,
    ENGAGEMENT,
    ENGAGEMENT_TYPES,
    INTENTS,
    KINDS,
    OBSERVATION,
    POST,
    SENTIMENTS,
    TOMBSTONE,
)
from talkworthy.schema.formats import ENDINGS, post_from_json
from talkworthy.schema.formats.csv import TARGETS
from talkworthy.schema.post import MEDIA, PLACE

PAGE = (Path(__file__).parents[2] / "docs/reference/posts.md").read_text("utf-8")
TABLES = {
    "A post": POST,
    "Author": AUTHOR,
    "Engagement": ENGAGEMENT,
    "Media": MEDIA,
    "Place": PLACE,
    "Annotations": ANNOTATIONS,
    "Observations": OBSERVATION,
    "Tombstones": TOMBSTONE,
}
HEAD = "| column | type | unit | meaning | null |"


def row(field: pa.Field) -> str:
    """A column as the page has it."""
    said = {name.decode(): words.decode() for name, words in field.metadata.items()}
    return f"| `{field.name}` | {kind(field.type)} | {said['unit']} | {said['meaning']} | {said['null'] or '*never*'} |"


def kind(type: pa.DataType) -> str:
    if type in (AUTHOR, ENGAGEMENT, MEDIA, PLACE):
        (name,) = [name for name, known in TABLES.items() if known == type]
        return f"[struct](#{name.lower()})"
    if pa.types.is_list(type):
        return f"list of {kind(type.value_type)}"
    return str(type)


def columns(table: pa.Schema | pa.StructType) -> list[pa.Field]:
    return list(table) if isinstance(table, pa.Schema) else [table.field(index) for index in range(table.num_fields)]


def rows_under(heading: str) -> list[str]:
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    (found,) = [part for part in section if part.startswith(f"{heading}\n")]
    return [line for line in found.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("heading", TABLES)
def test_the_page_lists_every_column_with_type_unit_meaning_and_what_null_means(heading: str):
    assert rows_under(heading) == [row(field) for field in columns(TABLES[heading])]


def test_a_column_that_the_page_lacks_would_be_noticed():
    stranger = pa.field("stars", pa.int8(), metadata={"meaning": "stars", "null": "", "unit": ""})
    assert row(stranger) not in PAGE


def test_every_kind_and_every_answer_is_named():
    for word in (*KINDS, *ENGAGEMENT_TYPES, *SENTIMENTS, *INTENTS):
        assert f"`{word}`" in PAGE, word


def test_the_example_of_a_line_is_a_post():
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    first, least = (json.loads(line) for line in example.strip().splitlines())
    assert set(least) == {"uid", "text", "published_at"}
    assert set(first) <= set(POST.names)
    assert (post_from_json(first)["author"]["handle"], post_from_json(least)["kind"]) == ("alice", "note")


def test_the_columns_that_a_mapping_names_can_be_mapped():
    named = re.findall(r"--map ([\w.]+)=", PAGE)
    assert named
    assert [name for name in named if name not in TARGETS] == []


def test_the_queries_of_the_page_name_fields_of_the_language():
    named = re.findall(r"`(\w+):\w+`", PAGE)
    assert [name for name in named if name not in FIELDS] == []


def test_the_endings_of_files_are_those_that_are_read():
    rows = [line.split(" | ")[1] for line in PAGE.splitlines() if re.match(r"\| [\w. ]+ \| `\.", line)]
    assert sorted(re.findall(r"`(\.[\w.+]+)`", " ".join(rows))) == sorted(ENDINGS)
