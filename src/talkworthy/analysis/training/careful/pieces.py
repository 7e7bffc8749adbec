"""The tokenizer for SentencePiece, which reads texts at run time: the same pieces, scores and letters' folding."""

import base64
import json
from typing import Any

from sentencepiece import sentencepiece_model_pb2 as protocol

SPECIAL = ("<s>", "<pad>", "</s>", "<unk>")
NORMAL, UNKNOWN, CONTROL = 1, 2, 3
UNIGRAM = 1


def sentencepiece_of(tokenizer: str) -> bytes:
    """A SentencePiece model whose numbers are those of the tokenizer, given as its JSON."""
    held = json.loads(tokenizer)
    model: Any = vars(protocol)["ModelProto"]()  # its members are made when it is loaded
    for number, (piece, score) in enumerate(held["model"]["vocab"]):
        kind = UNKNOWN if piece == "<unk>" else CONTROL
        model.pieces.add(piece=piece, score=score, type=kind if number < len(SPECIAL) else NORMAL)
    trained = model.trainer_spec
    trained.model_type = UNIGRAM
    trained.vocab_size = len(model.pieces)
    trained.bos_id, trained.pad_id, trained.eos_id, trained.unk_id = range(len(SPECIAL))
    trained.bos_piece, trained.pad_piece, trained.eos_piece, trained.unk_piece = SPECIAL
    normal = model.normalizer_spec
    normal.name = "nmt_nfkc"
    normal.precompiled_charsmap = base64.b64decode(held["normalizer"]["normalizers"][0]["precompiled_charsmap"])
    normal.add_dummy_prefix = normal.remove_extra_whitespaces = normal.escape_whitespaces = True
    return bytes(model.SerializeToString())
