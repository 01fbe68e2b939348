"""The report: what policies would have cost and scored, as one page that opens anywhere."""

from __future__ import annotations

from thinkcap.evals.report.figures import Made, Predicted, Report, report_of
from thinkcap.evals.report.page import page, write_page
from thinkcap.evals.report.plot import write_plot

__all__ = ["Made", "Predicted", "Report", "page", "report_of", "write_page", "write_plot"]
