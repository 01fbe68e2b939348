"""The demo: a real small model asked at low effort, at high effort, and under a policy, side by side."""

from thinkcap.demo.act1 import Act1, act1, as_table
from thinkcap.demo.arms import CEILING_USD, PRICES, WORTH_USD, arms, policies
from thinkcap.demo.compare import Comparison, Side, verdict
from thinkcap.demo.families import (
    FAMILIES,
    RECORDED_EACH,
    RECORDED_SEED,
    SHIPPED,
    Family,
    fresh_questions,
    fresh_seed,
    make_questions,
)
from thinkcap.demo.live import compare_live
from thinkcap.demo.recorded import compare_recorded
from thinkcap.demo.shipped import curve_path, recording_path
from thinkcap.demo.show import draw

__all__ = [
    "CEILING_USD",
    "FAMILIES",
    "PRICES",
    "RECORDED_EACH",
    "RECORDED_SEED",
    "SHIPPED",
    "WORTH_USD",
    "Act1",
    "Comparison",
    "Family",
    "Side",
    "act1",
    "arms",
    "as_table",
    "compare_live",
    "compare_recorded",
    "curve_path",
    "draw",
    "fresh_questions",
    "fresh_seed",
    "make_questions",
    "policies",
    "recording_path",
    "verdict",
]
