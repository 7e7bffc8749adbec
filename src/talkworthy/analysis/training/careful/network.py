"""The network in PyTorch: one encoder, and for each task a head on the mean of its last layer."""

import math
from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from talkworthy.analysis.training.careful.base import Base, Floats

HEADS = 12


class Layer(nn.Module):
    """Attention and a wider middle, each added to what came in and scaled."""

    def __init__(self, width: int, middle: int, dropout: float) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.attended = nn.Linear(width, width)
        self.after_attention = nn.LayerNorm(width, eps=1e-12)
        self.wider, self.narrower = nn.Linear(width, middle), nn.Linear(middle, width)
        self.after_middle = nn.LayerNorm(width, eps=1e-12)
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """The next hidden state; `mask` is added to the scores of attention."""
        rows, length, width = hidden.shape
        query, key, value = (
            part(hidden).view(rows, length, HEADS, width // HEADS).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(-1, -2) / math.sqrt(width // HEADS) + mask
        mixed = (functional.softmax(scores, dim=-1) @ value).transpose(1, 2).reshape(rows, length, width)
        hidden = self.after_attention(hidden + self.dropout(self.attended(mixed)))
        return cast(
            Tensor,
            self.after_middle(hidden + self.dropout(self.narrower(functional.gelu(self.wider(hidden))))),
        )


class Encoder(nn.Module):
    """Pieces in, one vector a text out: the mean of the last layer over the pieces that are there."""

    def __init__(self, base: Base, dropout: float = 0.1) -> None:
        super().__init__()
        words, places = base.weights["emb.word"], base.weights["emb.pos"]
        width = words.shape[1]
        self.words = nn.Embedding(*words.shape, padding_idx=1)
        self.places = nn.Embedding(len(places), width)
        self.after_words = nn.LayerNorm(width, eps=1e-12)
        self.layers = nn.ModuleList(Layer(width, 4 * width, dropout) for _ in range(base.layers))
        self.load_state_dict({name: torch.from_numpy(value) for name, value in _named(base).items()})
        self.still = 0

    def keep_still(self, layers: int) -> None:
        """Leave the words and the lowest layers as they are: no gradient and no dropout below."""
        self.still = layers

    def forward(self, pieces: Tensor) -> Tensor:
        """`pieces` is padded with 1."""
        there = pieces != 1
        mask = (~there)[:, None, None, :].to(self.after_words.weight.dtype) * -1e4
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.still):
            hidden = self.after_words(self.words(pieces) + self.places.weight[: pieces.shape[1]])
            for layer in self.layers[: self.still]:
                hidden = layer.eval()(hidden, mask)
        for layer in self.layers[self.still :]:
            hidden = layer(hidden, mask)
        weight = there[:, :, None].to(hidden.dtype)
        return cast(Tensor, (hidden * weight).sum(1) / weight.sum(1))


class Network(nn.Module):
    """The encoder and a linear head for each task, by name and number of outputs."""

    def __init__(self, base: Base, outputs: Mapping[str, int], dropout: float = 0.1) -> None:
        super().__init__()
        self.encoder = Encoder(base, dropout)
        width = base.weights["emb.word"].shape[1]
        self.heads = nn.ModuleDict({name: nn.Linear(width, size) for name, size in outputs.items()})
        self.dropout = nn.Dropout(dropout)
        for head in self.heads.values():
            nn.init.normal_(cast(nn.Linear, head).weight, std=0.02)
            nn.init.zeros_(cast(nn.Linear, head).bias)

    def forward(self, pieces: Tensor) -> dict[str, Tensor]:
        """Raw outputs of every head."""
        read = self.dropout(self.encoder(pieces))
        return {name: head(read) for name, head in self.heads.items()}


_PARTS = {
    "query": "q",
    "key": "k",
    "value": "v",
    "attended": "ao",
    "after_attention": "aln",
    "wider": "fi",
    "narrower": "fo",
    "after_middle": "oln",
}


def _named(base: Base) -> dict[str, Floats]:
    """The base's weights under the names of the network; the type of a text is one for all and added to places."""
    held = base.weights
    width = held["emb.word"].shape[1]
    found = {
        "words.weight": held["emb.word"],
        "places.weight": held["emb.pos"] + held["emb.type"].reshape(-1, width)[0],
        "after_words.weight": held["emb.ln.w"],
        "after_words.bias": held["emb.ln.b"],
    }
    for number in range(base.layers):
        for name, short in _PARTS.items():
            weight = held[f"l{number}.{short}.w"]
            bias = held[f"l{number}.{short}.b"]
            found[f"layers.{number}.{name}.weight"] = weight if "ln" in short else weight.reshape(len(bias), -1)
            found[f"layers.{number}.{name}.bias"] = bias
    return found
