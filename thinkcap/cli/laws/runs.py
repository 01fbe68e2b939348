"""Options and figures of training runs, for the laws that speak of them."""

from __future__ import annotations

from typing import Annotated

import typer

from thinkcap.cli.laws.frame import Figure
from thinkcap.policies.laws import FITS, Fit, Run, find_fit
from thinkcap.policies.laws.chinchilla import measured

__all__ = [
    "ComputeOption",
    "ConstantsOption",
    "LossOption",
    "ParamsOption",
    "TokensOption",
    "beyond",
    "fit_of",
    "of_split",
]

ParamsOption = Annotated[str | None, typer.Option("--params", metavar="N", help="Parameters, such as 70e9 or 70B.")]
TokensOption = Annotated[
    str | None, typer.Option("--tokens", metavar="D", help="Training tokens, such as 1.4e12 or 1.4T.")
]
ComputeOption = Annotated[
    str | None, typer.Option("--compute", metavar="C", help="Training compute in FLOP, such as 5.76e23.")
]
LossOption = Annotated[float | None, typer.Option("--loss", help="A loss to reach, in nats per token.")]
ConstantsOption = Annotated[
    str | None,
    typer.Option("--constants", metavar="NAME", help=f"Constants of the loss: {', '.join(fit.name for fit in FITS)}."),
]


def fit_of(name: str | None) -> Fit:
    """The constants of a name; the corrected ones without."""
    return FITS[0] if name is None else find_fit(name)


def beyond(*runs: Run) -> list[str]:
    """A note where a run lies outside those the constants were fitted on."""
    if all(measured(run) for run in runs):
        return []
    return ["extrapolated: the constants were fitted on at most 16 billion parameters and 318 billion tokens"]


def of_split(run: Run, fit: Fit) -> list[Figure]:
    """A run's parameters, tokens, their ratio and its loss."""
    return [
        Figure("params", run.params, "parameters", fit.name),
        Figure("tokens", run.tokens, "tokens", fit.name),
        Figure("tokens_per_param", run.tokens_per_param, "tokens", fit.name),
        Figure("loss", fit.loss(run.params, run.tokens), "nats/token", fit.name),
    ]
