"""Dollars from prices, and from hardware by the hour.

These are estimates for planning, so they are floats; what is charged is counted exactly by the ledger.
"""

from __future__ import annotations

from thinkcap.policies.laws.law import Law, Source
from thinkcap.policies.laws.units import above_zero, share

__all__ = ["LAW", "api_usd", "serving_usd_per_million", "training_usd"]

_HOUR_S = 3_600.0


def api_usd(
    input_tokens: float, output_tokens: float, input_usd_per_million: float, output_usd_per_million: float
) -> float:
    """Dollars for tokens at a provider's prices.

    Args:
        input_tokens: tokens read.
        output_tokens: tokens written, hidden reasoning included.
        input_usd_per_million: dollars per million tokens read.
        output_usd_per_million: dollars per million tokens written.
    """
    read = above_zero(input_tokens, "the input tokens") * above_zero(input_usd_per_million, "the input price")
    written = above_zero(output_tokens, "the output tokens") * above_zero(output_usd_per_million, "the output price")
    return (read + written) / 1e6


def serving_usd_per_million(gpu_usd_per_hour: float, tokens_per_s: float, gpus: int = 1) -> float:
    """Dollars per million tokens on hardware of one's own, if it is always busy.

    Args:
        gpu_usd_per_hour: dollars per GPU and hour.
        tokens_per_s: tokens a second of all GPUs together, over all requests in flight.
        gpus: GPUs the model runs on.
    """
    hourly = above_zero(gpu_usd_per_hour, "the price of a GPU hour") * above_zero(gpus, "the number of GPUs")
    return hourly / (above_zero(tokens_per_s, "the tokens a second") * _HOUR_S) * 1e6


def training_usd(flops: float, gpu_usd_per_hour: float, gpu_flops_per_s: float, utilisation: float = 0.4) -> float:
    """Dollars to train, from FLOP.

    Args:
        flops: FLOP of the training run.
        gpu_usd_per_hour: dollars per GPU and hour.
        gpu_flops_per_s: peak FLOP a second of one GPU.
        utilisation: share of the peak that is reached, between 0 and 1.
    """
    per_hour = (
        above_zero(gpu_flops_per_s, "the FLOP a second of a GPU") * share(utilisation, "the utilisation") * _HOUR_S
    )
    return above_zero(flops, "the FLOP") / per_hour * above_zero(gpu_usd_per_hour, "the price of a GPU hour")


LAW = Law(
    name="dollars",
    summary="Money from a provider's prices, or from hardware by the hour.",
    formula=(
        "API = (input tokens x input price + output tokens x output price) / 1e6",
        "serving = $ per GPU hour x GPUs / (tokens per second x 3600) x 1e6, per million tokens",
        "training = FLOP / (peak FLOP/s x utilisation x 3600) x $ per GPU hour",
    ),
    units=("prices: dollars per million tokens", "hardware: dollars per GPU and hour", "result: dollars"),
    constants=(),
    domain="Hardware that is always busy: idle hours are paid too, so divide by the share of time it works.",
    sources=(
        Source(
            "Sardana et al. 2023, Beyond Chinchilla-Optimal", "sec. 6, eq. 5 and 6", "https://arxiv.org/abs/2401.00448"
        ),
    ),
    notes=("Training reached a utilisation of some 0.4 to 0.5 in published runs; writing tokens one by one far less.",),
)
