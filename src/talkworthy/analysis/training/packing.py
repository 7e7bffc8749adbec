"""Write a model file and its card into a folder of models."""

import hashlib
import json
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import numpy as np
import numpy.typing as npt


def packed(arrays: dict[str, npt.NDArray[Any]]) -> bytes:
    """Arrays as a compressed .npz whose bytes depend on nothing but the arrays (no file times)."""
    whole = BytesIO()
    with ZipFile(whole, "w", ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(arrays):
            part = BytesIO()
            np.lib.format.write_array(part, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            entry = ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = ZIP_DEFLATED
            archive.writestr(entry, part.getvalue())
    return whole.getvalue()


def save(folder: Path, card: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> int:
    """Write the file, and the card into models.json in place of one of the same name; the size in bytes."""
    content = packed(arrays)
    folder.mkdir(parents=True, exist_ok=True)
    file = f"{card['name']}.npz"
    (folder / file).write_bytes(content)
    listing = folder / "models.json"
    cards = json.loads(listing.read_text(encoding="utf-8")) if listing.exists() else []
    whole = {**card, "file": file, "sha256": hashlib.sha256(content).hexdigest()}
    kept = sorted(
        [*(held for held in cards if held["name"] != card["name"]), whole], key=lambda held: str(held["name"])
    )
    listing.write_text(json.dumps(kept, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return len(content)


def load(folder: Path, name: str) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """The card and the arrays that `save` wrote; LookupError where they are not there yet."""
    listing = folder / "models.json"
    cards = json.loads(listing.read_text(encoding="utf-8")) if listing.exists() else []
    for card in cards:
        if card["name"] == name:
            with np.load(folder / card["file"], allow_pickle=False) as held:
                return card, {part: held[part] for part in held.files}
    raise LookupError(f"{folder} has no model {name!r} yet: train it first")
