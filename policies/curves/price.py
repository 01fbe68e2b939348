"""What an attempt costs, by the recording's own cost column."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from thinkcap.policies.curves.quadrature import Array

__all__ = ["EXACT", "Price", "fit_price"]

EXACT = 0.02
"""The relative error up to which costs follow tokens."""


@dataclass(frozen=True, slots=True)
class Price:
    """Nano-dollars of one attempt: what it costs before it says a word, and per output token.

    Attributes:
        base_nusd: of the prompt, for a mean question.
        input_nusd: of one input token; None where the recording has no input tokens, or cost does not follow them.
        output_nusd: of one output token.
        mean_nusd: recorded mean of an attempt.
        error: root mean squared error of the costs so explained, relative to the mean cost.
    """

    base_nusd: float
    input_nusd: float | None
    output_nusd: float
    mean_nusd: float
    error: float

    @property
    def exact(self) -> bool:
        """Costs follow tokens to within 2 %, so the cost of an attempt can be told from its length."""
        return self.error <= EXACT

    def of(self, tokens: Array) -> Array:
        """The cost of attempts of such lengths, in nano-dollars."""
        cost: Array = self.base_nusd + self.output_nusd * tokens
        return cost


def fit_price(nusd: Array, inputs: Array, tokens: Array, tried: Array) -> Price:
    """Least squares of cost on tokens (a price list is linear, so this is reading it, not estimating).

    Args:
        nusd, inputs, tokens: sums over a question's attempts; inputs may be NaN.  (questions,)
        tried: attempts.  (questions,)
    """
    asked = tried > 0
    nusd, inputs, tokens, tried = nusd[asked], inputs[asked], tokens[asked], tried[asked].astype(np.float64)
    mean = float((nusd / tried).mean())
    attempts = float(tried.sum())
    found: list[Price] = []
    if np.isfinite(inputs).all() and inputs.sum() > 0:
        rates, error = _solve(np.stack([inputs, tokens], axis=1), nusd, mean, attempts)
        if min(rates) >= 0:
            found.append(Price(rates[0] * float(inputs.sum()) / attempts, rates[0], rates[1], mean, error))
    rates, error = _solve(np.stack([tried, tokens], axis=1), nusd, mean, attempts)
    if min(rates) >= 0:
        found.append(Price(rates[0], None, rates[1], mean, error))
    rates, error = _solve(tried[:, None], nusd, mean, attempts)
    found.append(Price(rates[0], None, 0.0, mean, error))
    return min(found, key=lambda price: price.error)


def _solve(columns: Array, nusd: Array, mean: float, attempts: float) -> tuple[list[float], float]:
    rates, *_ = np.linalg.lstsq(columns, nusd, rcond=None)
    left = nusd - columns @ rates
    error = float(np.sqrt((left**2).sum() / attempts)) / mean if mean > 0 else 0.0
    return [float(rate) for rate in rates], error
