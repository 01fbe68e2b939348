"""The small local model for the command: its server, its client, its arms and prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from thinkcap.cli.show import bar
from thinkcap.policies import Api, Arm, BadInput

if TYPE_CHECKING:
    import openai

    from thinkcap.controller import Price
    from thinkcap.controller.local import LocalServer

__all__ = ["local_arms", "local_model", "local_server"]


@contextmanager
def local_server() -> Iterator[LocalServer]:
    """The model's server while the block runs; the model is fetched first, with a progress bar, if it is not here."""
    from thinkcap.controller.local import LocalServer, check_installed, fetch_model

    check_installed()
    with bar("fetching the model (93 MB, once)", unit="bytes") as show:
        path = fetch_model(lambda done, total: show(done, total))
    with LocalServer(path) as server:
        yield server


@contextmanager
def local_model() -> Iterator[tuple[openai.OpenAI, Mapping[str, Price]]]:
    """A client for the model, while the block runs, and what the model is taken to cost."""
    from thinkcap.demo import PRICES

    with local_server() as server, server.client() as client:
        yield client, PRICES


def local_arms(
    texts: Sequence[str] | None, *, api: Api, max_output_tokens: int | None = None, temperature: float | None = None
) -> list[Arm]:
    """The model's arms that are named; all of them, cheapest first, where none is. What is given replaces their own."""
    from thinkcap.demo import arms

    known = {arm.label: arm for arm in arms(api)}
    unknown = [text for text in texts or () if text not in known]
    if unknown:
        raise BadInput(f"the local model has the arms {', '.join(known)}, not {unknown[0]!r}")
    given = {"max_output_tokens": max_output_tokens, "temperature": temperature}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return [replace(known[text], **changes) for text in texts or known]
