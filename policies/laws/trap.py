"""The Chinchilla trap: models trained on far fewer, or far more, tokens than their compute was best spent on."""

from __future__ import annotations

from dataclasses import dataclass

from thinkcap.policies.errors import BadInput
from thinkcap.policies.laws.chinchilla import BESIROGLU, Fit, Run
from thinkcap.policies.laws.chinchilla import LAW as CHINCHILLA
from thinkcap.policies.laws.flops import INFERENCE
from thinkcap.policies.laws.law import Constant, Law, Source
from thinkcap.policies.laws.units import nearest

__all__ = ["LAW", "MODELS", "Model", "Overtraining", "find_model", "overtraining"]


@dataclass(frozen=True, slots=True)
class Model:
    """A model as published.

    Attributes:
        name: the model.
        params: parameters, as its name says.
        tokens: training tokens.
        source: where they are published.
    """

    name: str
    params: float
    tokens: float
    source: Source

    @property
    def run(self) -> Run:
        """Its parameters and tokens."""
        return Run(self.params, self.tokens)


def _source(authors: str, where: str, number: str) -> Source:
    return Source(authors, where, f"https://arxiv.org/abs/{number}")


MODELS = (
    Model("GPT-3", 175e9, 300e9, _source("Brown et al. 2020", "table 2.1", "2005.14165")),
    Model("Chinchilla", 70e9, 1.4e12, _source("Hoffmann et al. 2022", "abstract", "2203.15556")),
    Model("Llama 1 7B", 7e9, 1e12, _source("Touvron et al. 2023, LLaMA", "table 2", "2302.13971")),
    Model("Llama 2 7B", 7e9, 2e12, _source("Touvron et al. 2023, Llama 2", "table 1", "2307.09288")),
    Model(
        "Llama 3 8B", 8e9, 15e12, _source("Llama Team 2024", "15T tokens, rounded as on the model card", "2407.21783")
    ),
)


def find_model(name: str) -> Model:
    """The published model of a name.

    Raises:
        BadInput: if it is not among them; the nearest name is offered.
    """
    for model in MODELS:
        if model.name.lower() == name.lower():
            return model
    raise BadInput(f"no model here is called {name!r}: {nearest(name, [model.name for model in MODELS])}")


@dataclass(frozen=True, slots=True)
class Overtraining:
    """A run beside the cheapest one that reaches the same loss.

    Attributes:
        run: the run as trained.
        loss: what it reaches, in nats per token.
        optimal: the compute-optimal run of the same loss.
        extra_training: FLOP of training above the optimal run's, never below zero but for rounding.
        saved_per_token: FLOP saved per token at inference, below zero if the model is larger than the optimal one.
    """

    run: Run
    loss: float
    optimal: Run
    extra_training: float
    saved_per_token: float

    @property
    def break_even_tokens(self) -> float | None:
        """Tokens at inference from which on the smaller model is cheaper in all; None if it never is."""
        return self.extra_training / self.saved_per_token if self.saved_per_token > 0 else None


def overtraining(run: Run, fit: Fit = BESIROGLU) -> Overtraining:
    """What training off the optimum cost, and what it saves or costs at each token of inference.

    Args:
        run: parameters and training tokens.
        fit: the constants of the loss.
    """
    loss = fit.loss(run.params, run.tokens)
    optimal = fit.optimum_at_loss(loss)
    return Overtraining(run, loss, optimal, run.flops - optimal.flops, INFERENCE * (optimal.params - run.params))


LAW = Law(
    name="trap",
    summary="Models were trained on 1.7 to 1,875 tokens a parameter: too few wastes compute, too many buys cheap "
    "inference.",
    formula=(
        "tokens per parameter = D / N",
        "extra training = 6 N D - 6 N' D', with (N', D') the compute-optimal run of the same loss",
        "saved per token = 2 (N' - N)",
        "break-even = extra training / saved per token",
    ),
    units=("N: parameters", "D: training tokens", "extra, saved: FLOP", "break-even: tokens at inference"),
    constants=tuple(
        Constant(symbol, value, unit, set=model.name)
        for model in MODELS
        for symbol, value, unit in (
            ("N", model.params, "parameters"),
            ("D", model.tokens, "tokens"),
            ("D / N", model.run.tokens_per_param, "tokens/parameter"),
        )
    ),
    domain="Losses by the Chinchilla law. At hundreds of tokens a parameter that law overestimates what more tokens "
    "bring (Sardana et al. 2023, sec. 5), so the optimal size given here is then too large.",
    sources=(CHINCHILLA.sources[0], *(model.source for model in MODELS)),
    notes=(
        "300 billion tokens are compute-optimal for 15 billion parameters at 20 a parameter: 175 / 15 = 11.7 times "
        "fewer than GPT-3 has. The often-quoted '20 times smaller' is not that arithmetic.",
        "Llama 1 7B and Llama 2 7B are often quoted with 142 and 284 tokens a parameter; 1e12 / 7e9 is 142.9, and "
        "twice that 285.7.",
    ),
)
