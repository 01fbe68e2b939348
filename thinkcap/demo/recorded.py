"""The same comparison from recorded attempts: replayed, with no model and no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from thinkcap.demo.compare import Comparison, Side, predicted
from thinkcap.evals import Recording, replay
from thinkcap.policies import Policy, nano_usd

__all__ = ["compare_recorded"]

Progress = Callable[[int, int], None]


def compare_recorded(
    recording: Recording,
    policies: Mapping[str, Policy],
    *,
    ceiling_usd: str,
    seed: int,
    permutations: int = 20,
    progress: Progress | None = None,
) -> Comparison:
    """Replay each policy on the recording, all in the same random orders.

    Args:
        recording: the attempts; every question must be graded.
        policies: by name.
        ceiling_usd: dollars one question may cost one policy.
        seed: of the orders.
        permutations: orders in which each question is answered; the figures are means over them.
        progress: told of questions done and questions in all, over all policies.

    Raises:
        BadInput: if the recording cannot serve the policies.
    """
    questions = len(recording.questions)
    sides = {}
    for number, (name, policy) in enumerate(policies.items()):
        found = replay(
            recording,
            policy,
            permutations=permutations,
            seed=seed,
            ceiling=ceiling_usd,
            name=name,
            progress=_further(progress, number * questions, len(policies) * questions),
        )
        sides[name] = Side(found.accuracy, found.usd, found.attempts, found.most_nusd)
    return Comparison(
        live=False,
        model=recording.arms[0].model,
        seed=seed,
        asked=questions,
        ceiling_nusd=nano_usd(ceiling_usd),
        sides=sides,
        predicted=predicted(policies),
    )


def _further(progress: Progress | None, before: int, total: int) -> Progress | None:
    """Progress through one replay as progress through all of them."""
    return None if progress is None else lambda done, _: progress(before + done, total)
