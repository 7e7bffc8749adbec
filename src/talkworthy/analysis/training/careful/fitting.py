"""Fine-tune the network on all tasks at once. Seeded: the same data, steps and number of threads give the same weights.

The rate rises, stays, and falls at the end (`cooling` steps), so that a training may be cut short at any
checkpoint and cooled from there: run it again with fewer steps, and it goes on from the last checkpoint before
the fall.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional

from talkworthy.analysis.careful import LONGEST, LONGEST_REPORT, REPORTS, plain
from talkworthy.analysis.training.careful.base import Base
from talkworthy.analysis.training.careful.examples import OUTPUTS, Example, batches
from talkworthy.analysis.training.careful.network import Network

PADDING = 1
WATCHED_AT_ONCE = 64


@dataclass(frozen=True)
class Plan:
    """How it is trained."""

    steps: int
    cooling: int
    warming: int = 80
    batch: int = 48
    rate: float = 1.2e-4
    head_rate: float = 1e-3
    falling: float = 0.9  # the rate of a layer is this much of the one above it
    frozen: int = 3  # layers that stay as they are, with the words below them
    seed: int = 20
    kept_every: int = 100
    watched_every: int = 300


def encoded(tokenizer: Tokenizer, examples: Sequence[Example]) -> list[list[int]]:
    """Pieces of each example; reports are read further than posts."""
    found: list[list[int]] = [[] for _ in examples]
    for name in dict.fromkeys(held.task for held in examples):
        tokenizer.enable_truncation(LONGEST_REPORT if name in REPORTS else LONGEST, strategy="only_first")
        at = [place for place, held in enumerate(examples) if held.task == name]
        read = tokenizer.encode_batch(
            [
                (plain(examples[place].text), examples[place].target)
                if examples[place].target
                else plain(examples[place].text)
                for place in at
            ]
        )
        for place, held in zip(at, read, strict=True):
            found[place] = held.ids
    return found


def padded(pieces: Sequence[Sequence[int]]) -> Tensor:
    """Texts side by side, the shorter ones filled up."""
    longest = max(map(len, pieces))
    return torch.tensor([[*held, *([PADDING] * (longest - len(held)))] for held in pieces])


def rate_at(step: int, plan: Plan) -> float:
    """The share of the full rate at a step."""
    if step < plan.warming:
        return (step + 1) / plan.warming
    left = plan.steps - step
    return max(left / plan.cooling, 0.0) if left < plan.cooling else 1.0


def groups_of(network: Network, layers: int, plan: Plan) -> list[dict[str, object]]:
    """Weights with their rates: heads quick, layers slower the deeper they lie, the lowest not at all."""
    found: dict[float, list[nn.Parameter]] = {}
    for name, weight in network.named_parameters():
        layer = re.match(r"encoder\.layers\.(\d+)\.", name)
        if name.startswith("heads."):
            rate = plan.head_rate
        elif layer and int(layer.group(1)) >= plan.frozen:
            rate = plan.rate * plan.falling ** (layers - 1 - int(layer.group(1)))
        else:
            weight.requires_grad_(False)
            continue
        found.setdefault(rate, []).append(weight)
    return [{"params": held, "lr": rate, "full": rate} for rate, held in found.items()]


def loss_of(raw: dict[str, Tensor], examples: Sequence[Example]) -> Tensor:
    """The mean over examples, each by its own task's head."""
    total = torch.zeros(())
    for name in dict.fromkeys(held.task for held in examples):
        at = [place for place, held in enumerate(examples) if held.task == name]
        answers = torch.tensor([examples[place].answer for place in at])
        outputs = raw[name][at].float()
        if OUTPUTS[name] == 1:
            total = total + functional.binary_cross_entropy_with_logits(outputs, answers, reduction="sum")
        else:
            total = total - (answers * functional.log_softmax(outputs, dim=-1)).sum()
    return total / len(examples)


def fit(
    base: Base, examples: Sequence[Example], plan: Plan, folder: Path, *, watched: Sequence[Example] = ()
) -> Network:
    """Train, keeping a checkpoint now and then in the folder, from the last one that lies before the fall.

    What is `watched` is no part of the training; how well it is told goes into the curve, as the loss alone falls on
    long after the network has begun to learn small sets by heart.
    """
    torch.manual_seed(plan.seed)
    torch.use_deterministic_algorithms(True)
    network = Network(base, OUTPUTS)
    network.encoder.keep_still(plan.frozen)
    optimizer = torch.optim.AdamW(groups_of(network, base.layers, plan), weight_decay=0.01, foreach=True)
    tokenizer = Tokenizer.from_str(base.tokenizer)
    pieces, watched_pieces = encoded(tokenizer, examples), encoded(tokenizer, watched)
    order = list(batches(list(map(len, pieces)), plan.batch, seed=plan.seed))
    step = _resumed(network, optimizer, plan, folder)
    begun, recent = time.monotonic(), 0.0
    network.train()
    while step < plan.steps:
        torch.manual_seed(plan.seed * 1_000_003 + step)
        chosen = order[step % len(order)]
        for group in optimizer.param_groups:
            group["lr"] = group["full"] * rate_at(step, plan)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            raw = network(padded([pieces[place] for place in chosen]))
        loss = loss_of(raw, [examples[place] for place in chosen])
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_([held for group in optimizer.param_groups for held in group["params"]], 1.0)
        optimizer.step()
        step += 1
        recent += loss.item()
        if step % 20 == 0:
            _told(folder, step, begun, {"loss": round(recent / 20, 4)})
            recent = 0.0
        if watched and (step % plan.watched_every == 0 or step == plan.steps):
            _told(folder, step, begun, looked_at(network, watched_pieces, watched))
        if step % plan.kept_every == 0 or step == plan.steps:
            _kept(network, optimizer, step, plan, folder)
    return network.eval()


def looked_at(network: Network, pieces: Sequence[Sequence[int]], examples: Sequence[Example]) -> dict[str, float]:
    """The loss of each task on examples that are not trained on."""
    order = sorted(range(len(pieces)), key=lambda place: len(pieces[place]))
    lost = dict.fromkeys(sorted({held.task for held in examples}), 0.0)
    network.eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        for start in range(0, len(order), WATCHED_AT_ONCE):
            part = order[start : start + WATCHED_AT_ONCE]
            raw = network(padded([pieces[place] for place in part]))
            for row, place in enumerate(part):
                one = {name: given[[row]] for name, given in raw.items()}
                lost[examples[place].task] += loss_of(one, [examples[place]]).item()
    network.train()
    seen = Counter(held.task for held in examples)
    return {name: round(loss / seen[name], 4) for name, loss in lost.items()}


def _told(folder: Path, step: int, begun: float, what: Mapping[str, float]) -> None:
    told = {"step": step, **what, "seconds": round(time.monotonic() - begun)}
    with (folder / "curve.jsonl").open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(told) + "\n")


def _kept(network: Network, optimizer: torch.optim.Optimizer, step: int, plan: Plan, folder: Path) -> None:
    partial = folder / "partial"
    held = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "fall": [plan.steps, plan.cooling]}
    torch.save(held, partial)
    partial.rename(folder / f"step-{step:06}.pt")


def _resumed(network: Network, optimizer: torch.optim.Optimizer, plan: Plan, folder: Path) -> int:
    """The step to go on from: that of the newest checkpoint with a full rate, or within this very plan's fall."""
    for held in sorted(folder.glob("step-*.pt"), reverse=True):
        step = int(held.stem.split("-")[1])
        if step > plan.steps:
            continue
        saved = torch.load(held, weights_only=True)
        steps, cooling = saved["fall"]
        if step <= min(plan.steps - plan.cooling, steps - cooling) or (steps, cooling) == (plan.steps, plan.cooling):
            network.load_state_dict(saved["network"])
            optimizer.load_state_dict(saved["optimizer"])
            for group in optimizer.param_groups:
                group.setdefault("full", group["lr"])
            return step
    return 0
