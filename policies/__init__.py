"""The ground: pure decisions. No network, no clock, no globals, no SDK.

Values, the one loop (:func:`episode`), the policies, and how answers are read, compared and verified.
"""

from thinkcap.policies.answers import ANSWER_VERSION, Extract, Extractor, Reading, extractor
from thinkcap.policies.asks import asks
from thinkcap.policies.canonical import canonical
from thinkcap.policies.cascade import Cascade
from thinkcap.policies.chain import Chain
from thinkcap.policies.drift import SoFar
from thinkcap.policies.episode import drive, drive_async, episode
from thinkcap.policies.errors import (
    BadInput,
    BadRecording,
    CeilingReached,
    LedgerFailed,
    LocalModelFailed,
    NotGoverned,
    ProviderFailed,
    ThinkcapError,
    UnknownPrice,
)
from thinkcap.policies.expected import Expectation, Expected
from thinkcap.policies.finishing import Finishing, Length
from thinkcap.policies.item import Item
from thinkcap.policies.ladder import Ladder
from thinkcap.policies.mix import Mix
from thinkcap.policies.money import NANO, Dollars, nano_usd, show_usd, usd
from thinkcap.policies.policy import Both, Capped, Either, Policy
from thinkcap.policies.row import OPTIONAL, REQUIRED, SCHEMA, Where, header, row
from thinkcap.policies.rules import ESC, AdaptiveConsistency, Fixed, Lead, Vote, leader_probability
from thinkcap.policies.spec import one_arm, parse_policy
from thinkcap.policies.spend import Short, Spend
from thinkcap.policies.values import (
    EFFORTS,
    Api,
    Arm,
    Attempt,
    Call,
    Finish,
    Offer,
    Outcome,
    Question,
    Reason,
    Room,
    State,
    Stop,
    Usage,
)
from thinkcap.policies.verifiers import (
    Verdict,
    Verifier,
    Verify,
    check,
    equals,
    grade,
    matches,
    model,
    schema,
    verifier,
)
from thinkcap.policies.votes import Tally, tally
from thinkcap.policies.words import in_words

__all__ = [
    "ANSWER_VERSION",
    "EFFORTS",
    "ESC",
    "NANO",
    "OPTIONAL",
    "REQUIRED",
    "SCHEMA",
    "AdaptiveConsistency",
    "Api",
    "Arm",
    "Attempt",
    "BadInput",
    "BadRecording",
    "Both",
    "Call",
    "Capped",
    "Cascade",
    "CeilingReached",
    "Chain",
    "Dollars",
    "Either",
    "Expectation",
    "Expected",
    "Extract",
    "Extractor",
    "Finish",
    "Finishing",
    "Fixed",
    "Item",
    "Ladder",
    "Lead",
    "LedgerFailed",
    "Length",
    "LocalModelFailed",
    "Mix",
    "NotGoverned",
    "Offer",
    "Outcome",
    "Policy",
    "ProviderFailed",
    "Question",
    "Reading",
    "Reason",
    "Room",
    "Short",
    "SoFar",
    "Spend",
    "State",
    "Stop",
    "Tally",
    "ThinkcapError",
    "UnknownPrice",
    "Usage",
    "Verdict",
    "Verifier",
    "Verify",
    "Vote",
    "Where",
    "asks",
    "canonical",
    "check",
    "drive",
    "drive_async",
    "episode",
    "equals",
    "extractor",
    "grade",
    "header",
    "in_words",
    "leader_probability",
    "matches",
    "model",
    "nano_usd",
    "one_arm",
    "parse_policy",
    "row",
    "schema",
    "show_usd",
    "tally",
    "usd",
    "verifier",
]
