"""Verified tasks: chains of attempts until one passes, where correctness is used as a perfect verifier."""

from thinkcap.evals.verified.evaluating import evaluate_verified
from thinkcap.evals.verified.exactly import chain_of, exact_replay, oracle
from thinkcap.evals.verified.menu import CLASSES, chains
from thinkcap.evals.verified.orders import by_cost, by_index
from thinkcap.evals.verified.perfect import PERFECT, is_perfect, perfectly_verified
from thinkcap.evals.verified.tries import Draws, draws_of, walked

__all__ = [
    "CLASSES",
    "PERFECT",
    "Draws",
    "by_cost",
    "by_index",
    "chain_of",
    "chains",
    "draws_of",
    "evaluate_verified",
    "exact_replay",
    "is_perfect",
    "oracle",
    "perfectly_verified",
    "walked",
]
