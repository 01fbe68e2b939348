"""The plan that is bundled: o3 at low and high compute, as published."""

from __future__ import annotations

__all__ = ["EXAMPLE"]

EXAMPLE = """\
# thinkcap plan plan.toml: the cheapest way to a target at a demand. Change the figures to your own.

demand = "1000/month"     # questions a month; a period is needed: /day, /week, /month, /year
target = 0.80             # share of questions that have to be answered right
# max_seconds = 600       # the longest a question may take
# input_tokens = 500      # tokens of a prompt, where a point does not say
# price_factor = 2        # what if a price is so many times higher, or lower

# o3 on ARC-AGI-1, 100 semi-private tasks (ARC Prize Foundation, December 2024). Low is 6 samples a task, high 1,024.
# The price of high was not published: it is low's price a token, $2,012 / 33M, times its 57M tokens.

[[option]]
name = "o3 low"
task = "arc-agi-1"        # options are comparable only on one task
points = [{ name = "low", usd = 20.12, accuracy = 0.757, seconds = 78, questions = 100 }]

[[option]]
name = "o3, low or high"
task = "arc-agi-1"
points = [
    { name = "low", usd = 20.12, accuracy = 0.757, seconds = 78, questions = 100 },
    { name = "high", usd = 3475, accuracy = 0.875, seconds = 828, questions = 100 },
]

# Published figures that ship (thinkcap plan --published), at their own prices or at yours:
#
# [[option]]
# name = "o3 low, as published"
# published = "arc-agi-1/o3-preview:low"
#
# A curve of your own (thinkcap fit run.parquet -o curve.json), from the plan's folder; its asymptote is a limit, its
# interval is tried, and it must be fitted on this task:
#
# [[option]]
# name = "what we recorded"
# curve = "curve.json"
#
# An API by its prices:
#
# [[option]]
# name = "an API"
# prices = { input = 1, output = 10 } # dollars per million tokens; or a model's list price: prices = "gpt-5-mini"
# input_tokens = 4e3                  # read a question
# points = [{ tokens = 2e3, accuracy = 0.70 }, { tokens = 2e4, accuracy = 0.85 }]
#
# A model on hardware of your own:
#
# [[option]]
# name = "a small model that thinks"
# gpu_usd_per_hour = 2                # one set of GPUs is always on
# gpus = 1
# tokens_per_s = 2500                 # written by one set, over all requests in flight
# prefill_tokens_per_s = 20000        # read by it; without this, as slowly as written
# utilisation = 0.6                   # share of its hours with work, since demand has peaks
# request_tokens_per_s = 60           # written by one request: what max_seconds is held against
# fixed_usd_per_month = 0             # on top, such as training paid off
# points = [{ tokens = 3e4, accuracy = 0.80 }]
"""
