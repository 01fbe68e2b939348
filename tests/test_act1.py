"""The demo's first act: the bare client passes the ceiling, the governed one does not."""

from __future__ import annotations

import json

from thinkcap.cli.show import table
from thinkcap.demo.act1 import CALLS, N, act1, as_table

ONE_CALL = N * 1_500 * 2_000 + 8 * 250  # eight choices, and a prompt of 8 words with its role, in nano-dollars


def test_the_bare_client_passes_the_ceiling_and_the_governed_one_does_not() -> None:
    """Twelve calls cost the bare client all twelve; the governed one sends only as many as fit, and is never over."""
    found = act1()
    bare, governed = found.sides
    assert (bare.answered, bare.refused, bare.nusd) == (CALLS, 0, CALLS * ONE_CALL)
    assert found.over(bare) == CALLS * ONE_CALL - 100_000_000
    assert governed.answered == 100_000_000 // ONE_CALL == 4
    assert governed.answered + governed.refused == CALLS
    assert governed.nusd == 4 * ONE_CALL <= found.ceiling_nusd
    assert found.held
    assert found.over(governed) == 0


def test_most_of_what_is_billed_is_hidden() -> None:
    """The book counts the reasoning that nobody saw, of every choice."""
    bare = act1().sides[0]
    assert (bare.output_tokens, bare.hidden_tokens) == (CALLS * N * 1_500, CALLS * N * 1_480)


def test_the_act_is_shown_and_told() -> None:
    """The table names both clients and what they were billed over the ceiling; the figures are JSON."""
    found = act1()
    shown = as_table(found)
    table(*shown)
    assert [row[0] for row in shown.rows] == ["bare client", "governed client"]
    assert [row[2] for row in shown.rows] == ["+188 %", "0"]
    told = json.loads(json.dumps(found.to_json()))
    assert told["held"] is True
    assert told["sides"]["bare client"]["over_nusd"] == found.over(found.sides[0])
