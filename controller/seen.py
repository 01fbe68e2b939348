"""What earlier calls taught: the size of a prompt as the provider counts it, and how long a model's answers get."""

from __future__ import annotations

import threading
from bisect import insort
from collections import deque
from contextlib import suppress

__all__ = ["LEAST_OUTPUT_TOKENS", "Lengths", "Seen"]

LEAST_OUTPUT_TOKENS = 1024
"""Output cap below which a call is not made, as long as nothing is known of how long this model's answers are."""

_PROMPTS = 4096
_ANSWERS = 256
_MUCH_LONGER = 4
"""How many times as long as some length hardly any answer gets that passes it: one in ten or so gets longer still."""
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

        How long it would have got nobody knows.
        """
        self._new.append(_MUCH_LONGER * tokens if cut else tokens)

    def enough(self, in_ten: int = 9) -> int:
        """The least cap under which the next answer is likely to finish.

        So many in ten finish under it, if the next answer is like these (split conformal; Vovk et al. 2005). With n
        answers seen, the next one is at most the k-th shortest of them with a chance of k / (n + 1). Fewer than nine
        cannot tell: then it is twice the longest, where that is short.
        """
        lengths = self._sort()
        if not lengths:
            return LEAST_OUTPUT_TOKENS
        if len(lengths) < _FEW:
            return max(1, lengths[-1], min(2 * lengths[-1], LEAST_OUTPUT_TOKENS))
        return max(1, lengths[-(-in_ten * (len(lengths) + 1) // 10) - 1])

    def ample(self) -> int | None:
        """A cap that hardly any answer will need more than; None as long as too few were seen."""
        lengths = self._sort()
        return None if len(lengths) < _FEW else max(_MUCH_LONGER * lengths[-1], LEAST_OUTPUT_TOKENS)

    def _sort(self) -> list[int]:
        """The latest, sorted. Each step leaves what a signal handler can go on with, which may come back in here."""
        while self._new:
            with suppress(IndexError):
                tokens = self._new.popleft()
                insort(self._sorted, tokens)
                self._latest.append(tokens)
            if len(self._latest) > _ANSWERS:
                self._sorted.remove(self._latest.popleft())
        return self._sorted


class Seen:
    """What calls of one client, or of all of a controller's, showed; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may call and settle inside it
        self._prompts: dict[tuple[str, int], int] = {}
        self._lengths: dict[str, Lengths] = {}

    def prompt(self, model: str, key: int) -> int | None:
        """The most tokens the provider counted for this very prompt; None if it was not asked before."""
        return self._prompts.get((model, key))

    def enough(self, model: str, in_ten: int = 9) -> int:
        """The least output cap under which an answer of this model is likely to finish: so many in ten do."""
        with self._lock:
            lengths = self._lengths.get(model)
            return LEAST_OUTPUT_TOKENS if lengths is None else lengths.enough(in_ten)

    def ample(self, model: str) -> int | None:
        """An output cap that hardly any answer of this model will need more than; None if that cannot be told."""
        with self._lock:
            lengths = self._lengths.get(model)
            return None if lengths is None else lengths.ample()

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
                self._prompts.pop(next(iter(self._prompts)), None)
            lengths = self._lengths.get(model)
            if lengths is None:
                lengths = self._lengths.setdefault(model, Lengths())
            lengths.learn(output_tokens, cut=cut)
