"""A budget shared by questions that come one by one: how much to spend on the next.

Re-solved pacing: before each question the budget that is left is divided by the questions that are still to come, and
the curve's policy with that mean cost answers it. Drift cancels, since every decision starts from what is really left
(re-solving; Jasin and Kumar 2012). What the questions really cost, against what was expected, corrects the price as it
becomes known, so that the first questions do not eat what the last ones need; and no question goes on once it has taken
what the cheapest answers to the others need.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from thinkcap.policies.curves import Point
from thinkcap.policies.curves.points import choose
from thinkcap.policies.errors import BadInput
from thinkcap.policies.expected import Expected
from thinkcap.policies.money import NANO
from thinkcap.policies.policy import Capped, Policy

__all__ = ["Pace", "Share"]

_TRUSTED = 20
"""Questions after which their own mean cost weighs as much as the expected one."""


@dataclass(frozen=True, slots=True, eq=False)
class Share:
    """How one question of a stream is answered.

    Attributes:
        policy: who decides, as long as the question has not cost more than there is for it.
        usd: dollars that it is expected to cost.
    """

    policy: Policy
    usd: float


class Pace:
    """Chooses the policy of each question of a stream.

    Args:
        points: policies worth having, cheapest first, with what to expect of each.
        questions: how many will come.
    """

    def __init__(self, points: Sequence[Point], questions: int) -> None:
        if not points or questions < 1:
            raise BadInput("a stream needs at least one policy, and to be told how many questions will come")
        self._points, self._left = tuple(points), questions
        self._running: list[Share] = []
        self._came = self._expected = 0.0
        self._ended = 0

    def next(self, free_usd: float) -> Share:
        """The policy of the next question.

        Args:
            free_usd: dollars of the budget that are not spent.
        """
        ratio, least = self._ratio(), self._least()
        free = free_usd - ratio * sum(share.usd for share in self._running)
        each = free / max(1, self._left) / ratio
        chosen = self._chosen(each)
        self._left -= 1
        most = max(each * ratio, free - ratio * least * max(0, self._left))
        share = Share(Capped(chosen.policy, nusd=max(1, round(most * NANO))), chosen.expected.usd.mean)
        self._running.append(share)
        return share

    def took(self, share: Share, usd: float) -> None:
        """What a question cost, in dollars."""
        self._running.remove(share)
        self._came += usd
        self._expected += share.usd
        self._ended += 1

    def _chosen(self, usd: float) -> Expected:
        least, most = self._points[0].expected, self._points[-1].expected
        if len(self._points) == 1 or usd <= least.usd.mean:  # which may be nothing
            return Expected(self._points[0].policy, least)
        return choose(self._points, mean_usd=min(usd, most.usd.mean))

    def _least(self) -> float:
        """What a question costs at the least: as expected, else as those before came to."""
        return self._points[0].expected.usd.mean or self._came / max(1, self._ended)

    def _ratio(self) -> float:
        """What questions cost, over what was expected of them."""
        if not self._expected:
            return 1.0
        trusted = _TRUSTED * self._expected / self._ended
        return (trusted + self._came) / (trusted + self._expected)
