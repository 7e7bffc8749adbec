"""From a query's text to its tree, by the grammar of the language, with every problem placed and explained.

Brackets, values and mixtures are all looked at before an error is raised, so one attempt names all it can.
"""

import re
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from talkworthy.query import fields
from talkworthy.query.check import Check, QueryError
from talkworthy.query.fields import BadValue, FieldSpec, Known, Takes, Vocabulary
from talkworthy.query.lexer import Lexeme, Reading, Stop, lexemes
from talkworthy.query.mixtures import Piece, bracketed_forms, joins_two_wanted
from talkworthy.query.tokens import ANY, ONE, links_in, query_tokens
from talkworthy.query.tree import (
    And,
    AtLeast,
    Cased,
    Comparison,
    Field,
    Near,
    Node,
    Not,
    Or,
    Phrase,
    Query,
    Range,
    Sentence,
    Similar,
    Source,
    Weighted,
    Window,
    Word,
    bare,
    walk,
)

Dialect = Literal["strict", "lenient"]
StageName = Literal["monitor", "search", "desk", "people"]

DEEPEST = 50
LONGEST = 200_000
JOINED = 10
"""The most parts of one NEAR and the most words of one window: the ways to place more of them grow without measure."""

DEFAULT_DISTANCE = 4

_NEAR = re.compile(r"(O?NEAR)(?:/(\d{1,9})(f?))?")
_NEAR_LIKE = re.compile(r"O?NEAR/.*")
_NAME = re.compile(r"([A-Za-z]+):(.*)", re.DOTALL)
_COMPARISON = re.compile(r"(>=|<=|>|<)(.*)", re.DOTALL)
_AT_LEAST = re.compile(r"ATLEAST/(\d{1,9})")
_RANGE = re.compile(r"\s*(\S+)\s+TO\s+(\S+)\s*")
_ADDRESS_NAMES = frozenset({"http", "https", "ftp", "mailto", "file", "feed", "at"})
_INT = re.compile(r"\d{1,9}", re.ASCII)
_DECIMAL = re.compile(r"[01](?:\.\d{1,9})?", re.ASCII)


def parse(
    text: str, *, dialect: Dialect = "strict", stage: StageName = "monitor", vocabulary: Vocabulary = fields.FIELDS
) -> Query:
    """The tree of a query; raises QueryError with every problem found. `vocabulary`: the fields it may name."""
    checked = check(text, dialect=dialect, stage=stage, vocabulary=vocabulary)
    if checked.tree is None:
        raise QueryError(text, checked.errors)
    return checked.tree


def check(
    text: str, *, dialect: Dialect = "strict", stage: StageName = "monitor", vocabulary: Vocabulary = fields.FIELDS
) -> Check:
    """The verdict on a query, whatever was typed: never raises."""
    reading = Reading(text, dialect, stage)
    try:
        root = _Parser(reading, vocabulary).query()
    except Stop:
        root = None
    errors = tuple(sorted(reading.errors, key=lambda problem: (problem.line, problem.column)))
    warnings = tuple(sorted(reading.warnings, key=lambda problem: (problem.line, problem.column)))
    tree = None if errors or root is None else Query(root, text)
    verdict = "error" if tree is None else "warning" if warnings else "valid"
    return Check(verdict, errors, warnings, tree, text)


@dataclass(slots=True)
class _Level:
    """What stands on one bracket level, to see mixtures: pieces as (joint before it, text, negative)."""

    pieces: list[Piece] = field(default_factory=list)
    start: int = 0
    end: int = 0


class _Parser:
    """Recursive descent over the lexemes; one method a rule of the grammar."""

    def __init__(self, reading: Reading, vocabulary: Vocabulary) -> None:
        self.reading = reading
        self.vocabulary = vocabulary
        self.depth = 0
        self.at = 0
        self.lexemes: list[Lexeme] = []
        self.quiet = False
        self.within: FieldSpec | None = None
        self.bracketed: set[int] = set()
        self.nearest: dict[str, str] = {}

    # query -------------------------------------------------------------------------------------------------------

    def query(self) -> Node:
        reading = self.reading
        if len(reading.text) > LONGEST:
            reading.stop("E-LENGTH", f"a query may have {LONGEST} characters, this one has {len(reading.text)}", 0, 1)
        self.lexemes = lexemes(reading)
        if len(self.lexemes) == 1:
            reading.stop("E-EMPTY", "the query is empty", 0, len(reading.text), "name a word to look for, such as acme")
        root = self.expression()
        if self.now.kind != "end":
            self.unexpected()
        if _negative(root) and reading.stage != "people":
            reading.error(
                "E-NEGATIVE",
                "a query that only says what is not wanted would find nearly everything: name something that is wanted",
                0,
                len(reading.text),
            )
        return root

    @property
    def now(self) -> Lexeme:
        return self.lexemes[self.at]

    def next(self) -> Lexeme:
        lexeme = self.lexemes[self.at]
        self.at = min(self.at + 1, len(self.lexemes) - 1)
        return lexeme

    def unexpected(self) -> NoReturn:
        lexeme = self.now
        stop = self.reading.stop
        if lexeme.kind == "end":
            stop("E-SYNTAX", "something is missing at the end", max(lexeme.start - 1, 0), lexeme.end)
        if lexeme.kind == ")":
            stop("E-BRACKET", "this bracket closes nothing", lexeme.start, lexeme.end)
        if lexeme.kind in "~^":
            stop(
                "E-TILDE",
                f"{lexeme.kind} stands right after a term and before a number, without blanks",
                lexeme.start,
                lexeme.end,
                f'"two words"{lexeme.kind}3',
            )
        if lexeme.kind == "range":
            stop(
                "E-SYNTAX",
                "a range in square brackets belongs right after a field's colon",
                lexeme.start,
                lexeme.end,
                "rating:[1 TO 3]",
            )
        if lexeme.kind == "word" and _joint(lexeme):
            stop(
                "E-SYNTAX",
                f"{lexeme.text} needs something to join on its left and on its right",
                lexeme.start,
                lexeme.end,
                f'"{lexeme.text}" to look for the word itself',
            )
        stop("E-SYNTAX", f"{lexeme.text!r} cannot stand here", lexeme.start, lexeme.end)

    # expr, conj, prox ----------------------------------------------------------------------------------------------

    def expression(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            self.reading.stop("E-DEPTH", f"brackets may be nested {DEEPEST} deep", self.now.start, self.now.end)
        level = _Level(start=self.now.start)
        alternatives = [self.conjunction(level, "")]
        while self.now.kind == "word" and self.now.text == "OR":
            self.next()
            alternatives.append(self.conjunction(level, "OR"))
        level.end = self.lexemes[self.at - 1].end
        self.depth -= 1
        if self.reading.dialect == "strict":
            self.refuse_mixture(level)
        return alternatives[0] if len(alternatives) == 1 else Or(tuple(alternatives), _span(alternatives))

    def conjunction(self, level: _Level, joint: str) -> Node:
        operands = [self.proximity(level, joint)]
        while True:
            lexeme = self.now
            if lexeme.kind == "word" and lexeme.text == "AND":
                self.next()
                operands.append(self.proximity(level, "AND"))
            elif lexeme.kind in ("phrase", "cased", "(", "range") or (lexeme.kind == "word" and not _joint(lexeme)):
                negative = self.at_negation()
                if not negative and not self.quiet:
                    self.reading.warn(
                        "W-IMPLICIT-AND",
                        "AND is understood here; write it to be sure",
                        lexeme.start,
                        lexeme.end,
                        f"AND {self.reading.text[lexeme.start : lexeme.end]}",
                    )
                operands.append(self.proximity(level, "AND"))
            else:
                break
        return operands[0] if len(operands) == 1 else And(tuple(operands), _span(operands))

    def proximity(self, level: _Level, joint: str) -> Node:
        node = self.unary(level, joint)
        chain, operator = [node], None
        nested = 0
        while self.now.kind == "word" and (found := self.near()) is not None:
            self.next()
            if operator is not None and found != operator:
                chain = [Near(tuple(chain), *operator, _span(chain))]
                nested += 1
                if nested + self.depth > DEEPEST:
                    self.reading.stop("E-DEPTH", "too many different NEARs in a row", self.now.start, self.now.end)
            operator = found
            chain.append(self.unary(level, _near_text(found)))
            if len(chain) > JOINED:
                start, end = chain[0].source.start, chain[-1].source.end
                self.reading.stop("E-LENGTH", f"NEAR joins {JOINED} parts at most", start, end)
        if operator is None:
            return node
        for operand in chain:
            self.want_place(operand, "NEAR")
        return Near(tuple(chain), *operator, _span(chain))

    def near(self) -> tuple[int, bool] | None:
        """Distance and direction of the NEAR that stands here, if one does."""
        lexeme = self.now
        found = _NEAR.fullmatch(lexeme.text)
        if found:
            distance = int(found.group(2)) if found.group(2) else DEFAULT_DISTANCE
            return distance, found.group(1) == "ONEAR" or found.group(3) == "f"
        if _NEAR_LIKE.fullmatch(lexeme.text):
            self.reading.stop(
                "E-SYNTAX",
                f"after NEAR/ comes a whole number, and f where the order counts, not {lexeme.text!r}",
                lexeme.start,
                lexeme.end,
                "NEAR/5 or NEAR/5f",
            )
        return None

    # unary, postfix ------------------------------------------------------------------------------------------------

    def at_negation(self) -> bool:
        lexeme = self.now
        return lexeme.kind == "word" and (lexeme.text == "NOT" or self.glued_minus(lexeme))

    def glued_minus(self, lexeme: Lexeme) -> bool:
        if not lexeme.text.startswith("-"):
            return False
        after_bracket = self.at > 0 and self.lexemes[self.at - 1].kind == "("
        if len(lexeme.text) == 1:
            follower = self.lexemes[self.at + 1]
            return (
                (lexeme.after_blank or after_bracket)
                and not follower.after_blank
                and follower.kind in ("phrase", "cased", "(")
            )
        return lexeme.after_blank or after_bracket

    def unary(self, level: _Level, joint: str) -> Node:
        start, first = self.now.start, self.at
        negative = self.at_negation()
        if negative:
            self.skip_negation()
            if self.at_negation():
                self.reading.stop(
                    "E-SYNTAX", "NOT stands twice in a row", self.now.start, self.now.end, "take one away"
                )
        node = self.postfix()
        end = self.lexemes[self.at - 1].end
        piece = self.reading.text[start:end] if self.at > first else ""
        level.pieces.append((joint, piece, negative))
        return Not(node, Source(start, end)) if negative else node

    def skip_negation(self) -> None:
        lexeme = self.now
        if lexeme.text == "NOT" or len(lexeme.text) == 1:
            self.next()
            return
        self.lexemes[self.at] = Lexeme("word", lexeme.text[1:], lexeme.start + 1, lexeme.end, False)

    def postfix(self) -> Node:
        node = self.primary()
        if self.now.kind == "~" and not self.now.after_blank:
            node = self.windowed(node)
        if self.now.kind == "^" and not self.now.after_blank:
            self.next()
            node = Weighted(node, self.glued_number("^"), Source(node.source.start, self.lexemes[self.at - 1].end))
        return node

    def windowed(self, node: Node) -> Node:
        tilde = self.next()
        if isinstance(node, Similar):
            return self.similar_threshold(node)
        slack = self.glued_number("~")
        source = Source(node.source.start, self.lexemes[self.at - 1].end)
        inner = bare(node)
        if (
            isinstance(inner, Field)
            and inner.name in ("title", "text")
            and not isinstance(inner.value, Range | Comparison)
        ):
            return Field(inner.name, self.window(inner.value, slack, source, tilde), source)
        if isinstance(inner, Field) and not isinstance(inner.value, Range | Comparison):
            self.reading.warn("W-DISTANCE", "~ does nothing here", tilde.start, source.end)
            return node
        return self.window(node, slack, source, tilde)

    def window(self, node: Node, slack: int, source: Source, tilde: Lexeme) -> Node:
        terms = window_terms(node)
        for term in terms:
            self.want_place(term, "~")
        only = bare(terms[0])
        words = query_tokens(only.text) if len(terms) == 1 and isinstance(only, Word | Phrase | Cased) else terms
        if len(words) > JOINED:
            self.reading.error("E-LENGTH", f"~ takes {JOINED} words at most", source.start, source.end)
        if len(terms) == 1 and self.single(terms[0]):
            self.reading.warn(
                "W-DISTANCE", f"~{slack} does nothing on a single term", tilde.start, source.end, f'"two words"~{slack}'
            )
        return Window(node, slack, source)

    @staticmethod
    def single(term: Node) -> bool:
        term = bare(term)
        return not isinstance(term, Word | Phrase | Cased) or len(query_tokens(term.text)) < 2

    def similar_threshold(self, node: Similar) -> Node:
        following = self.now
        if following.after_blank or not _DECIMAL.fullmatch(following.text) or float(following.text) > 1:
            self.reading.stop(
                "E-TILDE",
                'after similar:"…"~ comes a likeness from 0 to 1',
                following.start,
                following.end,
                f'similar:"{node.text}"~0.8',
            )
        self.next()
        return Similar(node.text, float(following.text), Source(node.source.start, following.end))

    def glued_number(self, sign: str) -> int:
        lexeme = self.now
        if lexeme.kind != "word" or lexeme.after_blank or not _INT.fullmatch(lexeme.text):
            self.reading.stop(
                "E-TILDE",
                f"after {sign} comes a whole number, without a blank",
                lexeme.start,
                max(lexeme.end, lexeme.start + 1),
                f'"two words"{sign}3',
            )
        self.next()
        return int(lexeme.text)

    # primary -------------------------------------------------------------------------------------------------------

    def primary(self) -> Node:
        lexeme = self.now
        if lexeme.kind == "(":
            return self.bracket()
        if lexeme.kind == "phrase":
            self.next()
            return self.checked_term(Phrase(lexeme.text, Source(lexeme.start, lexeme.end)))
        if lexeme.kind == "cased":
            self.next()
            return self.checked_term(Cased(lexeme.text, Source(lexeme.start, lexeme.end)))
        if lexeme.kind != "word" or _joint(lexeme):
            self.unexpected()
        return self.word(lexeme)

    def bracket(self) -> Node:
        opening = self.next()
        if self.now.kind == ")":
            self.reading.stop("E-EMPTY", "there is nothing between the brackets", opening.start, self.now.end)
        node = self.expression()
        if self.now.kind == "end":
            self.reading.stop(
                "E-BRACKET", "this bracket is never closed", opening.start, opening.end, "close it with )"
            )
        if self.now.kind != ")":
            self.unexpected()
        self.next()
        return node

    def word(self, lexeme: Lexeme) -> Node:
        follower = self.lexemes[self.at + 1]
        opens = follower.kind == "(" and not follower.after_blank
        if opens and lexeme.text == "SENTENCE":
            return self.sentence(lexeme)
        if opens and lexeme.text.startswith("ATLEAST/"):
            return self.at_least(lexeme)
        if lexeme.text.startswith(":") and self.follows_a_word(lexeme):
            name = self.lexemes[self.at - 1].text
            value = lexeme.text[1:]
            self.reading.stop(
                "E-FIELD",
                "a field's colon stands right after its name, without a blank",
                lexeme.start,
                lexeme.start + 1,
                f"{name}:{value}",
            )
        if lexeme.text.startswith("-") and not lexeme.after_blank:
            self.reading.stop(
                "E-SYNTAX",
                "a hyphen that excludes stands after a blank, and one that is meant stands in quotes",
                lexeme.start,
                lexeme.end,
                f" {lexeme.text}",
            )
        named = _NAME.fullmatch(lexeme.text)
        if named:
            spec = fields.field_named(named.group(1), self.vocabulary)
            if spec is not None:
                return self.field(lexeme, spec)
            self.unknown_field(lexeme, named.group(1), named.group(2), follower)
        self.next()
        return self.checked_term(Word(lexeme.text, Source(lexeme.start, lexeme.end)))

    def follows_a_word(self, lexeme: Lexeme) -> bool:
        """Whether a blank and before it a word stand before the lexeme."""
        if not lexeme.after_blank or self.at == 0:
            return False
        before = self.lexemes[self.at - 1]
        return before.kind == "word" and not _joint(before) and before.text != "NOT"

    def unknown_field(self, lexeme: Lexeme, name: str, rest: str, follower: Lexeme) -> None:
        if name not in self.nearest:
            self.nearest[name] = fields.nearest_field(name, self.vocabulary)
        near = self.nearest[name]
        if not rest and (follower.kind in ("end", ")") or _joint(follower)):
            self.reading.stop(
                "E-FIELD",
                f"{name}: has no value, and is no field of this language",
                lexeme.start,
                lexeme.end,
                f"{near}:…",
            )
        if looks_like_address(name, rest) or self.within is not None:
            return
        self.reading.warn(
            "W-FIELD",
            f"there is no field {name}: – the word is taken as text; the nearest field is {near}:",
            lexeme.start,
            lexeme.end,
            f"{near}:{rest}",
        )

    def sentence(self, lexeme: Lexeme) -> Node:
        self.next()
        before, self.quiet = self.quiet, True
        node = self.bracket()
        self.quiet = before
        for below in walk(node):
            linked = isinstance(below, Word | Phrase | Cased) and not query_tokens(below.text)
            if (
                linked
                or isinstance(below, Similar | Sentence | AtLeast)
                or (isinstance(below, Field) and below.name not in ("title", "text"))
            ):
                self.reading.error(
                    "E-NEAR",
                    "SENTENCE looks at words only: take this term out of its brackets",
                    below.source.start,
                    below.source.end,
                )
        return Sentence(node, Source(lexeme.start, self.lexemes[self.at - 1].end))

    def at_least(self, lexeme: Lexeme) -> Node:
        found = _AT_LEAST.fullmatch(lexeme.text)
        if not found or int(found.group(1)) < 1:
            self.reading.stop(
                "E-SYNTAX", "ATLEAST/ needs a whole number from 1 up", lexeme.start, lexeme.end, "ATLEAST/2(refund)"
            )
        self.next()
        node = self.bracket()
        self.want_place(node, "ATLEAST")
        return AtLeast(int(found.group(1)), node, Source(lexeme.start, self.lexemes[self.at - 1].end))

    # fields --------------------------------------------------------------------------------------------------------

    def field(self, lexeme: Lexeme, spec: FieldSpec) -> Node:
        name_end = lexeme.start + len(spec.name) + 1
        if self.within is not None:
            self.reading.error("E-FIELD", f"a field cannot stand inside {self.within.name}:", lexeme.start, name_end)
        if spec.known is Known.DESK and self.reading.stage != "desk":
            where = (
                "a monitor's query is evaluated while posts arrive"
                if self.reading.stage == "monitor"
                else "a search looks through posts"
            )
            self.reading.error(
                "E-STAGE",
                f"{spec.name}: is known on the desk only, and {where}:"
                " it belongs in a routing rule, a segment or a filter of cases",
                lexeme.start,
                name_end,
            )
        rest = lexeme.text[len(spec.name) + 1 :]
        if rest:
            self.lexemes[self.at] = Lexeme("word", rest, name_end, lexeme.end, False)
        else:
            self.next()
            if self.now.kind in ("end", ")", "~", "^") or _joint(self.now):
                self.reading.stop(
                    "E-FIELD", f"{spec.name}: needs a value after the colon", lexeme.start, lexeme.end, _example(spec)
                )
        before, self.within = self.within, spec
        node = self.field_value(lexeme.start, spec)
        self.within = before
        return node

    def field_value(self, start: int, spec: FieldSpec) -> Node:
        lexeme = self.now
        if lexeme.kind == "(":
            value: Node | Range | Comparison = self.bracket()
        elif lexeme.kind == "range":
            self.next()
            value = self.range(spec, lexeme)
        elif (
            lexeme.kind == "word"
            and spec.takes in (Takes.NUMBER, Takes.RANGE)
            and (found := _COMPARISON.fullmatch(lexeme.text))
        ):
            self.next()
            value = Comparison(
                found.group(1), self.number(spec, found.group(2), lexeme), Source(lexeme.start, lexeme.end)
            )
        elif lexeme.kind == "phrase":
            self.next()
            value = Phrase(lexeme.text, Source(lexeme.start, lexeme.end))
        elif lexeme.kind == "cased":
            self.next()
            value = Cased(lexeme.text, Source(lexeme.start, lexeme.end))
        else:
            self.next()
            value = Word(lexeme.text, Source(lexeme.start, lexeme.end))
        source = Source(start, self.lexemes[self.at - 1].end)
        if spec.takes is Takes.MEANING:
            return self.similar(value, source)
        if isinstance(value, Word | Phrase | Cased):
            value = self.checked_value(spec, value) if lexeme.kind != "(" else value
        elif not isinstance(value, Range | Comparison) and spec.takes is not Takes.TEXT:
            self.only_boolean(spec, value)
        return Field(spec.name, value, source)

    def similar(self, value: Node | Range | Comparison, source: Source) -> Node:
        if not isinstance(value, Phrase | Word) or not value.text.strip():
            self.reading.error(
                "E-VALUE", "similar: takes a text in quotes", source.start, source.end, 'similar:"the app is slow"~0.8'
            )
            return Similar("", None, source)
        return Similar(value.text, None, source)

    def only_boolean(self, spec: FieldSpec, value: Node) -> None:
        for below in walk(value):
            if not isinstance(below, Word | Phrase | Cased | And | Or | Not):
                self.reading.error(
                    "E-FIELD",
                    f"{spec.name}: takes values joined by OR, AND or NOT",
                    below.source.start,
                    below.source.end,
                )

    def checked_value(self, spec: FieldSpec, value: Word | Phrase | Cased) -> Node:
        """The value, with an error noted where the field does not take it."""
        source = value.source
        if spec.takes is Takes.TEXT:
            return self.checked_term(value)
        try:
            self.try_value(spec, value.text.strip(), source)
        except BadValue as bad:
            fix = f"{spec.name}:{bad.fix}" if bad.fix and not bad.fix.startswith(spec.name) else bad.fix
            self.reading.error("E-VALUE", bad.message, source.start, source.end, fix)
        return value

    def try_value(self, spec: FieldSpec, text: str, source: Source) -> None:
        match spec.takes:
            case Takes.ONE_OF:
                fields.read_choice(spec, text)
            case Takes.TRUTH:
                fields.read_truth(spec, text)
            case Takes.NUMBER:
                fields.read_number(spec, text)
            case Takes.RANGE:
                raise BadValue(f"{spec.name}: takes a range", _example(spec))
            case Takes.ENTITY:
                fields.read_entity(spec, text)
            case Takes.TIME:
                fields.read_time(spec, text)
            case Takes.LANGUAGE:
                code, exact = fields.read_language(spec, text)
                if not exact:
                    self.reading.warn(
                        "W-LANGUAGE", f"{text} is understood as {code}", source.start, source.end, f"language:{code}"
                    )
            case Takes.WORDS:
                if not (found := query_tokens(text)):
                    raise BadValue(f"{spec.name}: needs a word to look for")
                self.check_wildcards(Word(text, source), found)
            case _:
                if not text.strip("*?@# "):
                    raise BadValue(f"{spec.name}: needs a value after the colon")

    def number(self, spec: FieldSpec, text: str, lexeme: Lexeme) -> float:
        try:
            return fields.read_number(spec, text)
        except BadValue as bad:
            self.reading.error("E-VALUE", bad.message, lexeme.start, lexeme.end, bad.fix)
            return 0.0

    def range(self, spec: FieldSpec, lexeme: Lexeme) -> Range:
        source = Source(lexeme.start, lexeme.end)
        if spec.takes not in (Takes.NUMBER, Takes.RANGE):
            self.reading.error("E-VALUE", f"{spec.name}: takes no range", source.start, source.end, _example(spec))
            return Range(0, 0, source)
        found = _RANGE.fullmatch(lexeme.text)
        if not found:
            fix = re.sub(r"\s+to\s+", " TO ", lexeme.text, flags=re.IGNORECASE)
            usable = f"{spec.name}:[{fix}]" if _RANGE.fullmatch(fix) else _example(spec)
            self.reading.error(
                "E-VALUE", "a range is [low TO high], with TO in capitals", source.start, source.end, usable
            )
            return Range(0, 0, source)
        try:
            low, high = fields.check_range(spec, found.group(1), found.group(2))
        except BadValue as bad:
            self.reading.error("E-VALUE", bad.message, source.start, source.end, bad.fix)
            return Range(0, 0, source)
        return Range(low, high, source)

    # terms ---------------------------------------------------------------------------------------------------------

    def checked_term(self, term: Word | Phrase | Cased) -> Node:
        """The term, with errors and warnings about it noted."""
        if self.within is not None and self.within.takes is not Takes.TEXT:
            if self.within.takes is Takes.MEANING:
                return term
            return self.checked_value(self.within, term)
        tokens = query_tokens(term.text)
        start, end = term.source.start, term.source.end
        if not tokens and not links_in(term.text):
            self.reading.error("E-EMPTY", "there is no letter, digit or emoji to look for here", start, end)
        elif "*" in term.text or "?" in term.text:
            self.check_wildcards(term, tokens)
        return term

    def check_wildcards(self, term: Word | Phrase | Cased, tokens: tuple[str, ...]) -> None:
        start, end = term.source.start, term.source.end
        if isinstance(term, Cased):
            self.reading.error("E-WILDCARD", "braces compare letter by letter and hold no wildcards", start, end)
            return
        for position, token in enumerate(tokens):
            first = min((at for at in (token.find(ANY), token.find(ONE)) if at >= 0), default=-1)
            if first < 0:
                continue
            signed = token[0] in "#@"
            before = first - (1 if token[0] in "#@$" else 0)
            literals = sum(1 for character in token if character not in (ANY, ONE)) - (1 if signed else 0)
            if signed and before == 0 and literals >= 1:
                self.reading.warn(
                    "W-WILDCARD", "a wildcard right after the sign looks at every tag or name: slow", start, end
                )
            elif before == 0 and not signed and position > 0 and token == ANY and _ideographic(tokens[position - 1]):
                self.reading.warn(
                    "W-WILDCARD",
                    "* does nothing after Chinese, Japanese or Thai: longer words are found anyway",
                    start,
                    end,
                )
            elif before == 0:
                self.reading.error("E-WILDCARD", "a wildcard cannot stand first in a word", start, end)
            elif before < 2 and literals - before < 3 and position == 0:
                self.reading.error("E-WILDCARD", "a wildcard needs at least two characters before it", start, end)
            elif before < 2 and literals - before < 3 and isinstance(term, Phrase):
                self.reading.error(
                    "E-WILDCARD", "a wildcard needs at least two characters before it in its word", start, end
                )

    def want_place(self, node: Node, operator: str) -> None:
        """Note an error where a part of the node has no span in the text."""
        blocked = _placeless(node)
        if blocked is None:
            return
        text = self.reading.text[blocked.source.start : blocked.source.end]
        if isinstance(blocked, And):
            message = f"{operator} needs words, phrases or OR groups; an AND inside has no single place in the text"
        elif isinstance(blocked, Not):
            message = f"{operator} needs words, phrases or OR groups; what is not there has no place in the text"
        else:
            message = f"{operator} needs words, phrases or OR groups; {text!r} has no place in the text"
        self.reading.error(
            "E-NEAR", message, blocked.source.start, blocked.source.end, "join it by AND, outside of the brackets"
        )

    # mixtures ------------------------------------------------------------------------------------------------------

    def refuse_mixture(self, level: _Level) -> None:
        joints = [joint for joint, _, _ in level.pieces[1:]]
        nears = {joint for joint in joints if joint not in ("AND", "OR")}
        has_and = joins_two_wanted(level.pieces)
        has_or = "OR" in joints
        if has_and and (has_or or nears):
            what = "AND and OR" if has_or else "AND and NEAR"
        elif len(nears) > 1:
            what = "different NEARs"
        else:
            return
        forms = bracketed_forms(level.pieces)
        listed = " or ".join(forms)
        self.reading.error(
            "E-MIX",
            f"{what} stand on one level: say with brackets which belong together: {listed}",
            level.start,
            level.end,
            forms[0],
        )


def _joint(lexeme: Lexeme) -> bool:
    """Whether the lexeme joins two operands: AND, OR or a NEAR."""
    return lexeme.kind == "word" and (
        lexeme.text in ("AND", "OR") or bool(_NEAR.fullmatch(lexeme.text) or _NEAR_LIKE.fullmatch(lexeme.text))
    )


def _near_text(near: tuple[int, bool]) -> str:
    return f"NEAR/{near[0]}{'f' if near[1] else ''}"


def _span(nodes: list[Node]) -> Source:
    return Source(nodes[0].source.start, nodes[-1].source.end)


def _negative(node: Node) -> bool:
    """Whether the node only says what is not wanted."""
    node = bare(node)
    if isinstance(node, And | Or):
        return all(_negative(operand) for operand in node.operands)
    return isinstance(node, Not)


def _ideographic(token: str) -> bool:
    return len(token) == 1 and ord(token) > 0xDFF


def window_terms(node: Node) -> tuple[Node, ...]:
    """The terms of `(group)~n`: the operands of the group, whatever joins them; of a single term, itself."""
    node = bare(node)
    return node.operands if isinstance(node, And | Or) else (node,)


def _placeless(node: Node) -> Node | None:
    """The first part of the node that has no span in the text, if there is one."""
    node = bare(node)
    if isinstance(node, Word | Phrase | Cased):
        return None if query_tokens(node.text) else node
    if isinstance(node, Or | Near):
        return next((found for operand in node.operands if (found := _placeless(operand)) is not None), None)
    if isinstance(node, Window):
        return next(
            (found for operand in window_terms(node.operand) if (found := _placeless(operand)) is not None), None
        )
    if isinstance(node, Field) and node.name in ("title", "text") and not isinstance(node.value, Range | Comparison):
        return _placeless(node.value)
    return node


def looks_like_address(name: str, rest: str) -> bool:
    """Whether `name:rest` is an address rather than a mistyped field."""
    return name.casefold() in _ADDRESS_NAMES or rest.startswith("//") or (bool(rest) and "/" in rest and "." in rest)


def _example(spec: FieldSpec) -> str:
    match spec.takes:
        case Takes.RANGE:
            low = 0 if spec.low == float("-inf") else spec.low
            high = 1000 if spec.high == float("inf") else spec.high
            return f"{spec.name}:[{low:g} TO {high:g}]"
        case Takes.NUMBER:
            return f"{spec.name}:>=3"
        case Takes.TRUTH:
            return f"{spec.name}:true"
        case Takes.ONE_OF:
            return f"{spec.name}:{spec.choices[0] if spec.choices else 'link'}"
        case Takes.TIME:
            return f"{spec.name}:2026-01-31"
        case Takes.LANGUAGE:
            return f"{spec.name}:en"
        case _:
            return f"{spec.name}:…"
