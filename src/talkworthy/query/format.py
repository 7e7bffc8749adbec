"""A query's tree as text again: AND written out, brackets where levels meet, fields in their own spelling."""

from decimal import Decimal

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
    Weighted,
    Window,
    Word,
)

WIDTH = 100


def format_query(query: Query) -> str:
    """The query in one spelling: one line, or one line an operand where it would be long. Comments are not kept."""
    line = _text(query.root)
    if len(line) <= WIDTH or not isinstance(query.root, And | Or):
        return line
    return _joined(query.root, "\n")


def piece(node: Node) -> str:
    """One part of a query as text."""
    return _text(node)


def _text(node: Node) -> str:
    match node:
        case Word():
            return node.text
        case Phrase():
            return f'"{node.text}"'
        case Cased():
            return f"{{{node.text}}}"
        case Field():
            return f"{node.name}:{_value(node.value)}"
        case Similar():
            threshold = "" if node.threshold is None else f"~{_number(node.threshold)}"
            return f'similar:"{node.text}"{threshold}'
        case Not():
            return f"NOT {_operand(node.operand)}"
        case And() | Or():
            return _joined(node, " ")
        case Near():
            joint = f" NEAR/{node.distance}{'f' if node.forward else ''} "
            return joint.join(_operand(operand) for operand in node.operands)
        case Window():
            return f"{_primary(node.operand)}~{node.slack}"
        case Weighted():
            return f"{_primary(node.operand, tilde=True)}^{node.weight}"
        case AtLeast():
            return f"ATLEAST/{node.count}({_text(node.operand)})"
        case Sentence():
            return f"SENTENCE({_text(node.operand)})"


def _joined(node: And | Or, between: str) -> str:
    joint = "AND " if isinstance(node, And) else "OR "
    parts = [_operand(node.operands[0])]
    for operand in node.operands[1:]:
        implied = isinstance(node, And) and isinstance(operand, Not)
        parts.append(("" if implied else joint) + _operand(operand))
    return between.join(parts)


def _operand(node: Node) -> str:
    if isinstance(node, Not):
        return f"NOT {_operand(node.operand) if not isinstance(node.operand, Not) else f'({_text(node.operand)})'}"
    return f"({_text(node)})" if isinstance(node, And | Or | Near) else _text(node)


def _primary(node: Node, *, tilde: bool = False) -> str:
    """A node that ~ or ^ may follow; only ^ may follow a ~."""
    alone = isinstance(node, Word | Phrase | Cased | Field | Similar | AtLeast | Sentence) or (
        tilde and isinstance(node, Window)
    )
    return _text(node) if alone else f"({_text(node)})"


def _value(value: Node | Range | Comparison) -> str:
    if isinstance(value, Range):
        return f"[{_number(value.low)} TO {_number(value.high)}]"
    if isinstance(value, Comparison):
        return f"{value.operator}{_number(value.number)}"
    return _text(value) if isinstance(value, Word | Phrase | Cased) else f"({_text(value)})"


def _number(number: float) -> str:
    return str(int(number)) if number.is_integer() else format(Decimal(repr(number)), "f")
