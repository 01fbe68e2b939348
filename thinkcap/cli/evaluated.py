"""How ``thinkcap evaluate`` shows what it found: tables, or JSON."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from math import isfinite
from typing import TYPE_CHECKING, Any

from thinkcap.cli.show import print_json, table

if TYPE_CHECKING:
    from thinkcap.evals import Added, Best, Evaluation, Interval, Replay

__all__ = ["of_note", "show_evaluation"]


def of_note(ours: Sequence[Replay]) -> list[Replay]:
    """Ours at prices at which it came to something else than at the one before."""
    found: list[Replay] = []
    for each in ours:
        if not found or abs(each.usd.mean() / max(found[-1].usd.mean(), 1e-12) - 1) > 0.15:
            found.append(each)
    return found


def show_evaluation(result: Evaluation, *, as_json: bool) -> None:
    """Print it, with the words that say what the verifier is wherever there is one."""
    if as_json:
        for note in result.notes:
            warnings.warn(note, stacklevel=2)  # on standard error, beside the JSON
        print_json(_json(result))
        return
    chosen = [
        [
            f"${worth:.3g}",
            f"{each.accuracy.mean():.1%}",
            f"${1000 * each.usd.mean():.4g}",
            f"{each.output_tokens.mean():,.0f}",
            f"{each.attempts.mean():.2f}",
            _classes(result, place),
        ]
        for place, (worth, each) in enumerate(zip(result.crossfit.worths.tolist(), result.ours, strict=True))
        if each in of_note(result.ours)
    ]
    heads = ["a right answer is worth", "right", "$ / 1,000 questions", "output tokens", "attempts", "class"]
    under = "" if result.verifier is None else f" ({result.verifier})"
    table(f"thinkcap, chosen by cross-fitting: {result.questions:,} questions{under}", heads, chosen)
    rows = [
        [
            match.policy,
            f"{replay.accuracy.mean():.1%}",
            f"${1000 * replay.usd.mean():.4g}",
            _points(match.accuracy_gain.mean),
            _ends(match.accuracy_gain),
            _part(match.usd_ratio.mean),
            f"{_part(match.usd_ratio.low)} to {_part(match.usd_ratio.high)}",
        ]
        for match, replay in zip(result.matches, result.baselines, strict=True)
    ]
    heads = ["baseline", "right", "$ / 1,000", "gain at its cost", "95 %", "cost at its accuracy", "95 %"]
    left = [each.hindsight / each.worth_usd for each in result.regrets]
    lines = [
        *result.notes,
        f"regret to the best single arm in hindsight, over {len(left)} prices: "
        f"{100 * sum(left) / len(left):.2f} points in the mean, {100 * max(left):.2f} at the worst",
    ]
    if result.oracle is not None:
        right, usd = result.oracle.accuracy.mean(), result.oracle.usd.mean()
        rows.append(["oracle: cheapest that passes", f"{right:.1%}", f"${1000 * usd:.4g}", *["-"] * 4])
    table(f"thinkcap beside the baselines{under}", heads, rows, "\n".join(lines))
    if result.best is not None:
        _show_best(result.best, under)
    if result.added:
        _show_added(result.added, under)


def _show_added(added: Sequence[Added], under: str) -> None:
    rows = [
        [
            each.name,
            f"{each.accuracy.mean:.1%}",
            "-" if each.gain is None else _points(each.gain.mean),
            "-" if each.gain is None else _ends(each.gain),
            *(f"{each.at[place]:.1%}" for place in _shown(each)),
            f"${1000 * each.dearest_usd:.4g}",
        ]
        for each in added
    ]
    costs = [f"at ${1000 * added[0].usd[place]:.4g}" for place in _shown(added[0])]
    heads = ["classes up to", "right, mean", "more than before", "95 %", *costs, "dearest"]
    caption = f"means over {len(added[0].usd)} costs, spread evenly in logarithm; $ for 1,000 questions"
    table(f"what each class added{under}", heads, rows, caption)


def _shown(added: Added) -> list[int]:
    last = len(added.usd) - 1
    return [last // 4, last // 2, 3 * last // 4]


def _show_best(best: Best, under: str) -> None:
    rows = [
        [f"{part:.4g} of its cost", f"${1000 * part * best.usd:.4g}", _points(gain.mean), _ends(gain)]
        for part, gain in best.gains
    ]
    ratio = best.usd_ratio
    caption = (
        f"one call at {best.arm} is right {best.accuracy:.1%} of the time at ${1000 * best.usd:.4g} for 1,000 "
        f"questions; thinkcap needs {_part(ratio.mean)} of its cost to be as accurate (95 %: {_part(ratio.low)} to "
        f"{_part(ratio.high)})"
    )
    heads = ["thinkcap at", "$ / 1,000", "more right than it, points", "95 %"]
    table(f"thinkcap beside the best single arm in hindsight{under}", heads, rows, caption)


def _classes(result: Evaluation, place: int) -> str:
    counted = result.crossfit.levels[place]
    shares = enumerate((counted / counted.sum()).tolist())
    return ", ".join(f"{level}: {100 * share:.0f} %" for level, share in shares if share >= 0.005)


def _ends(gain: Interval) -> str:
    return f"{_points(gain.low)} to {_points(gain.high)}"


def _points(share: float) -> str:
    return "-" if share != share else f"{100 * share:+.2f}"


def _part(share: float) -> str:
    return "never" if not isfinite(share) else f"{share:.2f}"


def _number(value: float) -> float | None:
    return value if isfinite(value) else None


def _json(result: Evaluation) -> dict[str, Any]:
    worths = result.crossfit.worths.tolist()
    known = [] if result.oracle is None else [result.oracle]
    pairs = [*((None, each) for each in (*result.baselines, *known)), *zip(worths, result.ours, strict=True)]
    return {
        **({} if result.verifier is None else {"verifier": result.verifier}),
        "questions": result.questions,
        "rows": [
            {
                "policy": each.policy,
                "price": price,
                "accuracy": float(each.accuracy.mean()),
                "usd": float(each.usd.mean()),
                "output_tokens": float(each.output_tokens.mean()),
                "attempts": float(each.attempts.mean()),
            }
            for price, each in pairs
        ],
        "comparison": [
            {
                "baseline": match.policy,
                "accuracy_gain_at_its_cost": _number(match.accuracy_gain.mean),
                "low": _number(match.accuracy_gain.low),
                "high": _number(match.accuracy_gain.high),
                "cost_ratio_at_its_accuracy": _number(match.usd_ratio.mean),
                "cost_low": _number(match.usd_ratio.low),
                "cost_high": _number(match.usd_ratio.high),
            }
            for match in result.matches
        ],
        "regret": [
            {"worth_usd": each.worth_usd, "value": each.value, "hindsight": each.hindsight, "oracle": each.oracle}
            for each in result.regrets
        ],
        **({"ablation": [_added_json(each) for each in result.added]} if result.added else {}),
        **({} if result.best is None else {"best_single_arm": _best_json(result.best)}),
    }


def _added_json(added: Added) -> dict[str, Any]:
    gain = added.gain
    return {
        "classes_up_to": added.name,
        "mean_accuracy": added.accuracy.mean,
        "gain": None if gain is None else gain.mean,
        "low": None if gain is None else gain.low,
        "high": None if gain is None else gain.high,
        "usd": list(added.usd),
        "accuracy": list(added.at),
        "dearest_usd": added.dearest_usd,
    }


def _best_json(best: Best) -> dict[str, Any]:
    return {
        "arm": best.arm,
        "accuracy": best.accuracy,
        "usd": best.usd,
        "cost_ratio_at_its_accuracy": _number(best.usd_ratio.mean),
        "cost_low": _number(best.usd_ratio.low),
        "cost_high": _number(best.usd_ratio.high),
        "gains": [
            {
                "part_of_its_cost": part,
                "accuracy_gain": _number(gain.mean),
                "low": _number(gain.low),
                "high": _number(gain.high),
            }
            for part, gain in best.gains
        ],
    }
