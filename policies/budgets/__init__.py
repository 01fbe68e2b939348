"""One budget for many questions: which of them gets the next money, all at once or as they come."""

from thinkcap.policies.budgets.batch import Batch, Certificate, Turn
from thinkcap.policies.budgets.stream import Pace, Share

__all__ = ["Batch", "Certificate", "Pace", "Share", "Turn"]
