"""What goes in and what comes out, as JSON. Every id is text: some do not fit into a browser's numbers."""

from datetime import UTC, datetime
from typing import Annotated, Any

import pyarrow as pa
from ninja import Schema
from pydantic import ConfigDict, Field, PlainSerializer, RootModel, StringConstraints

from talkworthy.archive.columns import STORED
from talkworthy.listening.forms.monitors import LONGEST_QUERY

Id = Annotated[str, Field(pattern=r"^\d{1,18}$", examples=["12"])]
Moment = Annotated[
    datetime,
    PlainSerializer(lambda at: at.astimezone(UTC).isoformat().replace("+00:00", "Z"), when_used="json-unless-none"),
]
Query = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST_QUERY)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]

HIDDEN = frozenset({"day", "folded", "text_hash"})
"""Columns of the archive that follow from others and are of no use outside."""

NUMBERS_AS_TEXT = frozenset({"id", "near_hash"})


class Given(Schema):
    """A body: names that are not known are refused, so that a slip is not passed over."""

    model_config = ConfigDict(extra="forbid")


def _without_defaults(schema: dict[str, Any]) -> None:
    for told in schema["properties"].values():
        told.pop("default", None)


class Changes(Given):
    """A body of which only what is named changes: what is not named has no default."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)


def post_columns() -> dict[str, Any]:
    """JSON Schema of a post, column by column as the archive documents them."""
    return {field.name: _column(field) for field in STORED if field.name not in HIDDEN}


def _column(field: pa.Field) -> dict[str, Any]:
    told = {name.decode(): text.decode() for name, text in (field.metadata or {}).items()}
    words = told.get("meaning", "")
    unit = f" ({told['unit']})" if told.get("unit") else ""
    absent = f". Absent: {told['null']}" if told.get("null") else ""
    as_text = field.name in NUMBERS_AS_TEXT or field.name == "monitors"
    return {**_type(field.type, as_text=as_text), "description": f"{words}{unit}{absent}"}


def _type(type: pa.DataType, *, as_text: bool = False) -> dict[str, Any]:
    if pa.types.is_struct(type):
        fields = [type.field(index) for index in range(type.num_fields)]
        return {"type": "object", "properties": {field.name: _column(field) for field in fields}}
    if pa.types.is_list(type):
        return {"type": "array", "items": _type(type.value_type, as_text=as_text)}
    if pa.types.is_timestamp(type):
        return {"type": "string", "format": "date-time"}
    if pa.types.is_boolean(type):
        return {"type": "boolean"}
    if pa.types.is_integer(type):
        return {"type": "string" if as_text else "integer"}
    return {"type": "number" if pa.types.is_floating(type) else "string"}


def _as_post(schema: dict[str, Any]) -> None:
    schema.pop("additionalProperties", None)
    schema["properties"] = post_columns()
    schema["required"] = ["id", "uid", "channel", "text", "published_at"]


class Post(RootModel[dict[str, Any]]):
    """A post with its annotations. What is not known is left out."""

    model_config = ConfigDict(json_schema_extra=_as_post)


class Posts(Schema):
    """A page of posts, newest first."""

    posts: list[Post]
    before: str | None = Field(None, description="Pass it as `before` for the next page; null at the end.")
    reached: Moment | None = Field(
        None, description="Set where the search ran out of time before the page was full: how far back it looked."
    )


class Counted(Schema):
    """How many posts there are."""

    posts: int
    reached: Moment | None = Field(None, description="Set where time ran out: there are at least so many, up to here.")


class Thread(Schema):
    """A thread, oldest first, as far as it was collected."""

    posts: list[Post]


class Me(Schema):
    """Whom the token speaks for."""

    workspace: str
    slug: str
    member: str
    role: str
    token: str
    scopes: list[str]
    expires_at: Moment | None


class Deleted(Schema):
    """It is gone from sight, and can be restored."""

    id: Id
    deleted: bool = True
