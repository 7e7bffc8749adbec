"""The query language: one language for monitors, rules, segments, filters and searches. Pure."""

from talkworthy.query.check import CODES, Check, Problem, QueryError
from talkworthy.query.index import Matcher, Matches
from talkworthy.query.match import CompiledQuery, compile_query
from talkworthy.query.parser import check, parse
from talkworthy.query.prefilter import Prefilter
from talkworthy.query.tokens import folded, folded_all
from talkworthy.query.tree import Query

__all__ = [
    "CODES",
    "Check",
    "CompiledQuery",
    "Matcher",
    "Matches",
    "Prefilter",
    "Problem",
    "Query",
    "QueryError",
    "check",
    "compile_query",
    "folded",
    "folded_all",
    "parse",
]
