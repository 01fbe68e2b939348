"""Importers: other tools' records of attempts as rows of a recording."""

from __future__ import annotations

from thinkcap.evals.importers.importing import import_rows
from thinkcap.evals.importers.shared import CostOf

__all__ = ["CostOf", "import_rows"]
