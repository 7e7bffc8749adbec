"""Moving the desk to another database: every row of every room, checked on both sides, or nothing.

It goes over the models that are installed, so a new room moves without a word here.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.core.management.color import no_style
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, models, transaction

from talkworthy.web.configuration import database_of
from talkworthy.worker.loop import only_worker

ROWS = 1_000
"""Rows of one INSERT."""
_TARGET = "target"
_MADE_BY_MIGRATING = {"auth.permission", "contenttypes.contenttype"}
"""Tables that a fresh desk fills itself, with numbers of its own."""

Told = Callable[[str, int, int], object]
"""Is called with a table, the rows of it that are over, and all its rows."""


class CannotMove(ValueError):
    """The desk stays where it is; the message says why, and what to do."""


@dataclass(frozen=True)
class Moved:
    """What was copied: rows by table."""

    rows: dict[str, int]


def move_desk(url: str, *, told: Told) -> Moved:
    """Copy the desk to the empty database of a URL; the desk itself is read only. Raises CannotMove.

    All of it is one transaction there: where it breaks off, nothing but empty tables is left.
    """
    if not url:
        raise CannotMove("Name the address of a database, such as postgresql://user:password@host:5432/name.")
    with only_worker(), _connected(url):
        try:
            with _only_read():
                call_command("migrate", database=_TARGET, verbosity=0, interactive=False)
                _refuse_rows()
            with transaction.atomic(), transaction.atomic(using=_TARGET), _only_read():
                return _copied(told)
        except DatabaseError as error:
            raise CannotMove(f"The database there refuses: {error}".strip()) from error


def tables() -> list[type[models.Model]]:
    """Every table of the desk, those that others refer to first."""
    every = [model for model in apps.get_models(include_auto_created=True) if _is_table(model)]
    ordered: dict[type[models.Model], None] = {}
    begun: set[type[models.Model]] = set()

    def add(model: type[models.Model]) -> None:
        if model in begun:  # a circle, or the model itself: constraints are looked at when all is there
            return
        begun.add(model)
        for referred in _referred(model):
            add(referred)
        ordered[model] = None

    for model in every:
        add(model)
    return [model for model in ordered if model in set(every)]


def _is_table(model: type[models.Model]) -> bool:
    return bool(model._meta.managed and not model._meta.proxy and not model._meta.swapped)


def _referred(model: type[models.Model]) -> Iterator[type[models.Model]]:
    for field in model._meta.local_concrete_fields:
        if field.remote_field is not None and isinstance(field.related_model, type):
            yield field.related_model._meta.concrete_model or field.related_model


@contextmanager
def _connected(url: str) -> Iterator[None]:
    """The database of the URL under the name that this module gives it."""
    described = database_of(url, settings.DATA)
    here = connections[DEFAULT_DB_ALIAS].settings_dict
    if all(str(described.get(part, "")) == str(here.get(part, "")) for part in ("ENGINE", "NAME", "HOST", "PORT")):
        raise CannotMove("The desk is there already: name another database.")
    connections.settings[_TARGET] = connections.configure_settings({DEFAULT_DB_ALIAS: described})[DEFAULT_DB_ALIAS]
    try:
        try:
            connections[_TARGET].ensure_connection()
        except DatabaseError as error:
            raise CannotMove(f"The database there does not answer: {error}".strip()) from error
        yield
    finally:
        connections[_TARGET].close()
        del connections[_TARGET]
        del connections.settings[_TARGET]


@contextmanager
def _only_read() -> Iterator[None]:
    """The desk here refuses every change of this process, whatever a migration for the other one does."""
    here = connections[DEFAULT_DB_ALIAS]
    if here.vendor != "sqlite":
        raise CannotMove("The desk is on PostgreSQL already: move it with pg_dump and pg_restore.")
    with here.cursor() as cursor:
        cursor.execute("PRAGMA query_only=ON")
    try:
        yield
    finally:
        with here.cursor() as cursor:
            cursor.execute("PRAGMA query_only=OFF")


def _refuse_rows() -> None:
    for model in tables():
        if model._meta.label_lower not in _MADE_BY_MIGRATING and model._base_manager.using(_TARGET).exists():
            raise CannotMove(
                f"The database there is not empty: {model._meta.db_table} has rows. "
                "Nothing was changed; name an empty one."
            )


def _copied(told: Told) -> Moved:
    every = tables()
    for model in reversed(every):
        if model._meta.label_lower in _MADE_BY_MIGRATING:
            model._base_manager.using(_TARGET).all().delete()
    rows = {model._meta.label: _copy(model, told) for model in every}
    _reset_sequences(every)
    connections[_TARGET].check_constraints()
    for model in every:
        _compare(model)
    return Moved(rows)


def _copy(model: type[models.Model], told: Told) -> int:
    total, done = model._base_manager.using(DEFAULT_DB_ALIAS).count(), 0
    for rows in _batches(model):
        _insert(model, rows)
        done += len(rows)
        told(model._meta.label, done, total)
    return done


def _batches(model: type[models.Model]) -> Iterator[list[models.Model]]:
    """The rows by their key, so that few are in memory whatever the driver does."""
    rows = model._base_manager.using(DEFAULT_DB_ALIAS).order_by("pk")
    last: Any = None
    while held := list((rows if last is None else rows.filter(pk__gt=last))[:ROWS]):
        yield held
        last = held[-1].pk


def _insert(model: type[models.Model], rows: Sequence[models.Model]) -> None:
    """As they are: no field makes a value of its own, as a date of the last change would."""
    fields = [field for field in model._meta.local_concrete_fields if not field.generated]
    try:
        with transaction.atomic(using=_TARGET):
            model._base_manager._insert(rows, fields=fields, using=_TARGET, raw=True)  # type: ignore[attr-defined]
    except (DatabaseError, ValueError) as error:
        if len(rows) > 1:
            middle = len(rows) // 2
            _insert(model, rows[:middle])
            _insert(model, rows[middle:])
            return
        raise CannotMove(
            f"Row {rows[0].pk} of {model._meta.db_table} cannot be kept there: {str(error).strip()} "
            "Nothing was moved; change or remove that row, and try again."
        ) from error


def _reset_sequences(every: Sequence[type[models.Model]]) -> None:
    there = connections[_TARGET]
    with there.cursor() as cursor:
        for statement in there.ops.sequence_reset_sql(no_style(), every):
            cursor.execute(statement)


def _compare(model: type[models.Model]) -> None:
    here, there = _checksum(model, DEFAULT_DB_ALIAS), _checksum(model, _TARGET)
    if here != there:
        raise CannotMove(
            f"{model._meta.db_table} differs after copying: {here[0]} rows here and {there[0]} there. "
            "Nothing was moved."
        )


def _checksum(model: type[models.Model], alias: str) -> tuple[int, int]:
    """How many rows, and the sum of their digests: the same in whatever order a database hands them out."""
    names = [field.attname for field in model._meta.local_concrete_fields]
    count = total = 0
    for row in model._base_manager.using(alias).values_list(*names).iterator(chunk_size=ROWS):
        digest = hashlib.blake2b(_plainly(row).encode(), digest_size=16).digest()
        count, total = count + 1, (total + int.from_bytes(digest, "big")) % (1 << 128)
    return count, total


def _plainly(row: Sequence[Any]) -> str:
    """A row in one spelling: objects of JSON have no order, and bytes come in several types."""
    return json.dumps(row, sort_keys=True, default=_spelled)


def _spelled(value: Any) -> str:
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else f"{type(value).__name__} {value}"
