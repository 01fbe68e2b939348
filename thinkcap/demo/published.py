"""The published case the demo is a small copy of: o3 at low and high effort on ARC-AGI-1.

ARC Prize Foundation, "OpenAI o3 breakthrough high score on ARC-AGI-Pub", December 2024: semi-private set, 100 tasks;
6 and 1,024 samples a task; 33 million and 5.7 billion tokens in all.
"""

from __future__ import annotations

__all__ = ["O3_HIGH", "O3_LOW"]

O3_LOW = (330_000, 0.757)
"""Tokens per task, and accuracy (0 to 1)."""

O3_HIGH = (57_000_000, 0.875)
"""172 times the tokens for 11.8 points."""
