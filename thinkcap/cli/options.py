"""Options that several subcommands share: where to ask, at what price."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from thinkcap.policies import Api, Arm, BadInput

if TYPE_CHECKING:
    import openai

    from thinkcap.controller import Price

__all__ = [
    "ApiOption",
    "ArmOption",
    "BaseUrlOption",
    "JsonOption",
    "LocalOption",
    "MaxOutputOption",
    "PriceOption",
    "TemperatureOption",
    "Where",
    "read_arms",
    "read_prices",
    "where",
]

ArmOption = Annotated[
    list[str] | None,
    typer.Option("--arm", help="A way to ask: MODEL or MODEL:EFFORT. Repeat it, cheapest first.", metavar="ARM"),
]
BaseUrlOption = Annotated[
    str | None,
    typer.Option("--base-url", help="Where to ask; by default OPENAI_BASE_URL, else OpenAI.", metavar="URL"),
]
PriceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--price",
        help="A price of your own: MODEL=IN/OUT in dollars per million tokens. Repeat it for more.",
        metavar="MODEL=IN/OUT",
    ),
]
LocalOption = Annotated[
    bool, typer.Option("--local", help="Ask the small local model, at its nominal price: no key is needed.")
]
ApiOption = Annotated[str, typer.Option("--api", help="Which API to use: chat or responses.", metavar="API")]
MaxOutputOption = Annotated[
    int | None,
    typer.Option("--max-output-tokens", help="Output cap of each call, including hidden reasoning.", min=1),
]
TemperatureOption = Annotated[float | None, typer.Option("--temperature", help="Sampling temperature.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@dataclass(frozen=True)
class Where:
    """Whom to ask: a client, and the prices its models have there."""

    client: openai.OpenAI
    prices: dict[str, Price]


@contextmanager
def where(base_url: str | None, price: Sequence[str] | None, *, local: bool) -> Iterator[Where]:
    """The client and prices the options mean; the local model's server runs as long as the block does."""
    prices = read_prices(price)
    if not local:
        from thinkcap.controller import make_client

        with make_client(base_url) as client:
            yield Where(client, prices)
        return
    if base_url is not None:
        raise BadInput("--local and --base-url exclude each other")
    from thinkcap.cli.local import local_model

    with local_model() as (client, nominal):
        yield Where(client, {**nominal, **prices})


def read_prices(price: Sequence[str] | None) -> dict[str, Price]:
    """Prices written ``MODEL=IN/OUT``."""
    from thinkcap.controller import read_price

    return dict(read_price(text) for text in price or ())


def read_arms(
    texts: Sequence[str] | None, *, api: str, max_output_tokens: int | None, temperature: float | None, local: bool
) -> list[Arm]:
    """Arms as the options describe them; the local model's own three where none is named."""
    if api not in ("chat", "responses"):
        raise BadInput(f"--api must be chat or responses, not {api!r}")
    kind: Api = "responses" if api == "responses" else "chat"
    if not texts and not local:
        raise BadInput("say how to ask: --arm MODEL or --arm MODEL:EFFORT (such as --arm gpt-5-mini:low)")
    if local:
        from thinkcap.cli.local import local_arms

        return local_arms(texts, api=kind, max_output_tokens=max_output_tokens, temperature=temperature)
    return [
        Arm.parse(text, api=kind, max_output_tokens=max_output_tokens, temperature=temperature) for text in texts or ()
    ]
