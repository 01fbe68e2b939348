"""The fitted test-time scaling curve. Fitting one needs scipy; loading and using one needs numpy alone."""

from __future__ import annotations

from thinkcap.policies.curves.advice import Advice
from thinkcap.policies.curves.agreement import Agreement
from thinkcap.policies.curves.arm import ArmCurve, Choice, How, Measured
from thinkcap.policies.curves.contract import check_curve
from thinkcap.policies.curves.curve import Curve, Prediction
from thinkcap.policies.curves.difficulty import Belief
from thinkcap.policies.curves.guard import reach
from thinkcap.policies.curves.mass import Mass, Shape
from thinkcap.policies.curves.points import Point, worth_having
from thinkcap.policies.curves.price import Price
from thinkcap.policies.curves.recorded import Recorded
from thinkcap.policies.curves.rightness import Rightness
from thinkcap.policies.curves.tokens import Tokens

__all__ = [
    "Advice",
    "Agreement",
    "ArmCurve",
    "Belief",
    "Choice",
    "Curve",
    "How",
    "Mass",
    "Measured",
    "Point",
    "Prediction",
    "Price",
    "Recorded",
    "Rightness",
    "Shape",
    "Tokens",
    "check_curve",
    "reach",
    "worth_having",
]
