"""The one loader of model files: what each is, what it was made from, and how well it does.

`models/models.json` lists the files of this folder; a file that differs from its listed sum is refused.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = Mapping[str, npt.NDArray[Any]]


class UnknownModel(LookupError):
    """No model of this name is listed; `known` says which are."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no model named {name!r}; there are {', '.join(known)}")
        self.name, self.known = name, known


class DamagedModel(ValueError):
    """A model file is not the one that was listed; install the package anew."""


@dataclass(frozen=True)
class Score:
    """One measured figure: on which rows, which measure, its value in percent, and how many rows."""

    data: str
    measure: str
    value: float
    n: int


@dataclass(frozen=True)
class Model:
    """A model and its card. `labels` are its answers in the order of its outputs; one label means yes or no."""

    name: str
    version: str
    task: str
    purpose: str
    labels: tuple[str, ...]
    licence: str
    trained_on: tuple[str, ...]
    scores: tuple[Score, ...]
    failures: str
    file: str
    sha256: str
    threshold: float
    undecided_below: float

    @property
    def title(self) -> str:
        """Name and version, as annotations and reasons cite it."""
        return f"{self.name} {self.version}"

    def arrays(self) -> Arrays:
        """The numbers of the model, read and checked each time; callers keep what they make of them."""
        content = (resources.files(__package__) / "models" / self.file).read_bytes()
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise DamagedModel(f"models/{self.file} is not the file that models.json lists; install talkworthy anew")
        return arrays_in(content)


def arrays_in(content: bytes) -> Arrays:
    """The arrays of a model file; objects are refused."""
    with np.load(BytesIO(content), allow_pickle=False) as held:
        return {name: held[name] for name in held.files}


@cache
def models() -> Mapping[str, Model]:
    """All models by name."""
    listed = json.loads((resources.files(__package__) / "models" / "models.json").read_text(encoding="utf-8"))
    return {entry["name"]: read_card(entry) for entry in listed}


def read_card(entry: Mapping[str, Any]) -> Model:
    """A model from its entry in the list; an entry that lacks a field, or has one too many, raises TypeError."""
    scores = tuple(Score(**score) for score in entry["scores"])
    listed = {"labels": tuple(entry["labels"]), "trained_on": tuple(entry["trained_on"]), "scores": scores}
    return Model(**{**entry, **listed})


def model(name: str) -> Model:
    """The model of a name; UnknownModel where there is none."""
    known = models()
    if name not in known:
        raise UnknownModel(name, tuple(known))
    return known[name]
