"""The query language: one language for monitors, rules, segments, filters and searches. Pure."""

from talkworthy.query.check import CODES, Check, Problem, QueryError
from talkworthy.query.explain import Branch, Excerpt, Explanation, Hit, excerpt, explain, highlights
from talkworthy.query.format import format_query
from talkworthy.query.index import Matcher, Matches
from talkworthy.query.match import CompiledQuery, Similarity, compile_query
from talkworthy.query.parser import check, parse
from talkworthy.query.prefilter import Prefilter
from talkworthy.query.tokens import folded, folded_all
from talkworthy.query.tree import Query

__all__ = [
    "CODES",
    "Branch",
    "Check",
    "CompiledQuery",
    "Excerpt",
    "Explanation",
    "Hit",
    "Matcher",
    "Matches",
    "Prefilter",
    "Problem",
    "Query",
    "QueryError",
    "Similarity",
    "check",
    "compile_query",
    "excerpt",
    "explain",
    "folded",
    "folded_all",
    "format_query",
    "highlights",
    "parse",
]
