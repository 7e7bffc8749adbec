"""What can be told of posts before they are split into words: for most of those that hold what a query looks for.

A word that stands between blanks, with no more than . , ! ? behind it, is there; one whose letters occur nowhere is
not. Only what is neither has to be split. What stands nowhere is told of ASCII texts only: others are folded first.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from talkworthy.query import tokens
from talkworthy.query.spans import term_tokens
from talkworthy.query.tree import And, Node, Not, Or, Phrase, Word, bare, walk

Rows = npt.NDArray[np.bool_]

MOST_WORDS = 8
"""Each word is looked for by itself; splitting looks for all of them at once."""


@dataclass(frozen=True)
class Written:
    """The columns of some posts that hold words, and which of the posts are written in ASCII."""

    columns: tuple[pa.StringArray, ...]
    ascii: Rows

    @classmethod
    def of(cls, posts: pa.RecordBatch | pa.Table) -> "Written":
        """Titles and texts; a column that is missing or empty is left out."""
        found = [posts.column(name) for name in ("title", "text") if name in posts.schema.names]
        plain = [pc.fill_null(each, "") for each in found if each.null_count < len(each)]
        every = np.ones(posts.num_rows, np.bool_)
        for each in plain:
            every &= pc.string_is_ascii(each).to_numpy(zero_copy_only=False)
        return cls(tuple(plain), every)

    def any(self, found: Callable[[pa.StringArray], pa.BooleanArray]) -> Rows:
        """The posts of which one column is so."""
        rows = np.zeros(len(self.ascii), np.bool_)
        for column in self.columns:
            rows |= found(column).to_numpy(zero_copy_only=False)
        return rows


Glance = Callable[[Written], tuple[Rows, Rows]]
"""The posts that match for certain, and those that may."""


def glance_of(root: Node) -> Glance | None:
    """A first look for a query that asks which words a post holds; None for one that asks anything else."""
    words = sum(isinstance(node, Word | Phrase) for node in walk(root))
    return _glance(root) if words <= MOST_WORDS else None


def _glance(node: Node) -> Glance | None:
    node = bare(node)
    match node:
        case Word() | Phrase():
            return _word(node)
        case Not():
            inner = _glance(node.operand)
            return None if inner is None else _negated(inner)
        case And() | Or():
            parts = [part for operand in node.operands if (part := _glance(operand)) is not None]
            joined = np.logical_and if isinstance(node, And) else np.logical_or
            return _joined(parts, joined) if len(parts) == len(node.operands) else None
        case _:
            return None


def _word(node: Word | Phrase) -> Glance | None:
    terms = term_tokens(node)
    letters, wild = (
        (terms[0].removesuffix(tokens.ANY), terms[0].endswith(tokens.ANY)) if len(terms) == 1 else ("", False)
    )
    if not re.fullmatch("[a-z0-9]+", letters):
        return None
    alone = rf"(?i)(?:^|\s){letters}{'[a-z0-9]*' if wild else ''}[.,!?]*(?:\s|$)"

    def look(written: Written) -> tuple[Rows, Rows]:
        held = written.any(lambda column: pc.match_substring(column, letters, ignore_case=True)) | ~written.ascii
        return written.any(lambda column: pc.match_substring_regex(column, alone)), held

    return look


def _negated(inner: Glance) -> Glance:
    def look(written: Written) -> tuple[Rows, Rows]:
        sure, possible = inner(written)
        return ~possible, ~sure

    return look


def _joined(parts: list[Glance], join: np.ufunc) -> Glance:
    def look(written: Written) -> tuple[Rows, Rows]:
        found = [part(written) for part in parts]
        return join.reduce([sure for sure, _ in found]), join.reduce([possible for _, possible in found])

    return look
