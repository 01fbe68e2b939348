"""What every curve keeps to, as a check that users can run in their own tests."""

from __future__ import annotations

import tempfile
from pathlib import Path

from thinkcap.policies.curves.arm import How
from thinkcap.policies.curves.curve import Curve
from thinkcap.policies.curves.guard import REACH, reach
from thinkcap.policies.errors import BadInput

__all__ = ["check_curve"]

_TIGHT = 1e-9


def check_curve(curve: Curve) -> None:
    """Check the contract of a curve.

    - Every accuracy lies in [0, 1] and inside its interval; costs and tokens are above zero and grow with attempts.
    - With a verifier more attempts never lower accuracy, and never pass the plateau; one attempt is the same by vote.
    - Votes come to their plateau: from far away they are nearer to it than one attempt is.
    - A cap never raises accuracy or cost, and one far above every length changes neither by much.
    - The same question gets the same figures again, also from a curve that was saved and loaded.
    - Figures beyond twice what was recorded are refused, and come with the families' spread where asked for.

    Raises:
        AssertionError: naming the arm and what it broke.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "curve.json"
        curve.save(path)
        loaded = Curve.load(path)
    assert loaded == curve, "a curve that was saved and loaded differs from what it was"
    for arm in curve.arms:
        label, most = arm.arm.label, arm.most
        ways: list[How] = ["vote", "verified"] if arm.votes else ["verified"]
        for how in ways:
            _check_way(curve, loaded, label, most, how)
        _check_caps(curve, label, arm.tokens.most)
        _check_guard(curve, label, most)


def _check_way(curve: Curve, loaded: Curve, label: str, most: int, how: How) -> None:
    plateau = curve.plateau(label, how=how)
    assert 0 <= plateau.low <= plateau.mean <= plateau.high <= 1, f"{label}: {how}: plateau {plateau}"
    before = None
    last = reach(curve.arm(label))
    for attempts in sorted({number for number in (1, 2, 3, most, last) if number <= last}):
        found = curve.predict(label, attempts, how=how)
        where = f"{label}: {how} of {attempts}"
        interval = curve.interval(label, attempts, how=how)
        assert 0 <= found.accuracy <= 1 + _TIGHT, f"{where}: accuracy {found.accuracy}"
        assert interval.mean == found.accuracy, f"{where}: two figures for one question"
        assert 0 <= interval.low <= interval.mean <= interval.high <= 1 + _TIGHT, f"{where}: interval {interval}"
        assert found.output_tokens > 0, f"{where}: no tokens"
        assert found.usd >= 0, f"{where}: ${found.usd}"
        assert found == loaded.predict(label, attempts, how=how), f"{where}: differs once loaded"
        if before is not None:
            assert found.usd >= before.usd, f"{where}: cheaper than {before.attempts}"
            if how == "verified":
                assert found.accuracy >= before.accuracy - _TIGHT, f"{where}: worse than {before.attempts}"
        if how == "verified":
            assert found.accuracy <= plateau.mean + _TIGHT, f"{where}: above its plateau"
        before = found
    once = curve.predict(label, how="verified").accuracy
    assert abs(curve.predict(label, how="vote").accuracy - once) < _TIGHT, f"{label}: one attempt has two accuracies"
    far = curve.predict(label, 400, how=how, extrapolate=True).accuracy
    assert abs(far - plateau.mean) <= abs(once - plateau.mean) + 0.02, f"{label}: {how}: far from its plateau"


def _check_caps(curve: Curve, label: str, longest: int) -> None:
    whole = curve.predict(label)
    wide = curve.predict(label, cap=REACH * longest)
    tight = curve.predict(label, cap=max(1, round(curve.arm(label).tokens.median)))
    assert tight.accuracy <= wide.accuracy + _TIGHT <= whole.accuracy + 2 * _TIGHT, f"{label}: a cap raises accuracy"
    assert tight.usd <= wide.usd + _TIGHT <= whole.usd + 2 * _TIGHT, f"{label}: a cap raises cost"
    assert whole.accuracy - wide.accuracy < 0.05, f"{label}: a cap above every length costs accuracy"


def _check_guard(curve: Curve, label: str, most: int) -> None:
    beyond = reach(curve.arm(label)) + 1
    try:
        curve.predict(label, beyond, how="verified")
    except BadInput:
        pass
    else:
        raise AssertionError(f"{label}: {beyond} attempts are quoted though {most} were recorded")
    spread = curve.predict(label, beyond, how="verified", extrapolate=True).spread
    assert spread is not None, f"{label}: extrapolated without a spread"
    assert 0 <= spread[0] <= spread[1] <= 1 + _TIGHT, f"{label}: spread {spread}"
