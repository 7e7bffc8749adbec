"""What finds words in messages, titles and names without reading them all: SQLite's FTS5, PostgreSQL's pg_trgm.

Both keep the pieces of three characters of a text, so that a word is found wherever it stands in it, in any language.
The database keeps them itself, in the transaction of the change: here by triggers, there by an index. It is looked
at after each migration, since SQLite drops the triggers of a table that a migration makes anew.
"""

import logging
from functools import cache
from typing import Any

from django.db import DatabaseError, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Q
from django.db.models.expressions import RawSQL

from talkworthy.people.models import Identity
from talkworthy.routing.models import Case, Message

log = logging.getLogger(__name__)

INDEXED: tuple[tuple[type[models.Model], str], ...] = ((Message, "text"), (Case, "title"), (Identity, "name"))
SHORTEST = 3
"""A shorter text has no piece of three characters: its rows are read."""


def holding(model: type[models.Model], text: str, *, using: str = "default") -> Q:
    """The condition that the indexed column of a model holds a text, in whatever case."""
    column = dict(INDEXED)[model]
    if len(text) < SHORTEST or not _is_kept(using):
        return Q(**{f"{column}__icontains": text})
    words = _table(model)
    phrase = '"{}"'.format(text.replace('"', '""'))
    found = RawSQL(f'SELECT rowid FROM "{words}" WHERE "{words}" MATCH %s', [phrase])  # noqa: S611 - a parameter
    return Q(pk__in=found)


def keep_word_index(*, using: str = "default", **_more: Any) -> None:
    """Make what is not there yet, and fill it. A database that has not got the means goes without: it reads."""
    connection = connections[using]
    there = set(connection.introspection.table_names())
    if not {model._meta.db_table for model, _column in INDEXED} <= there:
        return
    for model, column in INDEXED:
        try:
            with transaction.atomic(using=using):
                _keep(connection, model, column)
        except DatabaseError as error:
            log.warning("words of %s are found by reading them: %s", model._meta.db_table, error)
    _is_kept.cache_clear()


def _keep(connection: BaseDatabaseWrapper, model: type[models.Model], column: str) -> None:
    table, words = model._meta.db_table, _table(model)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT 1 FROM pg_indexes WHERE indexname = %s", [words])
            if cursor.fetchone() is None:
                cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
                cursor.execute(f'CREATE INDEX "{words}" ON "{table}" USING gin (UPPER("{column}") gin_trgm_ops)')
            return
        cursor.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name LIKE %s", [f"{words}_%"])
        if cursor.fetchone()[0] == len(_TRIGGERS):
            return
        cursor.execute(
            f'CREATE VIRTUAL TABLE IF NOT EXISTS "{words}" '
            f"USING fts5({column}, content='{table}', content_rowid='id', tokenize='trigram')"
        )
        for name, trigger in _TRIGGERS.items():
            told = {"words": words, "table": table, "column": column}
            cursor.execute(f'CREATE TRIGGER IF NOT EXISTS "{words}_{name}" {trigger.format(**told)}')
        cursor.execute(f'INSERT INTO "{words}" ("{words}") VALUES (\'rebuild\')')


_ADD = 'INSERT INTO "{words}" (rowid, "{column}") VALUES (new.id, new."{column}");'
_TAKE = 'INSERT INTO "{words}" ("{words}", rowid, "{column}") VALUES (\'delete\', old.id, old."{column}");'
_TRIGGERS = {
    "added": f'AFTER INSERT ON "{{table}}" BEGIN {_ADD} END',
    "gone": f'AFTER DELETE ON "{{table}}" BEGIN {_TAKE} END',
    "changed": f'AFTER UPDATE OF "{{column}}" ON "{{table}}" BEGIN {_TAKE} {_ADD} END',
}


@cache
def _is_kept(using: str) -> bool:
    """Whether the tables of words are there; PostgreSQL uses its index by itself."""
    connection = connections[using]
    if connection.vendor != "sqlite":
        return False
    return {_table(model) for model, _column in INDEXED} <= set(connection.introspection.table_names())


def _table(model: type[models.Model]) -> str:
    return f"{model._meta.db_table}_words"
