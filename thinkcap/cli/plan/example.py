"""The plan that is bundled: o3 at low and high compute, as published."""

from __future__ import annotations

__all__ = ["EXAMPLE"]

EXAMPLE = """\
# thinkcap plan plan.toml: the cheapest way to a target at a demand. Change the figures to your own.

demand = "1000/month"     # questions a month; a period is needed: /day, /week, /month, /year
target = 0.80             # share of questions that have to be answered right
# max_seconds = 600       # the longest a question may take

# o3 on ARC-AGI-1, 100 semi-private tasks (ARC Prize Foundation, December 2024). Low is 6 samples a task, high 1,024.
# The price of high was not published: it is low's price a token, $2,012 / 33M, times its 57M tokens.

[[option]]
name = "o3 low"
task = "ARC-AGI-1 semi-private"       # options are comparable only on one task
points = [{ usd = 20.12, accuracy = 0.757, seconds = 78, questions = 100 }]

[[option]]
name = "o3, low or high"
task = "ARC-AGI-1 semi-private"
points = [
    { usd = 20.12, accuracy = 0.757, seconds = 78, questions = 100 },
    { usd = 3475, accuracy = 0.875, seconds = 828, questions = 100 },
]

# An API by its price, and a model on hardware of your own:
#
# [[option]]
# name = "an API"
# usd_per_million = 10                # dollars per million tokens
# points = [{ tokens = 2e3, accuracy = 0.70 }, { tokens = 2e4, accuracy = 0.85 }]
#
# [[option]]
# name = "a small model that thinks"
# gpu_usd_per_hour = 2                # one set of GPUs is always on
# gpus = 1
# tokens_per_s = 2500                 # of one set, over all requests in flight
# fixed_usd_per_month = 0             # on top, such as training paid off
# points = [{ tokens = 3e4, accuracy = 0.80 }]
"""
