"""Commands of the laws of thinking: jones, snell, o3, hours."""

from __future__ import annotations

from typing import Annotated

import typer

from thinkcap.cli.laws.frame import Figure, answer, number, number_at_least_0
from thinkcap.cli.options import JsonOption
from thinkcap.policies import BadInput
from thinkcap.policies.laws import jones as _jones
from thinkcap.policies.laws import o3 as _o3
from thinkcap.policies.laws import read_duration, read_quantity
from thinkcap.policies.laws import snell as _snell
from thinkcap.policies.laws.hours import think

__all__ = ["hours", "jones", "o3", "snell"]

LowOption = Annotated[
    str | None, typer.Option("--low", metavar="TOKENS:ACCURACY", help="A measured point of your own, such as 1e4:0.6.")
]
HighOption = Annotated[
    str | None, typer.Option("--high", metavar="TOKENS:ACCURACY", help="Another, with more tokens, such as 1e6:0.8.")
]
PlateauOption = Annotated[
    float, typer.Option("--plateau", help="Accuracy that no amount of thinking passes, at most 1.")
]


def jones(
    train_factor: Annotated[
        str | None, typer.Option("--train-factor", help="By what training compute is multiplied, such as 10.")
    ] = None,
    test_compute: Annotated[str, typer.Option("--test-compute", help="Test-time compute today, in any unit.")] = "1",
    floor: Annotated[
        str, typer.Option("--floor", help="Test-time compute of one evaluation, same unit; 0: not known.")
    ] = "0",
    as_json: JsonOption = False,
) -> None:
    """How much test-time compute more training does away with (Jones 2021)."""
    factor = number(train_factor, "--train-factor")
    given: dict[str, float | str | None] = {"train_factor": factor}
    figures: list[Figure] = []
    if factor is not None:
        now, least = read_quantity(test_compute, "--test-compute"), number_at_least_0(floor, "--floor") or 0.0
        then = _jones.compute_at_test(now, factor, least)
        given |= {"test_compute": now, "floor": least}
        figures = [Figure("test_compute", then, "unit given"), Figure("times_less", now / then, "times")]
    answer("jones", given, figures, as_json=as_json)


def snell(
    size_ratio: Annotated[
        str | None, typer.Option("--size-ratio", help="Larger model over small one, such as 14.")
    ] = None,
    ratio: Annotated[
        list[str] | None,
        typer.Option(
            "--ratio", help="Inference tokens over pretraining tokens. Repeat it; by default the paper's three."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """How much more a small model may think until a larger one costs the same (Snell et al. 2024)."""
    larger = number(size_ratio, "--size-ratio")
    if larger is None and ratio:
        larger = _snell.SIZE_RATIO
    ratios = [read_quantity(text, "--ratio") for text in ratio or ()] or list(_snell.RATIOS)
    figures: list[Figure] = []
    if larger is not None:
        figures = [
            Figure("inference_multiplier", _snell.inference_multiplier(larger, each), "times", f"R = {each:g}")
            for each in ratios
        ]
    given: dict[str, float | None] = {"size_ratio": larger}
    answer("snell", given, figures, as_json=as_json)


def o3(
    accuracy: Annotated[float | None, typer.Option("--accuracy", help="An accuracy to reach, between 0 and 1.")] = None,
    tokens: Annotated[str | None, typer.Option("--tokens", help="Output tokens per task.")] = None,
    plateau: PlateauOption = 1.0,
    extrapolate: Annotated[
        bool, typer.Option("--extrapolate", help="Answer also more than twice beyond the measured tokens.")
    ] = False,
    low: LowOption = None,
    high: HighOption = None,
    as_json: JsonOption = False,
) -> None:
    """What an accuracy takes in tokens, by three curves through two measured points (o3 on ARC-AGI-1)."""
    points = _points(low, high)
    spent = number(tokens, "--tokens")
    given = {"accuracy": accuracy, "tokens": spent, "low": low, "high": high}
    figures: list[Figure] = []
    if any(value is not None for value in given.values()):
        figures.append(Figure("slope", _o3.points_per_decade(*points), "points per 10 times"))
        figures.append(Figure("tokens_high_over_low", points[1].tokens / points[0].tokens, "times"))
    if accuracy is not None:
        found = _o3.tokens_for(accuracy, *points, plateau=plateau, extrapolate=extrapolate)
        figures += [Figure("tokens", value, "tokens/task", name) for name, value in found.items()]
    if spent is not None:
        found = _o3.accuracy_at(spent, *points, plateau=plateau, extrapolate=extrapolate)
        figures += [Figure("accuracy", value, "share", name) for name, value in found.items()]
    notes = ["extrapolated: the spread between the readings is what is not known"] if extrapolate else []
    answer("o3", given, figures, notes, as_json=as_json)


def hours(
    time: Annotated[
        list[str] | None,
        typer.Option("--for", help="How long to think, such as '36 hours' or '2 weeks'. Repeat it for more."),
    ] = None,
    tokens_per_s: Annotated[
        str, typer.Option("--tokens-per-s", help="Output tokens a second, one after another.")
    ] = "100",
    usd_per_million: Annotated[
        str, typer.Option("--usd-per-million", help="Dollars per million output tokens; by default what o3 took.")
    ] = "61",
    ceiling: Annotated[str | None, typer.Option("--ceiling", help="Dollars one task may cost.")] = None,
    plateau: PlateauOption = 1.0,
    close: Annotated[
        float, typer.Option("--close", help="How near the plateau counts as reached, in accuracy.")
    ] = 0.01,
    low: LowOption = None,
    high: HighOption = None,
    as_json: JsonOption = False,
) -> None:
    """What thinking for so long costs, and what ends it first: the time, the ceiling or the plateau."""
    points = _points(low, high)
    if not time:
        answer("hours", {}, (), as_json=as_json)
        return
    speed, price = read_quantity(tokens_per_s, "--tokens-per-s"), read_quantity(usd_per_million, "--usd-per-million")
    limit = number(ceiling, "--ceiling")
    figures: list[Figure] = []
    for each in time:
        found = think(
            read_duration(each, "--for"),
            speed,
            price,
            ceiling_usd=limit,
            low=points[0],
            high=points[1],
            plateau=plateau,
            close=close,
        )
        by = each if len(time) > 1 else ""
        figures += [
            Figure("tokens", found.tokens, "tokens", by),
            Figure("cost", found.usd, "$", by),
            Figure("ends_first", found.ends, "", by),
        ]
    figures.append(Figure("ceiling_pays_for", found.ceiling_tokens, "tokens"))
    figures += [Figure("plateau_at", value, "tokens", name) for name, value in found.plateau_tokens.items()]
    given = {
        "for": ", ".join(time),
        "tokens_per_s": speed,
        "usd_per_million": price,
        "ceiling_usd": limit,
        "plateau": plateau,
    }
    answer("hours", given, figures, as_json=as_json)


def _points(low: str | None, high: str | None) -> tuple[_o3.Point, _o3.Point]:
    if (low is None) != (high is None):
        raise BadInput("give both --low and --high, or neither for o3's")
    if low is None or high is None:
        return _o3.LOW, _o3.HIGH
    return _point(low, "--low"), _point(high, "--high")


def _point(text: str, option: str) -> _o3.Point:
    tokens, colon, accuracy = text.partition(":")
    try:
        share = float(accuracy)
    except ValueError:
        colon = ""
    if not colon:
        raise BadInput(f"{option} is written TOKENS:ACCURACY, such as 1e6:0.8, not {text!r}")
    return _o3.Point(read_quantity(tokens, option), share)
