"""Operators that may not stand on one bracket level, and the ways to bracket them."""

from collections.abc import Callable

Piece = tuple[str, str, bool]
"""One operand of a level: the joint before it, its text, whether it is excluded."""


def joins_two_wanted(pieces: list[Piece]) -> bool:
    """Whether an AND joins two terms that are both wanted; a NOT beside a term is no such AND."""
    wanted = 0
    for joint, _, negative in pieces:
        if joint in ("", "OR"):
            wanted = 0
        if joint in ("", "OR", "AND") and not negative:
            wanted += 1
        if wanted > 1:
            return True
    return False


def bracketed_forms(pieces: list[Piece]) -> list[str]:
    """The query level with brackets: first as NOT > NEAR > AND > OR reads it, then the other way round."""
    joints = [joint for joint, _, _ in pieces[1:]]
    nears = [joint for joint in joints if joint not in ("AND", "OR")]
    texts = [text for _, text, _ in pieces]
    if len(set(nears)) > 1 and "AND" not in joints and "OR" not in joints:
        return [_folded_left(texts, joints), _folded_right(texts, joints)]
    if nears:
        texts, joints = _grouped(texts, joints, lambda joint: joint not in ("AND", "OR"))
    if "AND" not in joints or "OR" not in joints:
        return [_joined(texts, joints)]
    tight = _joined(*_grouped(texts, joints, lambda joint: joint == "AND"))
    loose = _joined(*_grouped(texts, joints, lambda joint: joint == "OR"))
    return [tight, loose]


def _grouped(texts: list[str], joints: list[str], binds: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """Runs whose joints bind, put in brackets."""
    groups: list[tuple[list[str], list[str]]] = [([texts[0]], [])]
    outer: list[str] = []
    for joint, text in zip(joints, texts[1:], strict=True):
        if binds(joint):
            groups[-1][0].append(text)
            groups[-1][1].append(joint)
        else:
            outer.append(joint)
            groups.append(([text], []))
    return [_bracketed(group, inner) for group, inner in groups], outer


def _bracketed(texts: list[str], joints: list[str]) -> str:
    if len({joint for joint in joints if joint not in ("AND", "OR")}) > 1:
        return f"({_folded_left(texts, joints)})"
    return texts[0] if len(texts) == 1 else f"({_joined(texts, joints)})"


def _joined(texts: list[str], joints: list[str]) -> str:
    return " ".join([texts[0], *(f"{joint} {text}" for joint, text in zip(joints, texts[1:], strict=True))])


def _folded_left(texts: list[str], joints: list[str]) -> str:
    whole = texts[0]
    for place, (joint, text) in enumerate(zip(joints, texts[1:], strict=True)):
        whole = f"{whole} {joint} {text}" if place == len(joints) - 1 else f"({whole} {joint} {text})"
    return whole


def _folded_right(texts: list[str], joints: list[str]) -> str:
    whole = texts[-1]
    for place, (joint, text) in enumerate(zip(reversed(joints), reversed(texts[:-1]), strict=True)):
        whole = f"{text} {joint} {whole}" if place == len(joints) - 1 else f"({text} {joint} {whole})"
    return whole
