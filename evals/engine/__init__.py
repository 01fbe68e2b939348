"""Many episodes at once: the policies that can be written as a plan, replayed over arrays instead of one by one."""

from __future__ import annotations

from thinkcap.evals.engine.cutting import cut_episodes
from thinkcap.evals.engine.deal import Deal, Grades, deal, read_grades
from thinkcap.evals.engine.plan import Plan, capping, plan_of, plans_of, unwrapped
from thinkcap.evals.engine.walk import Walk, walk

__all__ = [
    "Deal",
    "Grades",
    "Plan",
    "Walk",
    "capping",
    "cut_episodes",
    "deal",
    "plan_of",
    "plans_of",
    "read_grades",
    "unwrapped",
    "walk",
]
