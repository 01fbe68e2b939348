"""What a fit reads of a recording, so that anything with these columns can be fitted."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from thinkcap.policies.values import Arm

__all__ = ["Recorded"]


class Recorded(Protocol):
    """Recorded attempts as columns; :class:`thinkcap.evals.Recording` has them, and says more of each."""

    @property
    def source(self) -> str:
        """Where they are from."""
        ...

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the benchmarks in it; ``""`` where none is named."""
        ...

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The ways of asking, from the cheapest to the dearest."""
        ...

    @property
    def questions(self) -> tuple[str, ...]:
        """The questions' ids."""
        ...

    @property
    def groups(self) -> tuple[str | None, ...]:
        """Each question's family; None for one without.  (questions,)"""
        ...

    @property
    def comparable(self) -> NDArray[np.bool_]:
        """Answers to this question can be compared.  (questions,)"""
        ...

    @property
    def verifiable(self) -> NDArray[np.bool_]:
        """A verifier judges answers to this question.  (questions,)"""
        ...

    @property
    def question(self) -> NDArray[np.int32]:
        """Code of the question.  (attempts,)"""
        ...

    @property
    def arm(self) -> NDArray[np.int32]:
        """Code of the arm.  (attempts,)"""
        ...

    @property
    def correct(self) -> NDArray[np.int8]:
        """1 right, 0 wrong, -1 not graded.  (attempts,)"""
        ...

    @property
    def answer(self) -> NDArray[np.int32]:
        """Code of the answer among its question's; -1 for none.  (attempts,)"""
        ...

    @property
    def input_tokens(self) -> NDArray[np.int64]:
        """Prompt tokens; -1 where not recorded.  (attempts,)"""
        ...

    @property
    def output_tokens(self) -> NDArray[np.int64]:
        """Tokens generated, including hidden reasoning; 0 for a call that failed.  (attempts,)"""
        ...

    @property
    def cost_nusd(self) -> NDArray[np.int64]:
        """Nano-dollars.  (attempts,)"""
        ...
