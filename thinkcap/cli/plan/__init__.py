"""``thinkcap plan``: a bigger model, or think longer? At one's own demand and prices."""

from thinkcap.cli.plan.command import plan

__all__ = ["plan"]
