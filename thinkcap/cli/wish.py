"""The options that choose a policy of a curve: its file, and one wish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from thinkcap.policies import BadInput, Policy, parse_policy

if TYPE_CHECKING:
    from thinkcap.policies.curves import Curve

__all__ = ["AccuracyOption", "MeanUsdOption", "Wish", "WorthUsdOption"]

AccuracyOption = Annotated[
    float | None,
    typer.Option("--accuracy", help="Of a curve: the least share of right answers, 0 to 1, at the lowest cost."),
]
MeanUsdOption = Annotated[
    float | None, typer.Option("--mean-usd", help="Of a curve: dollars a question may cost in the mean.")
]
WorthUsdOption = Annotated[
    float | None, typer.Option("--worth-usd", help="Of a curve: dollars that one more right answer is worth.")
]

_CURVE = "curve:"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked of a curve: one of the three."""

    accuracy: float | None
    mean_usd: float | None
    worth_usd: float | None

    @property
    def is_given(self) -> bool:
        """One of them, at least, was typed."""
        return (self.accuracy, self.mean_usd, self.worth_usd) != (None, None, None)

    @staticmethod
    def curve_of(policy: str | None) -> Curve | None:
        """The curve that a policy's text names; None if it names none."""
        if policy is None or not policy.startswith(_CURVE):
            return None
        from thinkcap.policies.curves import Curve

        return Curve.load(policy.removeprefix(_CURVE))

    def policy(self, text: str, arm: str | None = None, *, most: int = 40) -> Policy:
        """The policy that a text means: ``curve:FILE`` with the wish, and all that :func:`parse_policy` reads.

        Raises:
            BadInput: if the text is no policy, or the curve has none that meets the wish.
        """
        curve = self.curve_of(text)
        if curve is None:
            return parse_policy(text, arm, most=most)
        if not self.is_given:
            raise BadInput(
                f"{text} needs one wish: --accuracy SHARE, --mean-usd DOLLARS (a question) or --worth-usd DOLLARS "
                "(that a right answer is worth)"
            )
        return curve.policy(accuracy=self.accuracy, mean_usd=self.mean_usd, worth_usd=self.worth_usd)

    def check_used(self, policies: list[str]) -> None:
        """A wish that nothing asks for is a mistake.

        Raises:
            BadInput: if there is one.
        """
        if self.is_given and not any(text.startswith(_CURVE) for text in policies):
            raise BadInput("--accuracy, --mean-usd and --worth-usd choose from a curve: add --policy curve:FILE")
