"""Commands of what things cost: flops and dollars."""

from __future__ import annotations

from typing import Annotated

import typer

from thinkcap.cli.laws.frame import Figure, answer, number
from thinkcap.cli.laws.runs import ComputeOption, ParamsOption, TokensOption
from thinkcap.cli.options import JsonOption
from thinkcap.policies import BadInput
from thinkcap.policies.laws import dollars as _dollars
from thinkcap.policies.laws import flops as _flops
from thinkcap.policies.laws import read_quantity

__all__ = ["dollars", "flops"]


def flops(
    params: ParamsOption = None,
    tokens: TokensOption = None,
    inference_tokens: Annotated[
        str | None, typer.Option("--inference-tokens", help="Tokens read and written when answering.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """FLOP of training (6 N D) and of answering (2 N a token)."""
    n, d, answered = (
        number(params, "--params"),
        number(tokens, "--tokens"),
        number(inference_tokens, "--inference-tokens"),
    )
    figures: list[Figure] = []
    if n is not None:
        figures.append(Figure("answering", _flops.inference_flops(n, 1), "FLOP/token"))
        if d is not None:
            figures.append(Figure("training", _flops.training_flops(n, d), "FLOP"))
        if answered is not None:
            figures.append(Figure("answering_all", _flops.inference_flops(n, answered), "FLOP"))
    answer("flops", {"params": n, "tokens": d, "inference_tokens": answered}, figures, as_json=as_json)


def dollars(
    gpu_usd_per_hour: Annotated[
        str | None, typer.Option("--gpu-usd-per-hour", help="Dollars per GPU and hour.")
    ] = None,
    gpus: Annotated[int, typer.Option("--gpus", help="GPUs the model runs on.", min=1)] = 1,
    tokens_per_s: Annotated[
        str | None, typer.Option("--tokens-per-s", help="Tokens a second of all GPUs, over all requests in flight.")
    ] = None,
    compute: ComputeOption = None,
    gpu_flops_per_s: Annotated[
        str, typer.Option("--gpu-flops-per-s", help="Peak FLOP a second of one GPU; by default an H100's in BF16.")
    ] = "989e12",
    utilisation: Annotated[float, typer.Option("--utilisation", help="Share of the peak that is reached.")] = 0.4,
    input_tokens: Annotated[str | None, typer.Option("--input-tokens", help="Tokens read, for an API.")] = None,
    output_tokens: Annotated[str | None, typer.Option("--output-tokens", help="Tokens written, for an API.")] = None,
    price: Annotated[
        str | None, typer.Option("--price", metavar="IN/OUT", help="Dollars per million tokens read / written.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Dollars of serving and training on hardware by the hour, and of an API's tokens."""
    hourly, speed, work = (
        number(gpu_usd_per_hour, "--gpu-usd-per-hour"),
        number(tokens_per_s, "--tokens-per-s"),
        number(compute, "--compute"),
    )
    read, written = number(input_tokens, "--input-tokens"), number(output_tokens, "--output-tokens")
    figures: list[Figure] = []
    if hourly is not None and speed is not None:
        figures.append(Figure("serving", _dollars.serving_usd_per_million(hourly, speed, gpus), "$/million tokens"))
    if hourly is not None and work is not None:
        peak = read_quantity(gpu_flops_per_s, "--gpu-flops-per-s")
        figures.append(Figure("training", _dollars.training_usd(work, hourly, peak, utilisation), "$"))
    if price is not None and read is not None and written is not None:
        figures.append(Figure("api", _dollars.api_usd(read, written, *_price(price)), "$"))
    given = {
        "gpu_usd_per_hour": hourly,
        "tokens_per_s": speed,
        "compute": work,
        "input_tokens": read,
        "output_tokens": written,
        "price": price,
    }
    answer("dollars", given, figures, as_json=as_json)


def _price(text: str) -> tuple[float, float]:
    read, slash, written = text.partition("/")
    if not slash:
        raise BadInput(f"--price is written IN/OUT in dollars per million tokens, such as 2/8, not {text!r}")
    return read_quantity(read, "--price"), read_quantity(written, "--price")
