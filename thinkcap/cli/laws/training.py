"""Commands of the laws of training: kaplan, chinchilla, trap."""

from __future__ import annotations

from typing import Annotated

import typer

from thinkcap.cli.laws.frame import Figure, answer, number
from thinkcap.cli.laws.runs import (
    ComputeOption,
    ConstantsOption,
    LossOption,
    ParamsOption,
    TokensOption,
    beyond,
    fit_of,
    of_split,
)
from thinkcap.cli.options import JsonOption
from thinkcap.policies import BadInput
from thinkcap.policies.laws import FITS, Fit, Run
from thinkcap.policies.laws import chinchilla as _chinchilla
from thinkcap.policies.laws import kaplan as _kaplan
from thinkcap.policies.laws import trap as _trap

__all__ = ["chinchilla", "kaplan", "trap"]


def kaplan(
    params: ParamsOption = None,
    tokens: TokensOption = None,
    compute: ComputeOption = None,
    factor: Annotated[str | None, typer.Option("--factor", help="By what compute grows, such as 10.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Loss as a power law of size, data and compute, and how a budget grows (Kaplan et al. 2020)."""
    n, d = number(params, "--params"), number(tokens, "--tokens")
    c, k = number(compute, "--compute"), number(factor, "--factor")
    figures: list[Figure] = []
    if n is not None and d is not None:
        figures.append(Figure("loss", _kaplan.joint_loss(n, d), "nats/token", "joint fit"))
    elif n is not None:
        figures.append(Figure("loss", _kaplan.loss_from_params(n), "nats/token", "enough data"))
    elif d is not None:
        figures.append(Figure("loss", _kaplan.loss_from_tokens(d), "nats/token", "large model"))
    if c is not None:
        best = _kaplan.optimum(c)
        figures.append(Figure("loss", _kaplan.loss_from_compute(c), "nats/token", "best use of compute"))
        figures += [Figure("params", best.params, "parameters", "best use of compute")]
        figures += [Figure("tokens", best.tokens, "tokens", "best use of compute")]
    notes: list[str] = []
    if k is not None:
        grown = _kaplan.growth(k)
        figures += [Figure("model_grows", grown.params, "times"), Figure("data_grow", grown.tokens, "times")]
        notes.append(f"for 10 times the compute {_kaplan.QUOTED.params} and {_kaplan.QUOTED.tokens} are often quoted")
    given = {"params": n, "tokens": d, "compute": c, "factor": k}
    answer("kaplan", given, figures, notes, as_json=as_json)


def chinchilla(
    params: ParamsOption = None,
    tokens: TokensOption = None,
    compute: ComputeOption = None,
    loss: LossOption = None,
    constants: ConstantsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Loss from size and data, and the best split of compute (Hoffmann et al. 2022, Besiroglu et al. 2024)."""
    n, d, c = number(params, "--params"), number(tokens, "--tokens"), number(compute, "--compute")
    fit = fit_of(constants)
    figures: list[Figure] = []
    runs: list[Run] = []
    if n is not None and d is not None:
        runs.append(Run(n, d))
        figures += _of_run(Run(n, d), fit)
        best = fit.optimum(Run(n, d).flops)
        figures += [Figure(f"best_{f.name}", f.value, f.unit, f.by) for f in of_split(best, fit)]
    elif n is not None:
        runs.append(fit.optimum_of_size(n))
        figures += of_split(runs[-1], fit)[1:]
        figures.append(Figure("tokens", _chinchilla.rule_tokens(n), "tokens", "20 a parameter"))
    elif d is not None:
        figures.append(Figure("params", d / _chinchilla.RULE, "parameters", "20 a parameter"))
    if c is not None:
        runs.append(fit.optimum(c))
        figures += of_split(runs[-1], fit)
        others = [other for other in FITS if other != fit]
        figures += [Figure("tokens_per_param", o.optimum(c).tokens_per_param, "tokens", o.name) for o in others]
    if loss is not None:
        runs.append(fit.optimum_at_loss(loss))
        figures += [*of_split(runs[-1], fit), Figure("compute", runs[-1].flops, "FLOP", fit.name)]
    given = {"params": n, "tokens": d, "compute": c, "loss": loss, "constants": constants}
    answer("chinchilla", given, figures, beyond(*runs), as_json=as_json)


def trap(
    params: ParamsOption = None,
    tokens: TokensOption = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", help="A published model, such as 'Llama 3 8B'. Repeat it for more.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All published models, side by side.")] = False,
    constants: ConstantsOption = None,
    as_json: JsonOption = False,
) -> None:
    """What training on too few or too many tokens cost, and what it saves when answering."""
    n, d, fit = number(params, "--params"), number(tokens, "--tokens"), fit_of(constants)
    runs: list[tuple[str, Run]] = []
    models = [each.name for each in _trap.MODELS] if every else list(model or ())
    runs += [(name, _trap.find_model(name).run) for name in models]
    if n is not None and d is not None:
        runs.append(("", Run(n, d)))
    elif n is not None or d is not None:
        raise BadInput("give both --params and --tokens, or --model")
    figures: list[Figure] = []
    for name, run in runs:
        found = _trap.overtraining(run, fit)
        figures += [
            Figure("tokens_per_param", run.tokens_per_param, "tokens", name),
            Figure("loss", found.loss, "nats/token", name),
            Figure("optimal_params_at_this_loss", found.optimal.params, "parameters", name),
            Figure("optimal_tokens_at_this_loss", found.optimal.tokens, "tokens", name),
            Figure("extra_training", found.extra_training, "FLOP", name),
            Figure("saved_per_token_answered", found.saved_per_token, "FLOP", name),
            Figure("pays_from_inference_tokens", found.break_even_tokens, "tokens", name),
        ]
    given = {"params": n, "tokens": d, "model": ", ".join(models) or None, "constants": constants}
    answer("trap", given, figures, beyond(*(run for _, run in runs)), as_json=as_json)


def _of_run(run: Run, fit: Fit) -> list[Figure]:
    return [
        Figure("loss", fit.loss(run.params, run.tokens), "nats/token", fit.name),
        Figure("irreducible", fit.e, "nats/token", fit.name),
        Figure("because_of_size", fit.size_part(run.params), "nats/token", fit.name),
        Figure("because_of_data", fit.data_part(run.tokens), "nats/token", fit.name),
        Figure("tokens_per_param", run.tokens_per_param, "tokens"),
        Figure("compute", run.flops, "FLOP"),
    ]
