"""Scaling laws: each with its formula, constants, units, domain, source and, where published, uncertainty.

The laws themselves are modules, one each, whose functions have plain names::

    from thinkcap.policies.laws import chinchilla, sardana

    chinchilla.BESIROGLU.optimum(5.76e23).tokens_per_param

kaplan, chinchilla, trap, sardana (training); jones, snell, o3, hours (thinking); walls; flops, dollars (accounting).
"""

from thinkcap.policies.laws.catalogue import LAWS, find_law
from thinkcap.policies.laws.chinchilla import FITS, Fit, Run, find_fit
from thinkcap.policies.laws.law import Constant, Law, Source
from thinkcap.policies.laws.units import read_duration, read_quantity, read_rate

__all__ = [
    "FITS",
    "LAWS",
    "Constant",
    "Fit",
    "Law",
    "Run",
    "Source",
    "find_fit",
    "find_law",
    "read_duration",
    "read_quantity",
    "read_rate",
]
