"""The process that fits: labels as JSON on its input, progress and outcome as lines of JSON, the model in a file."""

import json
import os
import sys
from pathlib import Path

from talkworthy.analysis.training.adapting import Labelled, TooFewLabels, adapt
from talkworthy.analysis.training.packing import packed

NICENESS = 10


def main(target: Path) -> None:
    """Fit what stands on the input."""
    os.nice(NICENESS)
    asked = json.load(sys.stdin)
    labels = [Labelled(text, value, drawn) for text, value, drawn in asked["labels"]]
    try:
        found = adapt(asked["task"], labels, told=lambda done, total: _say({"done": done, "total": total}))
    except TooFewLabels as error:
        _say({"few": {"found": error.found, "needed": error.needed}})
        return
    target.write_bytes(packed(found.arrays))
    _say({"thresholds": dict(found.thresholds), "comparison": found.comparison.as_json(), "fitted": found.fitted})


def _say(line: dict[str, object]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
