"""What to do about an attempt that failed, in a few words behind its error."""

from __future__ import annotations

from thinkcap.policies import Attempt

__all__ = ["advice"]


def advice(attempt: Attempt) -> str:
    """The next step, in brackets; nothing where none is known."""
    error = attempt.error or ""
    if error.startswith(("AuthenticationError", "PermissionDeniedError")):
        return " (check the API key)"
    if error.startswith("NotFoundError"):
        return " (check the model's name and the base URL)"
    if error.startswith(("APIConnectionError", "APITimeoutError")):
        return " (is the server running, and is the base URL right?)"
    effort = attempt.arm.effort
    if effort is not None and ("effort" in error or f"'{effort}'" in error):
        return f" (leave out the effort {effort!r}, or choose another)"
    return ""
