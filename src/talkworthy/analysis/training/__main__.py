"""`python -m talkworthy.analysis.training [--kept FOLDER] TASK… DATA OUT`, or `… cards PAGE`."""

import sys
from pathlib import Path

from talkworthy.analysis.registry import models
from talkworthy.analysis.training import CAREFUL, TRAINED, train
from talkworthy.analysis.training.cards import replaced

USAGE = f"""usage: python -m talkworthy.analysis.training [--kept FOLDER] all|{"|".join((*TRAINED, *CAREFUL))}… DATA OUT
       python -m talkworthy.analysis.training cards PAGE"""


def main(arguments: list[str]) -> int:
    """Train the named models, or write the cards into a page; 2 where the arguments are not understood."""
    if len(arguments) == 2 and arguments[0] == "cards":
        page = Path(arguments[1])
        page.write_text(replaced(page.read_text(encoding="utf-8"), models().values()), encoding="utf-8")
        return 0
    kept = None
    if arguments[:1] == ["--kept"] and len(arguments) > 1:
        kept, arguments = Path(arguments[1]), arguments[2:]
    if len(arguments) < 3 or not set(arguments[:-2]) <= {"all", *TRAINED, *CAREFUL}:
        sys.stderr.write(f"{USAGE}\n")
        return 2
    for name in arguments[:-2]:
        train(name, Path(arguments[-2]), Path(arguments[-1]), kept=kept)
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()
    return 0


sys.exit(main(sys.argv[1:]))
