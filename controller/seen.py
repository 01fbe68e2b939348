"""What earlier calls taught: the size of a prompt as the provider counts it, and how long a model's answers get."""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections import deque

__all__ = ["LEAST_OUTPUT_TOKENS", "Lengths", "Seen"]

LEAST_OUTPUT_TOKENS = 1024
"""Output cap below which a call is not made, as long as nothing is known of how long this model's answers are."""

_PROMPTS = 4096
_ANSWERS = 256
_FEW = 9
"""Answers from which on nine in ten of the next can be told: the ninth longest of nine, and so on."""


class Lengths:
    """How many tokens the latest answers of one model took."""

    def __init__(self) -> None:
        self._new: deque[int] = deque(maxlen=_ANSWERS)  # not yet among the others: most calls never ask
        self._latest: deque[int] = deque()
        self._sorted: list[int] = []

    def learn(self, tokens: int, *, cut: bool) -> None:
        """Note one answer; one that was cut at so many tokens counts as four times as long.

        How long it would have got nobody knows. Answers vary so much in length that of those longer than some cap one
        in ten or so is more than four times as long.
        """
        self._new.append(4 * tokens if cut else tokens)

    def enough(self) -> int:
        """The least cap under which the next answer is likely to finish, from one answer on.

        Nine in ten finish under it, if the next answer is like these (split conformal; Vovk et al. 2005). With n
        answers seen, the next one is at most the k-th shortest of them with a chance of k / (n + 1). Fewer than nine
        cannot tell: then it is twice the longest, where that is short.
        """
        while self._new:
            tokens = self._new.popleft()
            if len(self._latest) == _ANSWERS:
                del self._sorted[bisect_left(self._sorted, self._latest.popleft())]
            self._latest.append(tokens)
            insort(self._sorted, tokens)
        count, longest = len(self._sorted), self._sorted[-1]
        if count < _FEW:
            return max(1, longest, min(2 * longest, LEAST_OUTPUT_TOKENS))
        return max(1, self._sorted[-(-9 * (count + 1) // 10) - 1])


class Seen:
    """What calls of one client, or of all of a controller's, showed; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._prompts: dict[tuple[str, int], int] = {}
        self._lengths: dict[str, Lengths] = {}

    def prompt(self, model: str, key: int) -> int | None:
        """The most tokens the provider counted for this very prompt; None if it was not asked before."""
        return self._prompts.get((model, key))

    def enough(self, model: str) -> int:
        """The least output cap under which an answer of this model is likely to finish."""
        with self._lock:
            lengths = self._lengths.get(model)
            return LEAST_OUTPUT_TOKENS if lengths is None else lengths.enough()

    def learn(self, model: str, key: int, *, input_tokens: int, output_tokens: int, cut: bool) -> None:
        """Keep what a settled call showed.

        Args:
            model: the model asked for.
            key: identifies the prompt.
            input_tokens: as the provider counted it.
            output_tokens: of one choice.
            cut: it ended at its cap.
        """
        prompt = (model, key)
        with self._lock:
            self._prompts[prompt] = max(input_tokens, self._prompts.pop(prompt, 0))  # the latest is the last one
            if len(self._prompts) > _PROMPTS:
                del self._prompts[next(iter(self._prompts))]
            lengths = self._lengths.get(model)
            if lengths is None:
                lengths = self._lengths[model] = Lengths()
            lengths.learn(output_tokens, cut=cut)
