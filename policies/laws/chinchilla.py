"""Hoffmann et al. 2022 (Chinchilla), with the corrected constants of Besiroglu et al. 2024 by default.

Loss is a floor, plus a part that falls with parameters, plus a part that falls with data::

    L(N, D) = E + A / N^alpha + B / D^beta

For compute C = 6 N D it is least where alpha A / N^alpha = beta B / D^beta.
"""

from __future__ import annotations

from dataclasses import dataclass

from thinkcap.policies.errors import BadInput
from thinkcap.policies.laws.flops import TRAINING, training_flops
from thinkcap.policies.laws.law import Constant, Law, Source
from thinkcap.policies.laws.units import above_zero, nearest

__all__ = [
    "BESIROGLU",
    "FITS",
    "HOFFMANN",
    "LAW",
    "RULE",
    "SARDANA",
    "UNROUNDED",
    "Fit",
    "Run",
    "find_fit",
    "measured",
    "rule_tokens",
]

RULE = 20.0
"""Training tokens per parameter, the rule of thumb."""


@dataclass(frozen=True, slots=True)
class Run:
    """A model and the data it is trained on.

    Attributes:
        params: parameters.
        tokens: training tokens.
    """

    params: float
    tokens: float

    @property
    def tokens_per_param(self) -> float:
        """Training tokens per parameter."""
        return self.tokens / self.params

    @property
    def flops(self) -> float:
        """FLOP of the training: 6 N D."""
        return training_flops(self.params, self.tokens)


@dataclass(frozen=True, slots=True)
class Fit:
    """One published set of constants of L(N, D) = E + A / N^alpha + B / D^beta.

    All arguments and results are single numbers; losses are nats per token.

    Attributes:
        name: which set.
        e: the irreducible loss E, in nats per token.
        a: A.
        b: B.
        alpha: exponent of parameters.
        beta: exponent of data.
        errors: published standard errors of E, A, B, alpha, beta; None where there are none.
    """

    name: str
    e: float
    a: float
    b: float
    alpha: float
    beta: float
    errors: tuple[float, float, float, float, float] | None = None

    def size_part(self, params: float) -> float:
        """What too few parameters cost in loss: A / N^alpha."""
        return float(self.a / above_zero(params, "the parameters") ** self.alpha)

    def data_part(self, tokens: float) -> float:
        """What too little data costs in loss: B / D^beta."""
        return float(self.b / above_zero(tokens, "the training tokens") ** self.beta)

    def loss(self, params: float, tokens: float) -> float:
        """L(N, D)."""
        return self.e + self.size_part(params) + self.data_part(tokens)

    def optimum(self, flops: float) -> Run:
        """The run of least loss for so much compute.

        N = G (C/6)^(beta / (alpha + beta)) and D = (C/6) / N, with G = (alpha A / (beta B))^(1 / (alpha + beta))
        (Hoffmann et al., eq. 4).
        """
        both = self.alpha + self.beta
        product = above_zero(flops, "the compute") / TRAINING
        params = (self.alpha * self.a / (self.beta * self.b)) ** (1 / both) * product ** (self.beta / both)
        return Run(params, product / params)

    def optimum_of_size(self, params: float) -> Run:
        """The compute-optimal run of a model of so many parameters."""
        data_part = self.alpha / self.beta * self.size_part(params)
        return Run(params, (self.b / data_part) ** (1 / self.beta))

    def optimum_at_loss(self, loss: float) -> Run:
        """The cheapest run that reaches a loss.

        Raises:
            BadInput: if the loss is at or below the irreducible one.
        """
        return self.run_at_loss(loss, self.alpha / (self.alpha + self.beta))

    def run_at_loss(self, loss: float, data_share: float) -> Run:
        """The run that reaches a loss, where data cause a given share of what is above the floor.

        Args:
            loss: nats per token.
            data_share: between 0 (endless data) and 1 (an endless model); alpha / (alpha + beta) is compute-optimal.

        Raises:
            BadInput: if the loss is at or below the irreducible one.
        """
        if not above_zero(loss, "the loss") > self.e:
            raise BadInput(
                f"no model reaches a loss of {loss:.4g}: the irreducible loss is {self.e} ({self.name}); ask for more"
            )
        reducible = loss - self.e
        return Run(
            (self.a / (reducible * (1 - data_share))) ** (1 / self.alpha),
            (self.b / (reducible * data_share)) ** (1 / self.beta),
        )

    @property
    def decade_exponent(self) -> float:
        """The reducible loss falls as C^-x along the optimum; this is x = alpha beta / (alpha + beta)."""
        return self.alpha * self.beta / (self.alpha + self.beta)

    @property
    def constants(self) -> tuple[Constant, ...]:
        """The five constants with their errors, as data."""
        values = (("E", self.e, "nats/token"), ("A", self.a, "1"), ("B", self.b, "1"))
        exponents = (("alpha", self.alpha, "1"), ("beta", self.beta, "1"))
        errors = self.errors or (None,) * 5
        return tuple(
            Constant(name, value, unit, error, self.name)
            for (name, value, unit), error in zip((*values, *exponents), errors, strict=True)
        )


BESIROGLU = Fit("besiroglu", 1.8169, 482.01, 2085.43, 0.3478, 0.3659, (0.026, 124.58, 1293.23, 0.0154, 0.0206))
HOFFMANN = Fit("hoffmann", 1.69, 406.4, 410.7, 0.34, 0.28)
UNROUNDED = Fit("hoffmann-unrounded", 1.69337368, 406.401018, 410.722827, 0.33917084, 0.2849083)
SARDANA = Fit("sardana", 1.69, 406.4, 410.7, 0.336, 0.283)

FITS = (BESIROGLU, HOFFMANN, UNROUNDED, SARDANA)
"""All sets of constants, the one used by default first."""


def find_fit(name: str) -> Fit:
    """The set of constants of a name.

    Raises:
        BadInput: if there is none; the nearest name is offered.
    """
    names = [fit.name for fit in FITS]
    if name in names:
        return FITS[names.index(name)]
    raise BadInput(f"no constants are called {name!r}: {nearest(name, names)}")


def rule_tokens(params: float) -> float:
    """Training tokens by the rule of thumb: 20 per parameter."""
    return RULE * above_zero(params, "the parameters")


_LARGEST = Run(16.2e9, 318e9)  # of the runs the constants were fitted on, each by itself
_SMALLEST = Run(57e6, 0.245e9)


def measured(run: Run) -> bool:
    """Whether a run lies among those the constants were fitted on; elsewhere its loss is an extrapolation."""
    sizes = _SMALLEST.params <= run.params <= _LARGEST.params
    return sizes and _SMALLEST.tokens <= run.tokens <= _LARGEST.tokens


_HOFFMANN_SOURCE = "Hoffmann et al. 2022, Training Compute-Optimal Large Language Models"
_BESIROGLU_SOURCE = "Besiroglu et al. 2024, Chinchilla Scaling: A replication attempt"

LAW = Law(
    name="chinchilla",
    summary="Loss is a floor plus a part for size and a part for data; compute is best split evenly, some 20 tokens a "
    "parameter.",
    formula=(
        "L(N, D) = E + A / N^alpha + B / D^beta",
        "C = 6 N D",
        "best N = G (C/6)^(beta / (alpha + beta)), best D = (C/6) / N, G = (alpha A / (beta B))^(1 / (alpha + beta))",
    ),
    units=("L, E: nats per token", "N: parameters", "D: training tokens", "C: FLOP"),
    constants=tuple(constant for fit in FITS for constant in fit.constants),
    domain="57 million to 16 billion parameters, 0.25 to 318 billion tokens, up to 1.3e22 FLOP (the 245 runs of the "
    "corrected fit); each token seen once. Beyond that it is an extrapolation.",
    sources=(
        Source(_BESIROGLU_SOURCE, "table of estimates and data_analysis.ipynb", "https://arxiv.org/abs/2404.10102"),
        Source(
            _HOFFMANN_SOURCE,
            "sec. 3.3, eq. 2, 4 and 10; unrounded in the paper's TeX",
            "https://arxiv.org/abs/2203.15556",
        ),
        Source(
            "Sardana et al. 2023, Beyond Chinchilla-Optimal",
            "app. A (alpha and beta less rounded)",
            "https://arxiv.org/abs/2401.00448",
        ),
    ),
    notes=(
        "The rounded constants of 2022 imply 93 tokens a parameter at Chinchilla's 5.76e23 FLOP, unlike that paper's "
        "other two methods (about 20); the corrected ones imply 18.3. Never plan with the rounded ones.",
        "The corrected constants are those of the authors' notebook; the paper prints E = 1.8172 and beta = 0.3658, "
        "which gives 18.4, and rounds the errors of E, alpha and beta to two decimals. A and alpha, B and beta move "
        "together and their covariance is not in the table, so errors are shown and not propagated: compare the sets "
        "of constants instead.",
        "Checked in November 2026: the printed table, in independent quotations, and the range of the 245 runs, in the "
        "notebook. Not checked again: the notebook's own E and beta and its unrounded errors.",
    ),
)
