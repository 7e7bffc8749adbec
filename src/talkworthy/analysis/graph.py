"""Who is heard through whom: PageRank of a graph of answers and shares."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

Places = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DAMPING = 0.85
TOLERANCE = 1e-9
MOST_ROUNDS = 200


@dataclass(frozen=True)
class Edges:
    """Each pair of nodes once: who acts (`sources`) on whom (`targets`), and how often. Nobody acts on themselves."""

    sources: Places
    targets: Places
    weights: Floats
    nodes: int

    def __len__(self) -> int:
        return len(self.sources)


def edges_of(sources: Places, targets: Places, *, nodes: int, weights: Floats | None = None) -> Edges:
    """Edges from single acts: acts of one pair are added up, and acts on oneself are left out."""
    kept = sources != targets
    given: Floats = np.ones(len(sources)) if weights is None else weights
    key, place = np.unique(sources[kept] * np.int64(max(nodes, 1)) + targets[kept], return_inverse=True)
    summed = np.asarray(np.bincount(place, given[kept], len(key)), np.float64)
    return Edges(key // max(nodes, 1), key % max(nodes, 1), summed, nodes)


def pagerank(edges: Edges, *, damping: float = DAMPING) -> Floats:
    """The share of attention that ends at each node; all shares together are 1.

    A reader follows what a node acts on, in the proportion of the weights, and begins anywhere anew with probability
    1 - damping, and always where a node acts on nobody. Raises ArithmeticError where it does not settle.
    """
    if not edges.nodes:
        return np.zeros(0)
    leaving = np.bincount(edges.sources, edges.weights, edges.nodes)
    flow = sparse.csr_matrix(
        (edges.weights / leaving[edges.sources], (edges.targets, edges.sources)), shape=(edges.nodes, edges.nodes)
    )
    ends = np.flatnonzero(leaving == 0)
    rank: Floats = np.full(edges.nodes, 1 / edges.nodes)
    for _round in range(MOST_ROUNDS):
        lost = float(rank[ends].sum())
        fresh: Floats = damping * (flow @ rank + lost / edges.nodes) + (1 - damping) / edges.nodes
        moved = float(np.abs(fresh - rank).sum())
        rank = fresh
        if moved < TOLERANCE:
            return rank
    raise ArithmeticError(f"PageRank did not settle in {MOST_ROUNDS} rounds; {moved:.1e} still moves")
