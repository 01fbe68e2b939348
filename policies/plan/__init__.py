"""The planner: which way to answer is cheapest at a target and a demand, and from which demand on another one is."""

from thinkcap.policies.plan.breakeven import crossings
from thinkcap.policies.plan.fitted import curve_option
from thinkcap.policies.plan.frontiers import same_accuracies
from thinkcap.policies.plan.option import Option, Step
from thinkcap.policies.plan.plan import Case, Pair, Plan, Span, Way, make_plan
from thinkcap.policies.plan.reach import Effort, reach
from thinkcap.policies.plan.tokens import MONTH_S, Hardware, Paid, Rates, TokenStep, tokens_option
from thinkcap.policies.plan.total import Total

__all__ = [
    "MONTH_S",
    "Case",
    "Effort",
    "Hardware",
    "Option",
    "Paid",
    "Pair",
    "Plan",
    "Rates",
    "Span",
    "Step",
    "TokenStep",
    "Total",
    "Way",
    "crossings",
    "curve_option",
    "make_plan",
    "reach",
    "same_accuracies",
    "tokens_option",
]
