"""Fitting a call into what the ceiling leaves: clamp it, do not starve it, do not burn money on it.

A call gets the largest output cap the free money pays for, up to the one it asked for. Below the cap at which
it is likely to finish it is not made: a cheaper arm is tried, then the episode ends with the best answer so far.
An arm that has just failed without an answer is not asked again in the same way: length belongs to the question,
so an attempt cut at a cap would be cut there again. An agent's run is another matter: much in it is chance, so an
arm is given up only after a few of them failed, or where less is free than a run that was cut short had spent.
"""

from __future__ import annotations

from thinkcap.policies.share import cut_short_nusd
from thinkcap.policies.values import Arm, Attempt, Call, Offer, Reason, State

__all__ = ["afford"]

_SPENT = {
    "refused": Reason.REFUSED,
    "steps": Reason.STEPS,
    "error": Reason.FAILED,
    "length": Reason.HOPELESS,
    "ceiling": Reason.CEILING,
}
"""Attempts that ended so, without an answer, speak against asking that arm again; and the reason if none is left."""

_RUNS = 3
"""Agent runs at one arm that may fail without an answer before the arm is given up."""


def afford(call: Call, state: State) -> Call | Reason:
    """The call as it can be made now, at its own arm or else another; a reason if none can be made."""
    fitted = _fit(call, state)
    if isinstance(fitted, Call):
        return fitted
    for arm in _others(call.arm, state, cheaper_only=fitted is Reason.CEILING):
        other = _fit(Call(arm), state)
        if isinstance(other, Call):
            return other
    return fitted


def _others(arm: Arm, state: State, *, cheaper_only: bool) -> list[Arm]:
    """The other arms: the dearest that is cheaper first; then, unless money is short, the rest as given."""
    others = [other for other in state.arms if other.label != arm.label]
    worst = {label: offer.worst_nusd for label, offer in _offers(state).items()}
    if not worst:
        return others
    cheaper = [other for other in others if worst[other.label] < worst[arm.label]]
    cheaper.sort(key=lambda other: worst[other.label], reverse=True)
    return cheaper if cheaper_only else cheaper + [other for other in others if other not in cheaper]


def _offers(state: State) -> dict[str, Offer]:
    return {arm.label: offer for arm, offer in zip(state.arms, state.room.offers, strict=False)}


def _fit(call: Call, state: State) -> Call | Reason:
    asked = call.max_output_tokens or call.arm.max_output_tokens
    failures = [attempt for attempt in state.attempts if _speaks_against(attempt, call.arm)]
    raised = 0
    if failures and state.question.agent:
        if len(failures) >= _RUNS:
            return _SPENT[failures[-1].finish]
        if state.room.free_nusd is not None and state.room.free_nusd <= cut_short_nusd(state, call.arm):
            return Reason.CEILING
        failures = []
    if failures:
        if asked is None and all(a.finish == "length" and a.max_output_tokens for a in failures):
            raised = 2 * max(attempt.max_output_tokens or 0 for attempt in failures)
        elif not _goes_further(asked, failures):
            return _SPENT[failures[-1].finish]
    offer = _offers(state).get(call.arm.label)
    if offer is None:
        return Call(call.arm, asked or raised or None, call.share)
    wanted = asked or max(raised, offer.default_output_tokens)
    cut = max((attempt.max_output_tokens or 0 for attempt in failures), default=0)
    least = raised or max(min(offer.least_output_tokens, wanted), cut + 1)
    cap = min(wanted, offer.most_output_tokens)
    return Call(call.arm, cap, call.share) if cap >= max(least, 1) else Reason.CEILING


def _speaks_against(attempt: Attempt, arm: Arm) -> bool:
    return attempt.arm.label == arm.label and attempt.answer is None and attempt.finish in _SPENT


def _goes_further(asked: int | None, failures: list[Attempt]) -> bool:
    """Every failure was a cut at a cap, and this call asks for a larger one."""
    return asked is not None and all(
        attempt.finish == "length" and attempt.max_output_tokens is not None and asked > attempt.max_output_tokens
        for attempt in failures
    )
