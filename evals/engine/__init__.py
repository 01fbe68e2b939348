"""Many episodes at once: the policies that can be written as a plan, replayed over arrays instead of one by one."""

from __future__ import annotations

from thinkcap.evals.engine.deal import Deal, Grades, deal, read_grades
from thinkcap.evals.engine.plan import Plan, plan_of, plans_of, unwrapped
from thinkcap.evals.engine.walk import Walk, walk

__all__ = ["Deal", "Grades", "Plan", "Walk", "deal", "plan_of", "plans_of", "read_grades", "unwrapped", "walk"]
