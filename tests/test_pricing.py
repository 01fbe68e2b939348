"""Prices: the figures of real models, and the laws that keep a ceiling true."""

from __future__ import annotations

import threading
import warnings
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinkcap.controller.price import MOST_TOKENS, dearest, pico_per_token
from thinkcap.controller.pricing import AssumedPrice, Price, PriceBook, Tier, read_price
from thinkcap.policies.errors import BadInput, UnknownPrice
from thinkcap.policies.values import Usage

OPENAI = "https://api.openai.com/v1/"
LOOPBACK = "http://user:secret@127.0.0.1:8080/v1"
DAY = date(2026, 11, 20)

rates = st.integers(0, 10**8)
counts = st.integers(0, 10**6)


@st.composite
def prices(draw: st.DrawFn) -> Price:
    starts = sorted(draw(st.sets(st.integers(0, 500_000), max_size=3)))
    tiers = tuple(Tier(start, draw(rates), draw(rates), draw(rates), draw(rates)) for start in starts)
    return Price(draw(rates), draw(rates), draw(rates), draw(rates), tiers)


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    total, output = draw(counts), draw(counts)
    read = draw(st.none() | st.integers(0, total))
    written = draw(st.none() | st.integers(0, total - (read or 0)))
    return Usage(total, output, draw(st.none() | st.integers(0, output)), read, written)


def book(**options: object) -> PriceBook:
    return PriceBook(today=lambda: DAY, **options)  # type: ignore[arg-type]


@settings(max_examples=200)
@given(prices(), usages(), counts, counts)
def test_a_settled_cost_never_exceeds_the_worst_case(price: Price, usage: Usage, more: int, longer: int) -> None:
    """Whatever usage stays within the bound and the cap costs at most what was reserved for them."""
    worst = price.worst(input_tokens=usage.input_tokens + more, output_tokens=usage.output_tokens + longer)
    assert price.cost(usage) <= worst


@settings(max_examples=200)
@given(prices(), counts, counts, st.integers(1, 8), counts, counts)
def test_the_worst_case_is_monotone(price: Price, prompt: int, cap: int, n: int, more: int, longer: int) -> None:
    """A longer prompt, a larger cap or one more choice never lowers the worst case."""
    worst = price.worst(input_tokens=prompt, output_tokens=cap, n=n)
    assert worst <= price.worst(input_tokens=prompt + more, output_tokens=cap + longer, n=n)
    assert worst <= price.worst(input_tokens=prompt, output_tokens=cap, n=n + 1)


@settings(max_examples=300)
@given(prices(), st.integers(0, 10**12), counts, st.integers(1, 8))
def test_affordable_output_inverts_the_worst_case(price: Price, free: int, prompt: int, n: int) -> None:
    """The cap found fits into the free money, and one token more does not."""
    cap = price.affordable_output(free, input_tokens=prompt, n=n)
    if cap > 0:
        assert price.worst(input_tokens=prompt, output_tokens=cap, n=n) <= free
    if cap < MOST_TOKENS:
        assert price.worst(input_tokens=prompt, output_tokens=cap + 1, n=n) > free


@settings(max_examples=200)
@given(prices(), usages(), counts)
def test_more_tokens_never_cost_less(price: Price, usage: Usage, more: int) -> None:
    """Output adds to the cost, and a negative count takes nothing off it."""
    longer = Usage(usage.input_tokens, usage.output_tokens + more, None, usage.cached_tokens, usage.cache_write_tokens)
    assert price.cost(usage) <= price.cost(longer)
    assert price.cost(Usage(usage.input_tokens, 0)) == price.cost(Usage(usage.input_tokens, -more, -more, -more, -more))


@settings(max_examples=100)
@given(st.lists(prices(), min_size=1, max_size=3), usages())
def test_the_dearest_of_prices_is_at_least_each(listed: list[Price], usage: Usage) -> None:
    """No usage is cheaper at the dearest of some prices than at any one of them."""
    assert dearest(listed).cost(usage) >= max(price.cost(usage) for price in listed)


def test_a_call_priced_by_hand() -> None:
    """1,000 prompt tokens (600 cached) and 500 output tokens of gpt-5-mini cost 100 + 15 + 1,000 microdollars."""
    price = Price.per_mtok(input="0.25", output=2, cache_read=0.025)
    assert (price.input, price.output, price.cache_read, price.cache_write) == (250_000, 2_000_000, 25_000, 250_000)
    assert price.cost(Usage(1_000, 500, 400, 600)) == 1_115_000
    assert price.worst(input_tokens=1_000, output_tokens=500) == 1_250_000
    assert price.worst(input_tokens=1_000, output_tokens=500, n=4) == 4_250_000
    assert price.affordable_output(1_250_000, input_tokens=1_000) == 500
    assert price.affordable_output(249_999, input_tokens=1_000) == 0


def test_amounts_round_up() -> None:
    """A part of a nano-dollar is charged as a whole one, a part of a pico-dollar likewise."""
    price = Price.per_mtok(input="0.0001", output="0.0001")  # 100 pico-dollars a token
    assert price.cost(Usage(1, 0)) == 1
    assert price.cost(Usage(11, 0)) == 2
    assert pico_per_token("0.0000011") == 2
    assert pico_per_token(Decimal("1e-999999")) == 1
    assert pico_per_token("0.1234567890123456789012345678901234567890") == 123_457


def test_reports_that_cannot_be_meant_are_read_as_the_dearer() -> None:
    """Cached tokens beyond the input, or reasoning beyond the output, are billed beside them."""
    price = Price.per_mtok(input=1, output=10, cache_read="0.1", cache_write="1.25")
    assert price.cost(Usage(100, 0, cached_tokens=5_000)) == 100 * 1_000 + 5_000 * 100
    assert price.cost(Usage(100, 0, cached_tokens=60, cache_write_tokens=60)) == 100_000 + 6_000 + 75_000
    assert price.cost(Usage(0, 10, reasoning_tokens=90)) == 100 * 10_000


def test_a_tier_is_a_cliff() -> None:
    """Past a tier's start all tokens pay its rates; a bound past it reserves at the dearest in reach."""
    cheap_output = Price(1_000, 9_000, 1_000, 1_000, (Tier(100, 2_000, 3_000, 2_000, 2_000),))
    assert cheap_output.cost(Usage(100, 1)) == 109
    assert cheap_output.cost(Usage(101, 1)) == 205
    assert cheap_output.worst(input_tokens=101, output_tokens=1) == 202 + 9
    assert cheap_output.worst(input_tokens=100, output_tokens=1) == 109


def test_output_that_costs_nothing_is_affordable_without_end() -> None:
    """A free model affords the largest cap ever named, however little is left."""
    free = Price.per_mtok(input=0, output=0)
    assert free.affordable_output(0, input_tokens=10**6) == MOST_TOKENS
    assert free.worst(input_tokens=10**6, output_tokens=MOST_TOKENS) == 0


@pytest.mark.parametrize("bad", [-1, "-0.1", float("nan"), float("inf"), True, None, "free", "", 1_000_001])
def test_what_is_no_price_is_refused(bad: object) -> None:
    """Negative, endless, missing and absurd amounts are refused in one line."""
    with pytest.raises(BadInput) as caught:
        Price.per_mtok(input=bad, output=1)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


def test_tiers_must_rise_and_rates_must_not_be_negative() -> None:
    """A price built by hand is checked like any other."""
    with pytest.raises(BadInput, match="rising"):
        Price(1, 1, 1, 1, (Tier(5, 1, 1, 1, 1), Tier(5, 1, 1, 1, 1)))
    with pytest.raises(BadInput, match="zero or more"):
        Price(1, 1, 1, -1)


def test_gpt_5_mini_at_openai() -> None:
    """The list says $0.25 in, $2 out and $0.025 cached, per million tokens."""
    price = book().lookup("gpt-5-mini", OPENAI)
    assert (price.input, price.output, price.cache_read, price.cache_write) == (250_000, 2_000_000, 25_000, 250_000)
    assert (price.model, price.provider, price.date, price.assumed) == ("gpt-5-mini", "openai", "2026-11-20", False)
    assert price.source.startswith("genai-prices 0.")
    assert price.tiers == ()


def test_a_long_prompt_of_gpt_5_6_pays_its_tier() -> None:
    """Above 272,000 tokens gpt-5.6 costs $8 in, $10 written and $30 out instead of $4, $5 and $20."""
    price = book().lookup("gpt-5.6", OPENAI)
    assert price.base == Tier(0, 4_000_000, 20_000_000, 400_000, 5_000_000)
    assert price.tiers == (Tier(272_000, 8_000_000, 30_000_000, 800_000, 10_000_000),)
    assert price.worst(input_tokens=272_000, output_tokens=100) == 272_000 * 5_000 + 100 * 20_000
    assert price.worst(input_tokens=272_001, output_tokens=100) == 272_001 * 10_000 + 100 * 30_000


def test_a_price_that_changed_is_the_days_own() -> None:
    """o3 cost $10 and $40 until it came down to $2 and $8 on 10 June 2025; one book notices the day."""
    day = date(2025, 6, 9)
    prices = PriceBook(today=lambda: day)
    before = prices.lookup("o3", OPENAI)
    day = date(2025, 6, 10)
    after = prices.lookup("o3", OPENAI)
    assert (before.input, before.output, before.date) == (10_000_000, 40_000_000, "2025-06-09")
    assert (after.input, after.output, after.date) == (2_000_000, 8_000_000, "2025-06-10")


def test_a_price_that_depends_on_the_hour_is_the_dearest_of_the_day() -> None:
    """deepseek-chat costs $0.135 or $0.27 in by the hour, so $0.27 is reserved."""
    price = book().lookup("deepseek-chat", "https://api.deepseek.com")
    assert (price.input, price.output, price.cache_read) == (270_000, 1_100_000, 70_000)


def test_an_unknown_host_pays_the_makers_list_price_and_says_so_once() -> None:
    """The warning comes once a model and book, names the host, and never shows a password."""
    prices = book()
    with pytest.warns(AssumedPrice) as caught:
        first = prices.lookup("gpt-5-mini", LOOPBACK)
    again = prices.lookup("gpt-5-mini", "http://10.0.0.7/v1")  # a second warning would be an error here
    assert len(caught) == 1
    assert "127.0.0.1" in str(caught[0].message)
    assert "secret" not in str(caught[0].message)
    assert first.assumed
    assert again.assumed
    assert first.input == 250_000


def test_gateways_may_put_the_maker_before_the_model() -> None:
    """At an unknown host anthropic/claude-sonnet-4-5 is Anthropic's model, at its list price."""
    with pytest.warns(AssumedPrice):
        price = book().lookup("anthropic/claude-sonnet-4-5", LOOPBACK)
    assert (price.provider, price.input, price.cache_write) == ("anthropic", 3_000_000, 3_750_000)


def test_no_host_means_the_makers_own() -> None:
    """Without a base URL the maker's list price is not an assumption."""
    assert not book().lookup("gpt-5-mini").assumed


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("no-such-model", OPENAI),
        ("no-such-model", LOOPBACK),
        ("no-such-model", None),
        ("claude-sonnet-4-5", OPENAI),
        ("text-embedding-3-small", OPENAI),
        ("whisper-1", OPENAI),
        ("sonar", "https://api.perplexity.ai"),
    ],
)
def test_an_unknown_price_is_an_error(model: str, url: str | None) -> None:
    """A model not listed at that host, or not by the token alone, is refused in one line that says what to do."""
    prices = book()
    for _ in range(2):
        with pytest.raises(UnknownPrice) as caught:
            prices.lookup(model, url)
        assert f"--price {model}=IN/OUT" in str(caught.value)
        assert "\n" not in str(caught.value)
        assert "secret" not in str(caught.value)


def test_a_misspelt_effort_is_recognised() -> None:
    """A model's name that ends in what looks like an effort says so, where the model before it has a price."""
    with pytest.raises(UnknownPrice, match="there is one for 'gpt-5-mini', but 'hgih' is no effort: they are none, "):
        book().lookup("gpt-5-mini:hgih", OPENAI)
    with pytest.raises(UnknownPrice) as caught:
        book().lookup("llama3:8b", OPENAI)
    assert "effort" not in str(caught.value)


def test_the_callers_own_price_comes_first() -> None:
    """An override holds on every host, without a warning, under its exact name."""
    own = Price.per_mtok(input=1, output=3)
    prices = book(overrides={"gpt-5-mini": own, "mine": own})
    for url in (OPENAI, LOOPBACK, None):
        assert prices.lookup("gpt-5-mini", url).output == 3_000_000
    assert prices.lookup("mine", LOOPBACK).source == "override"
    assert prices.lookup("mine", LOOPBACK).model == "mine"
    assert prices.lookup("gpt-5", OPENAI).source != "override"
    with pytest.raises(BadInput, match="Price"):
        book(overrides={"mine": 0.25})


def test_a_found_price_is_remembered() -> None:
    """A second lookup returns the very same object."""
    prices = book()
    assert prices.lookup("gpt-5", OPENAI) is prices.lookup("gpt-5", OPENAI)


def test_threads_share_a_book() -> None:
    """Eight threads that ask at once get one price, and one warning among them."""
    prices, found = book(), []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        threads = [
            threading.Thread(target=lambda: found.append(prices.lookup("gpt-5", LOOPBACK)), daemon=True)
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(caught) == 1


def test_a_dearer_response_is_settled_at_the_dearer() -> None:
    """A response that names gpt-5 where gpt-5-mini was priced pays gpt-5, and is marked."""
    prices = book()
    mini, five = prices.lookup("gpt-5-mini", OPENAI), prices.lookup("gpt-5", OPENAI)
    settled, dearer = prices.settle_price(mini, "gpt-5", OPENAI)
    assert dearer
    assert (settled.input, settled.output, settled.model) == (1_250_000, 10_000_000, "gpt-5")
    assert prices.settle_price(five, "gpt-5-mini", OPENAI) == (five, False)
    assert prices.settle_price(mini, "gpt-5-mini-2025-08-07", OPENAI) == (mini, False)
    assert prices.settle_price(mini, "no-such-model", OPENAI) == (mini, False)
    assert prices.settle_price(mini, None, OPENAI) == (mini, False)


def test_a_dearer_service_tier_is_settled_at_its_price() -> None:
    """A response served at priority pays $0.45 and $3.60 for gpt-5-mini; flex, which is cheaper, pays the list."""
    prices = book()
    mini = prices.lookup("gpt-5-mini", OPENAI)
    settled, dearer = prices.settle_price(mini, "gpt-5-mini-2025-08-07", OPENAI, service_tier="priority")
    assert dearer
    assert (settled.input, settled.output) == (450_000, 3_600_000)
    assert prices.settle_price(mini, "no-such-model", OPENAI, service_tier="priority")[1]
    for tier in ("default", "flex", "auto", None, "unheard-of"):
        assert prices.settle_price(mini, "gpt-5-mini", OPENAI, service_tier=tier) == (mini, False)


def test_settling_neither_warns_nor_leaves_the_callers_own_price() -> None:
    """An own price is exceeded only by another own price, and settling at an unknown host is silent."""
    cheap, dear = Price.per_mtok(input="0.1", output=1), Price.per_mtok(input="0.2", output="0.5")
    prices = book(overrides={"gpt-5-mini": cheap, "large": dear})
    own = prices.lookup("gpt-5-mini", LOOPBACK)
    assert prices.settle_price(own, "gpt-5-mini-2025-08-07", LOOPBACK) == (own, False)
    settled, dearer = prices.settle_price(own, "large", LOOPBACK)
    assert dearer
    assert (settled.input, settled.output) == (200_000, 1_000_000)
    listed = book().lookup("gpt-5-mini", OPENAI)
    assert book().settle_price(listed, "gpt-5", LOOPBACK)[1]


def test_a_dearer_tier_for_long_prompts_alone_is_dearer() -> None:
    """Two prices alike below a tier differ for long prompts, and that is settled too."""
    flat = Price.per_mtok(input=4, output=20, cache_read="0.4", cache_write=5)
    steep = Price(*(flat.input, flat.output, flat.cache_read, flat.cache_write), (Tier(272_000, 8_000_000, 1, 1, 1),))
    prices = book(overrides={"flat": flat, "steep": steep})
    settled, dearer = prices.settle_price(prices.lookup("flat"), "steep")
    assert dearer
    assert settled.rates(272_001).input == 8_000_000
    assert settled.rates(272_001).output == 20_000_000


def test_a_price_is_read_from_the_command_line() -> None:
    """MODEL=IN/OUT is split at its last equals sign; anything else is refused."""
    assert read_price("my=model:7b=0.25/2") == ("my=model:7b", Price.per_mtok(input="0.25", output="2"))
    for bad in ("gpt-5", "gpt-5=1", "=1/2", "gpt-5=a/2", "gpt-5=1/-2"):
        with pytest.raises(BadInput):
            read_price(bad)
