"""What a month costs, as a function of how much is asked."""

from __future__ import annotations

from dataclasses import dataclass

from thinkcap.policies.plan.option import Option

__all__ = ["Total", "total_of"]


@dataclass(frozen=True, slots=True)
class Total:
    """Dollars a month: fixed + max(least, demand x usd_per_question).

    Attributes:
        fixed_usd: dollars a month whatever is asked.
        least_usd: dollars a month that are paid for work even where less is asked.
        usd_per_question: dollars each question takes beyond that.
    """

    fixed_usd: float
    least_usd: float
    usd_per_question: float

    def usd(self, demand: float) -> float:
        """Dollars a month at so many questions a month."""
        return self.fixed_usd + max(self.least_usd, demand * self.usd_per_question)

    @property
    def lines(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Its two straight pieces as (dollars at no demand, dollars a question); the higher one holds."""
        return (self.fixed_usd + self.least_usd, 0.0), (self.fixed_usd, self.usd_per_question)


def total_of(option: Option, work: float) -> Total:
    """What a month costs where each question takes so much work."""
    return Total(option.fixed_usd, option.least_usd, work * option.usd_per_work)
