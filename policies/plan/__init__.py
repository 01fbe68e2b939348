"""The planner: which way to answer is cheapest at a target and a demand, and from which demand on another one is."""

from thinkcap.policies.plan.breakeven import crossings
from thinkcap.policies.plan.option import MONTH_S, Option, Step, hosted
from thinkcap.policies.plan.plan import Pair, Plan, Way, make_plan
from thinkcap.policies.plan.reach import Effort, reach
from thinkcap.policies.plan.total import Total

__all__ = [
    "MONTH_S",
    "Effort",
    "Option",
    "Pair",
    "Plan",
    "Step",
    "Total",
    "Way",
    "crossings",
    "hosted",
    "make_plan",
    "reach",
]
