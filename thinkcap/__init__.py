"""thinkcap: put a cap on what a question may cost, and spend what is under the cap where thinking helps most.

The names below are loaded when they are first used: ``import thinkcap`` itself imports neither the OpenAI SDK
nor numpy.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thinkcap.controller import (
        Account,
        AsyncController,
        Bound,
        Ceiling,
        Controller,
        Price,
        Recorder,
        Retries,
        govern,
        record,
    )
    from thinkcap.evals import fit_curve, load_recording, replay
    from thinkcap.policies import (
        ESC,
        AdaptiveConsistency,
        Arm,
        BadInput,
        Cascade,
        CeilingReached,
        Chain,
        Fixed,
        Ladder,
        Lead,
        Mix,
        Outcome,
        Policy,
        ProviderFailed,
        ThinkcapError,
        UnknownPrice,
        Vote,
        parse_policy,
    )
    from thinkcap.policies.curves import Curve, check_curve

_WHERE: dict[str, str] = {
    "Account": "thinkcap.controller",
    "AdaptiveConsistency": "thinkcap.policies",
    "Arm": "thinkcap.policies",
    "AsyncController": "thinkcap.controller",
    "BadInput": "thinkcap.policies",
    "Bound": "thinkcap.controller",
    "Cascade": "thinkcap.policies",
    "Ceiling": "thinkcap.controller",
    "CeilingReached": "thinkcap.policies",
    "Chain": "thinkcap.policies",
    "Controller": "thinkcap.controller",
    "Curve": "thinkcap.policies.curves",
    "ESC": "thinkcap.policies",
    "Fixed": "thinkcap.policies",
    "Ladder": "thinkcap.policies",
    "Mix": "thinkcap.policies",
    "Lead": "thinkcap.policies",
    "Outcome": "thinkcap.policies",
    "Policy": "thinkcap.policies",
    "Price": "thinkcap.controller",
    "ProviderFailed": "thinkcap.policies",
    "Recorder": "thinkcap.controller",
    "Retries": "thinkcap.controller",
    "ThinkcapError": "thinkcap.policies",
    "UnknownPrice": "thinkcap.policies",
    "Vote": "thinkcap.policies",
    "check_curve": "thinkcap.policies.curves",
    "fit_curve": "thinkcap.evals",
    "govern": "thinkcap.controller",
    "load_recording": "thinkcap.evals",
    "parse_policy": "thinkcap.policies",
    "record": "thinkcap.controller",
    "replay": "thinkcap.evals",
}

__all__ = [
    "ESC",
    "Account",
    "AdaptiveConsistency",
    "Arm",
    "AsyncController",
    "BadInput",
    "Bound",
    "Cascade",
    "Ceiling",
    "CeilingReached",
    "Chain",
    "Controller",
    "Curve",
    "Fixed",
    "Ladder",
    "Lead",
    "Mix",
    "Outcome",
    "Policy",
    "Price",
    "ProviderFailed",
    "Recorder",
    "Retries",
    "ThinkcapError",
    "UnknownPrice",
    "Vote",
    "check_curve",
    "fit_curve",
    "govern",
    "load_recording",
    "parse_policy",
    "record",
    "replay",
]


def __getattr__(name: str) -> Any:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"module 'thinkcap' has no attribute {name!r}")
    found = getattr(importlib.import_module(where), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
