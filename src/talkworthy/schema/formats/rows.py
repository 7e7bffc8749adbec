"""Posts as others bring them, made into exact rows and batches of schema POST."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from talkworthy.schema.formats.times import read_time
from talkworthy.schema.identifiers import post_uid
from talkworthy.schema.post import KINDS, POST

_UNTYPED: Mapping[str, Any] = {"kind": "note", "visibility": "public", "text": ""}


@dataclass(frozen=True)
class Wrong:
    """A line or row that could not be read: its number from 1, the reason, and how it begins."""

    line: int
    reason: str
    fragment: bytes


Tell: TypeAlias = Callable[[Wrong], None]


def ignore(_: Wrong) -> None:
    """For callers that do not ask what was wrong."""


def post_from_json(raw: object) -> dict[str, Any]:
    """A row of schema POST from a JSON object whose keys are its columns; ValueError says what is wrong.

    `uid`, `text` and `published_at` suffice. Keys that are no columns are left out, a kind that we do not
    know becomes "note", numbers given as text are read, and text given as numbers is kept as text.
    """
    if not isinstance(raw, dict):
        raise ValueError("not a JSON object")
    for name in ("uid", "published_at"):
        if raw.get(name) in (None, ""):
            raise ValueError(f"{name} is missing")
    row = dict(_EMPTY)
    for name, value in raw.items():
        if value is not None and name in _TYPES:
            row[name] = _value(value, _TYPES[name], name)
    for name, value in _UNTYPED.items():
        if row[name] is None:
            row[name] = value
    row["kind"] = str(row["kind"]).lower() if str(row["kind"]).lower() in KINDS else "note"
    parts = row["uid"].split(":", 2)
    channel, origin, native = parts if len(parts) == 3 else ("", None, row["uid"])
    row["channel"] = row["channel"] if row["channel"] is not None else channel
    row["origin"] = row["origin"] if row["origin"] is not None else origin or None
    row["native_id"] = row["native_id"] if row["native_id"] is not None else native
    return row


_EMPTY: Mapping[str, Any] = dict.fromkeys(POST.names)
_TYPES: Mapping[str, pa.DataType] = {field.name: field.type for field in POST}


def _value(value: Any, type: pa.DataType, name: str) -> Any:
    if value is None:
        return None
    if type.id == pa.lib.Type_STRING:
        return _text(value, name)
    if type.id == pa.lib.Type_TIMESTAMP:
        return _time(value, name)
    if type.id == pa.lib.Type_STRUCT:
        return _struct(value, type, name)
    if type.id == pa.lib.Type_LIST:
        return _list(value, type, name)
    return _scalar(value, type, name)


def _text(value: Any, name: str) -> str:
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-8", "ignore").decode()
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise ValueError(f"{name} should be text")


def _time(value: Any, name: str) -> datetime:
    try:
        return read_time(value)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _struct(value: Any, type: pa.DataType, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{name} should be an object")
    fields = [type.field(index) for index in range(type.num_fields)]
    found = {field.name: _value(value.get(field.name), field.type, f"{name}.{field.name}") for field in fields}
    missing = [field.name for field in fields if not field.nullable and found[field.name] is None]
    if missing:
        raise ValueError(f"{name}.{missing[0]} is missing")
    return found


def _list(value: Any, type: pa.DataType, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"{name} should be a list")
    return [found for item in value if (found := _value(item, type.value_type, name)) is not None]


def _scalar(value: Any, type: pa.DataType, name: str) -> Any:
    try:
        if pa.types.is_boolean(type):
            if isinstance(value, str):
                return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[value.lower()]
            return bool(value)
        if pa.types.is_integer(type):
            whole = int(value) if isinstance(value, int | str) else int(float(value))
            if not -(2**63) <= whole < 2**63:
                raise ValueError("too large")
            return whole
        number = float(value)
        if not math.isfinite(number):
            raise ValueError("not finite")
        return number
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise ValueError(f"{name} should be {'true or false' if pa.types.is_boolean(type) else 'a number'}") from error


def batch_of(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    """A batch of complete rows."""
    return pa.RecordBatch.from_pylist(rows, schema=POST)


def owned(batch: pa.RecordBatch, *, channel: str, origin: str = "") -> pa.RecordBatch:
    """A batch whose uids begin with their channel: foreign ones become channel, origin and what they were.

    `channel` and `origin` stand where a post names none. What a post answers and repeats is named alike.
    """
    if _all_are_ours(batch.column("uid"), batch.column("channel")):
        return batch
    rows = batch.to_pylist()
    for row in rows:
        if not _is_ours(row["uid"], row["channel"]):
            _own(row, (row["channel"] or channel).replace(":", "_"), row["origin"] or origin)
    return batch_of(rows)


def _own(row: dict[str, Any], channel: str, origin: str) -> None:
    def named(uid: str | None) -> str | None:
        if not uid or uid.count(":") >= 2 or uid.startswith(("http://", "https://")):
            return uid or None
        return post_uid(channel, origin, uid)

    row.update(channel=channel, origin=origin or None, native_id=row["uid"], uid=post_uid(channel, origin, row["uid"]))
    for name in ("in_reply_to", "root", "repeats"):
        row[name] = named(row[name])
    if row["references"] is not None:
        row["references"] = [named(each) for each in row["references"]]


def _all_are_ours(uids: pa.StringArray, channels: pa.StringArray) -> bool:
    ours = pc.and_(pc.not_equal(channels, ""), pc.greater_equal(pc.count_substring(uids, ":"), 2))
    if not pc.all(ours.fill_null(False)).as_py():
        return False
    return all(
        pc.all(pc.starts_with(uids.filter(pc.equal(channels, channel)), f"{channel}:")).as_py()
        for channel in channels.unique().to_pylist()
    )


def _is_ours(uid: str, channel: str) -> bool:
    return bool(channel) and uid.startswith(f"{channel}:") and uid.count(":") >= 2


def post_to_json(post: Mapping[str, Any]) -> dict[str, Any]:
    """A row as a JSON object: without the columns that hold nothing, times as ISO 8601 in UTC."""
    return {name: written for name, value in post.items() if (written := _written(value)) is not None}


def _written(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        return {name: written for name, item in value.items() if (written := _written(item)) is not None} or None
    if isinstance(value, list):
        return [_written(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None  # JSON has no word for it
    return value


# whole columns at once


def conform(columns: pa.RecordBatch | pa.Table) -> pa.RecordBatch:
    """A batch of exactly schema POST from columns of the same names; columns it does not know are left out.

    `uid` and `published_at` must be there and complete. Raises ValueError (ArrowInvalid is one) where a
    column cannot be read as what it should be.
    """
    if isinstance(columns, pa.Table):
        columns = columns.combine_chunks().to_batches()[0] if columns.num_rows else _empty_of(columns.schema)
    given = {name: columns.column(index) for index, name in enumerate(columns.schema.names)}
    for name in ("uid", "published_at"):
        if name not in given or given[name].null_count:
            raise ValueError(f"{name} is missing")
    made = {field.name: _column(given.get(field.name), field.type, columns.num_rows) for field in POST}
    _complete(made)
    return pa.RecordBatch.from_arrays([made[name] for name in POST.names], schema=POST)


def _empty_of(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_pylist([], schema=schema)


def _complete(made: dict[str, Any]) -> None:
    uid = made["uid"]
    if pc.any(pc.equal(uid, "")).as_py():
        raise ValueError("uid is missing")
    for name, value in _UNTYPED.items():
        made[name] = pc.fill_null(made[name], value)
    kind = pc.utf8_lower(made["kind"])
    made["kind"] = pc.if_else(pc.is_in(kind, value_set=pa.array(KINDS)), kind, "note")
    parts = pc.extract_regex(uid, r"(?s)^(?P<channel>[^:]*):(?P<origin>[^:]*):(?P<native>.*)$")
    channel, origin, native = (pc.struct_field(parts, index) for index in range(3))
    ours = pc.is_valid(parts)
    made["channel"] = pc.coalesce(made["channel"], pc.if_else(ours, channel, ""))
    named = pc.and_(ours, pc.fill_null(pc.not_equal(origin, ""), False))
    made["origin"] = pc.coalesce(made["origin"], pc.if_else(named, origin, pa.scalar(None, pa.string())))
    made["native_id"] = pc.coalesce(made["native_id"], pc.if_else(ours, native, uid))


def _column(given: Any, type: pa.DataType, rows: int) -> Any:
    if given is None or pa.types.is_null(given.type):
        return pa.nulls(rows, type)
    if given.type == type:
        return given
    if pa.types.is_dictionary(given.type):
        return _column(given.dictionary_decode(), type, rows)
    if pa.types.is_struct(type) and pa.types.is_struct(given.type):
        return _struct_column(given, type)
    if pa.types.is_list(type) and (pa.types.is_list(given.type) or pa.types.is_large_list(given.type)):
        return _list_column(given, type)
    if pa.types.is_timestamp(type) and pa.types.is_timestamp(given.type) and given.type.tz is None:
        return given.cast(pa.timestamp("us"), safe=False).cast(type)
    if pa.types.is_timestamp(type) and pa.types.is_string(given.type):
        return _times(given, type)
    return given.cast(type, safe=not pa.types.is_timestamp(given.type))


def _times(given: Any, type: pa.DataType) -> Any:
    try:
        return given.cast(type)
    except pa.ArrowInvalid:
        return pa.array([None if text is None else read_time(text) for text in given.to_pylist()], type)


def _struct_column(given: Any, type: pa.DataType) -> Any:
    held = {given.type.field(index).name: index for index in range(given.type.num_fields)}
    fields = [type.field(index) for index in range(type.num_fields)]
    children = []
    for field in fields:
        child = pc.struct_field(given, held[field.name]) if field.name in held else None
        made = _column(child, field.type, len(given))
        if not field.nullable and pc.any(pc.and_(given.is_valid(), made.is_null())).as_py():
            raise ValueError(f"{field.name} is missing")
        children.append(made)
    return pa.StructArray.from_arrays(children, fields=fields, mask=given.is_null())


def _list_column(given: Any, type: pa.DataType) -> Any:
    values = given.flatten()
    if values.null_count:
        raise ValueError("a list holds nothing in one of its places")
    sizes = pc.fill_null(pc.list_value_length(given), 0)
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), pc.cumulative_sum(sizes).cast(pa.int32())])
    made = _column(values, type.value_type, len(values))
    return pa.ListArray.from_arrays(offsets, made, type=type, mask=given.is_null())
