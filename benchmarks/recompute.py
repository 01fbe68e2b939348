"""Recompute what thinkcap printed from its rows alone: numpy and pyarrow, and nothing of thinkcap.

    thinkcap replay FILE --policy ... --rows rows.parquet && python benchmarks/recompute.py rows.parquet
    thinkcap evaluate FILE ... --rows rows.parquet && python benchmarks/recompute.py rows.parquet

One line of JSON for each policy and point: mean accuracy, dollars, output tokens and attempts over graded questions.
Then, if there is a policy called thinkcap, one for every other: what thinkcap gains at its cost, mixing neighbours in
cost, and what part of its cost it needs for its accuracy. Intervals depend on luck and are left to thinkcap.
"""

import json
import sys

import numpy as np
from pyarrow import parquet

rows = parquet.read_table(sys.argv[1]).to_pydict()
names = list(dict.fromkeys(zip(rows["policy"], rows["point"], strict=True)))
which = np.array([names.index(key) for key in zip(rows["policy"], rows["point"], strict=True)])
graded = np.array([right is not None for right in rows["accuracy"]])
points = {}
for place, (policy, point) in enumerate(names):
    mine = np.flatnonzero((which == place) & graded)
    figures = {
        name: float(np.mean([rows[name][row] for row in mine]))
        for name in ("accuracy", "usd", "output_tokens", "attempts")
    }
    points[policy, point] = figures
    print(json.dumps({"policy": policy, "point": point, "questions": len(mine), **figures}))

ours = sorted((each["usd"], each["accuracy"]) for (policy, _), each in points.items() if policy == "thinkcap")
for (policy, point), each in points.items():
    if ours and policy != "thinkcap":
        costs, rights = np.array(ours).T
        best = np.maximum.accumulate(rights)
        covered = each["usd"] >= costs[0] * (1 - 1e-9)
        gain = np.interp(each["usd"], costs, rights) - each["accuracy"] if covered else None
        ratio = np.interp(each["accuracy"], best, costs) / each["usd"] if each["accuracy"] <= best[-1] else None
        found = {"accuracy_gain_at_its_cost": gain, "cost_ratio_at_its_accuracy": ratio}
        print(json.dumps({"baseline": policy, "point": point, **found}))
