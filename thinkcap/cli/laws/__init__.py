"""``thinkcap laws``: the scaling laws, to look up and to compute with."""

from thinkcap.cli.laws.group import laws

__all__ = ["laws"]
