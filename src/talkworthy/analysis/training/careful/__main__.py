"""`python -m talkworthy.analysis.training.careful DATA BASE WORK MODELS [STEPS COOLING]`: train, and write the files.

BASE is a folder into which the two packages named in `base.py` were unpacked, WORK keeps checkpoints, MODELS holds
the fast models and gets the careful ones.
"""

import sys
from pathlib import Path

import torch

from talkworthy.analysis.careful import plain
from talkworthy.analysis.training.careful.base import read_base
from talkworthy.analysis.training.careful.examples import mixture, texts_for_pieces, watched
from talkworthy.analysis.training.careful.finishing import finish
from talkworthy.analysis.training.careful.fitting import Plan, fit

PIECES, LAYERS, PLACES = 28_000, 8, 130
THREADS = 2
STEPS, COOLING = 1_850, 350
WATCHED = 150


def main(arguments: list[str]) -> int:
    """Do all of it; 2 where the arguments are not understood."""
    if len(arguments) not in (4, 6):
        sys.stderr.write(f"{__doc__}\n")
        return 2
    data, packages, work, models = map(Path, arguments[:4])
    steps, cooling = map(int, arguments[4:]) if len(arguments) == 6 else (STEPS, COOLING)
    torch.set_num_threads(THREADS)
    work.mkdir(parents=True, exist_ok=True)
    texts = map(plain, texts_for_pieces(data))
    base = read_base(packages, texts, pieces=PIECES, layers=LAYERS, places=PLACES)
    plan = Plan(steps, cooling)
    network = fit(base, mixture(data, seed=plan.seed), plan, work, watched=watched(data, WATCHED))
    weights = {name: held.float().numpy() for name, held in network.state_dict().items()}
    for card in finish(base, weights, data, models):
        sys.stdout.write(f"{card['name']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
