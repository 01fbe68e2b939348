"""Commands of what training has to reckon with: sardana (demand) and walls (floors and data)."""

from __future__ import annotations

from typing import Annotated

import typer

from thinkcap.cli.laws.frame import Figure, answer, number, number_at_least_0
from thinkcap.cli.laws.runs import ComputeOption, ConstantsOption, LossOption, fit_of, of_split
from thinkcap.cli.options import JsonOption
from thinkcap.policies import BadInput
from thinkcap.policies.laws import FITS, Fit, read_duration, read_rate
from thinkcap.policies.laws import sardana as _sardana
from thinkcap.policies.laws import walls as _walls

__all__ = ["sardana", "walls"]


def sardana(
    params: Annotated[
        str | None,
        typer.Option("--params", metavar="N", help="Quality wanted: that of a compute-optimal model so large."),
    ] = None,
    loss: LossOption = None,
    inference_tokens: Annotated[
        str | None,
        typer.Option("--inference-tokens", help="Tokens read and written over the model's life; 0 for none."),
    ] = None,
    demand: Annotated[str | None, typer.Option("--demand", help="Questions a period, such as 1e6/month.")] = None,
    tokens_per_question: Annotated[
        str | None, typer.Option("--tokens-per-question", help="Tokens read and written for each.")
    ] = None,
    life: Annotated[str, typer.Option("--life", help="How long the model serves, such as '2 years'.")] = "2 years",
    constants: ConstantsOption = None,
    as_json: JsonOption = False,
) -> None:
    """The cheapest model to train and serve at a quality and a demand (Sardana et al. 2023), by all constants."""
    n, asked = number(params, "--params"), number_at_least_0(inference_tokens, "--inference-tokens")
    if demand is not None:
        each = number(tokens_per_question, "--tokens-per-question")
        if each is None or asked is not None:
            raise BadInput("give --demand with --tokens-per-question, or --inference-tokens alone")
        asked = read_rate(demand, "--demand") * read_duration(life, "--life") * each
    given = {"params": n, "loss": loss, "inference_tokens": asked, "constants": constants}
    figures: list[Figure] = []
    if asked is not None:
        if (n is None) == (loss is None):
            raise BadInput("say the quality wanted: --params of a compute-optimal model, or --loss (with --constants)")
        for fit in FITS if constants is None and loss is None else (fit_of(constants),):
            figures += _of_service(fit, n, loss, asked)
    answer("sardana", given, figures, as_json=as_json)


def walls(
    compute: ComputeOption = None,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="D", help="Tokens that exist, such as 18T (largest set) or 510T (web)."),
    ] = None,
    constants: ConstantsOption = None,
    as_json: JsonOption = False,
) -> None:
    """The floor of the loss, what the next decade of compute buys, and where data run out."""
    c, d, fit = number(compute, "--compute"), number(data, "--data"), fit_of(constants)
    figures: list[Figure] = []
    if c is not None or d is not None:
        figures.append(Figure("irreducible_loss", fit.e, "nats/token"))
        figures.append(Figure("decades_to_a_tenth_of_the_reducible_loss", _walls.decades_to(0.1, fit), "decades"))
        tenth = _walls.compute_for_reducible(fit.e / 10, fit)
        figures.append(Figure("reducible_is_a_tenth_of_irreducible_at", tenth, "FLOP"))
    if c is not None:
        decade = _walls.next_decade(c, fit)
        figures += [
            Figure("loss_now", decade.now, "nats/token"),
            Figure("loss_at_10_times", decade.then, "nats/token"),
            Figure("reducible_loss_kept", decade.kept, "share"),
            Figure("in_runs_of_Llama_3_405B", c / _walls.LLAMA_3_405B, "times"),
            Figure("in_runs_of_Gemini_Ultra", c / _walls.GEMINI_ULTRA, "times"),
        ]
    if d is not None:
        figures.append(Figure("data_run_out_at", _walls.cap_binds_at(d, fit), "FLOP"))
    if c is not None and d is not None:
        run = _walls.capped(c, d, fit)
        figures += [Figure(f"capped_{f.name}", f.value, f.unit) for f in of_split(run, fit)]
    given = {"compute": c, "data": d, "constants": constants}
    answer("walls", given, figures, as_json=as_json)


def _of_service(fit: Fit, params: float | None, loss: float | None, inference_tokens: float) -> list[Figure]:
    usual = fit.optimum_of_size(params) if params is not None else fit.optimum_at_loss(loss or 0.0)
    best = _sardana.cheapest(fit.loss(usual.params, usual.tokens), inference_tokens, fit)
    before = _sardana.served(usual, inference_tokens).total
    return [
        Figure("params", best.run.params, "parameters", fit.name),
        Figure("tokens", best.run.tokens, "tokens", fit.name),
        Figure("tokens_per_param", best.run.tokens_per_param, "tokens", fit.name),
        Figure("training_and_inference", best.total, "FLOP", fit.name),
        Figure("saved_against_compute_optimal", before - best.total, "FLOP", fit.name),
        Figure("saved_share", 1 - best.total / before, "share", fit.name),
    ]
