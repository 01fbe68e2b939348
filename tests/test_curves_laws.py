"""The curve's building blocks against figures that can be recomputed: distributions, votes, tokens, difficulty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from thinkcap.policies.curves import Belief, Rightness, Shape, Tokens
from thinkcap.policies.curves.difficulty import coupling
from thinkcap.policies.curves.grid import CHANCES, CROWDING, project
from thinkcap.policies.curves.price import fit_price
from thinkcap.policies.curves.quadrature import DIFFICULTIES, beta_nodes, normal_cdf, normal_quantile, t_factor
from thinkcap.policies.curves.wrong import limit_table, top_chance, top_share, vote_table, win_table

SIZES = st.floats(0.05, 20)


@given(SIZES, SIZES, st.integers(0, 40))
def test_nodes_integrate_polynomials(a: float, b: float, power: int) -> None:
    """24 nodes give E p^k under Beta(a, b) exactly for k up to 47: the product of (a + i) / (a + b + i)."""
    p, weights = beta_nodes(a, b, 24)
    expected = math.prod((a + i) / (a + b + i) for i in range(power))
    assert_allclose(weights @ p**power, expected, rtol=1e-8)


def test_coverage_by_hand() -> None:
    """Under Beta(1, 1) k attempts all miss with chance 1/(k + 1); under Beta(2, 1) with 2/((k + 1)(k + 2))."""
    k = np.array([1, 2, 9])
    assert_allclose(Rightness("beta", 1, 1).coverage(k), 1 - 1 / (k + 1))
    assert_allclose(Rightness("beta", 2, 1).coverage(k), 1 - 2 / ((k + 1) * (k + 2)))
    inflated = Rightness("inflated", 1, 1, zero=0.2, one=0.3)
    assert_allclose(inflated.coverage(k), 1 - 0.2 - 0.5 / (k + 1))
    assert inflated.mean == pytest.approx(0.3 + 0.5 / 2)
    assert inflated.solvable == pytest.approx(0.8)


@given(SIZES, SIZES, st.integers(1, 60))
def test_coverage_is_a_ratio_of_betas(a: float, b: float, k: int) -> None:
    """E (1 - p)^k = B(a, b + k) / B(a, b), by the gamma function."""
    log = math.lgamma(b + k) - math.lgamma(a + b + k) + math.lgamma(a + b) - math.lgamma(b)
    assert float(Rightness("beta", a, b).coverage(k)) == pytest.approx(1 - math.exp(log), abs=1e-9)


@pytest.mark.parametrize("law", [Rightness("beta", 0.3, 2.0), Rightness("scaled", 1.5, 0.7, scale=0.8)])
def test_counts_against_numerical_integration(law: Rightness) -> None:
    """The chance of c right of 10 is the integral over p of the binomial chance and the density."""
    special, integrate = pytest.importorskip("scipy.special"), pytest.importorskip("scipy.integrate")
    constant = 1 / special.beta(law.a, law.b)

    def integrand(x: float, right: int) -> float:
        p = law.scale * x
        density = constant * x ** (law.a - 1) * (1 - x) ** (law.b - 1)
        return float(math.comb(10, right) * p**right * (1 - p) ** (10 - right) * density)

    expected = [integrate.quad(integrand, 0, 1, args=(right,), limit=200)[0] for right in range(11)]
    assert_allclose(law.chance(np.arange(11), np.full(11, 10)), expected, rtol=1e-5)


@given(
    st.sampled_from([Rightness("beta", 0.2, 0.1), Rightness("scaled", 2, 1, 0.5), Rightness("inflated", 1, 2, 1, 0.2)]),
    st.integers(1, 50),
)
def test_chances_of_counts_sum_to_one(law: Rightness, made: int) -> None:
    """The chances of 0, 1 ... n right add up to 1, and their mean is n times the accuracy of one attempt."""
    chances = law.chance(np.arange(made + 1), np.full(made + 1, made))
    assert chances.sum() == pytest.approx(1)
    assert chances @ np.arange(made + 1) == pytest.approx(made * law.mean)


@given(SIZES, SIZES)
def test_projection_keeps_the_mean(a: float, b: float) -> None:
    """Moving a distribution onto the grid keeps its weight and its mean."""
    p, weights = beta_nodes(a, b, 40)
    moved = project(p, weights)
    assert moved.sum() == pytest.approx(1)
    assert moved @ CHANCES == pytest.approx(a / (a + b))


def partitions(votes: int, concentration: float) -> dict[tuple[int, ...], float]:
    """The chance of every way so many wrong answers can agree, by seating them one after another."""
    ways: dict[tuple[int, ...], float] = {(): 1.0}
    for seated in range(votes):
        grown: dict[tuple[int, ...], float] = {}
        for held, chance in ways.items():
            for place, number in enumerate(held):
                after = tuple(sorted([*held[:place], number + 1, *held[place + 1 :]], reverse=True))
                grown[after] = grown.get(after, 0) + chance * number / (seated + concentration)
            after = tuple(sorted([*held, 1], reverse=True))
            grown[after] = grown.get(after, 0) + chance * concentration / (seated + concentration)
        ways = grown
    return ways


def test_winning_against_every_partition() -> None:
    """The exact table of wins equals a sum over all partitions of the wrong answers, ties of j counting 1/j."""
    table = win_table(7)
    for place, concentration in enumerate(CROWDING.tolist()):
        ways = [partitions(wrong, concentration) for wrong in range(8)]
        for right, wrong in product(range(1, 8), range(8)):
            expected = 0.0
            for held, chance in ways[wrong].items():
                if not held or held[0] < right:
                    expected += chance
                elif held[0] == right:
                    expected += chance / (1 + held.count(right))
            assert table[place, right, wrong] == pytest.approx(expected, abs=1e-12)
    assert (table[:, 0] == 0).all()


def test_chance_of_the_top_wrong_answer() -> None:
    """The chance of the most frequent wrong answer's votes equals a sum over all partitions; none is certain."""
    votes, top = (np.array(each) for each in zip(*[(6, t) for t in range(1, 7)], (0, 0), strict=True))
    found = top_chance(votes, top)
    for place, concentration in enumerate(CROWDING.tolist()):
        ways = partitions(6, concentration)
        expected = [sum(c for held, c in ways.items() if held[0] == t) for t in range(1, 7)]
        assert_allclose(found[:, place], [*expected, 1.0], atol=1e-12)


def test_one_vote_is_one_attempt() -> None:
    """A vote of one is right as often as an attempt, whatever the wrong answers, less what is cut at a cap."""
    for silent in (0.0, 0.4):
        assert_allclose(vote_table(1, silent), np.broadcast_to(CHANCES[:, None], (49, 10)), atol=1e-12)
    assert_allclose(vote_table(1, 0.0, 0.5), np.broadcast_to(CHANCES[:, None] / 2, (49, 10)), atol=1e-12)


def test_three_votes_of_two_answers_by_hand() -> None:
    """Where all wrong answers are the same, three votes are right with chance 3 p^2 - 2 p^3 (to within the grid)."""
    same = vote_table(3, 0.0)[:, 0]
    assert_allclose(same, 3 * CHANCES**2 - 2 * CHANCES**3, atol=0.02)


def test_many_votes_come_to_the_limit() -> None:
    """Away from a tie of right and wrong, 300 votes are as good as endlessly many."""
    gap = np.abs(vote_table(300, 0.1) - limit_table(0.1))
    assert gap.mean() < 0.02
    assert (limit_table(0.0)[CHANCES > 0.5] == 1).all()
    assert (np.diff(top_share()) < 0).all()


def test_silence_helps_the_right_answer() -> None:
    """Wrong attempts that say nothing do not vote: the more of them there are, the better a vote."""
    assert (vote_table(9, 0.5) >= vote_table(9, 0.0) - 1e-12).all()


@given(st.floats(0, 1), SIZES, SIZES)
def test_difficulty_keeps_every_distribution(loading: float, a: float, b: float) -> None:
    """Whatever the loading, the mean over difficulties is the arm's own distribution, and harder is never likelier."""
    law = project(*beta_nodes(a, b, 40))
    rows = coupling(law, loading)
    assert_allclose(rows.sum(axis=1), 1)
    assert_allclose(DIFFICULTIES[1] @ rows, law, atol=2e-3)
    assert (np.diff(rows @ CHANCES) <= 2e-3).all()


def test_belief_is_bayes() -> None:
    """With one arm that the difficulty decides, the next attempt is right with chance (a + c) / (a + b + n)."""
    belief = Belief({"one": coupling(project(*beta_nodes(2, 3, 60)), 1.0)})
    for right, made in [(0, 0), (0, 4), (3, 5), (10, 10)]:
        counts = {"one": (right, made)} if made else {}
        assert belief.next_right("one", counts) == pytest.approx((2 + right) / (5 + made), abs=0.01)
    assert belief.posterior({}).sum() == pytest.approx(1)
    assert belief.difficulty({"one": (0, 5)}) > belief.difficulty({}) > belief.difficulty({"one": (5, 5)})


def test_failing_at_one_arm_tells_of_another() -> None:
    """A failure at one arm lowers what is expected of another, less than of itself, and not at all without ties."""
    law = project(*beta_nodes(1, 1, 40))
    tied = Belief({"low": coupling(law, 0.9), "high": coupling(law, 0.9)})
    before, after = tied.next_right("high", {}), tied.next_right("high", {"low": (0, 3)})
    assert tied.next_right("low", {"low": (0, 3)}) < after < before
    free = Belief({"low": coupling(law, 0.0), "high": coupling(law, 0.0)})
    assert free.next_right("high", {"low": (0, 3)}) == pytest.approx(free.next_right("high", {}))


def law(**changes: float) -> Tokens:
    numbers = {"mean": 6.0, "shared": 0.8, "own": 0.3, "within": 0.4, "tie": 0.6, "lean": 0.0, "scale": 1.0} | changes
    return Tokens(most=10_000, **numbers)


def test_tokens_by_hand() -> None:
    """Half of the attempts stay within e^mean tokens; the mean is e^(mean + variance / 2)."""
    tokens = law()
    assert tokens.median == pytest.approx(math.exp(6))
    assert tokens.quantile(0.5) == pytest.approx(math.exp(6))
    assert tokens.deviation**2 == pytest.approx(0.64 + 0.09 + 0.16)
    assert tokens.expected() == pytest.approx(math.exp(6 + tokens.deviation**2 / 2))
    assert tokens.finishes(tokens.quantile(0.9)) == pytest.approx(0.9, abs=0.001)


@given(st.integers(1, 20_000))
def test_finishing_by_difficulty_averages_to_all(cap: int) -> None:
    """The chance to finish, averaged over difficulties, is that of all questions; harder ones finish less often."""
    tokens = law()
    by_difficulty = tokens.by_difficulty(cap)
    assert DIFFICULTIES[1] @ by_difficulty == pytest.approx(tokens.finishes(cap), abs=0.004)
    assert (np.diff(by_difficulty) <= 1e-12).all()
    weights = tokens.finish_weights(cap)
    assert_allclose(weights.sum(axis=1), 1)


def test_capped_tokens_against_a_sample() -> None:
    """The mean of tokens cut at a cap is that of a large sample, with and without a cap, and the seed decides it."""
    tokens = law()
    for cap in (None, 200, 1000):
        assert tokens.sample(3, cap, 1, questions=200_000).mean() == pytest.approx(tokens.expected(cap), rel=0.02)
    assert (tokens.sample(2, None, 7) == tokens.sample(2, None, 7)).all()


def test_price_list_is_read_back() -> None:
    """Costs of 1,100 nano-dollars an input token and 4,400 an output token are found exactly, or said not to follow."""
    draws = np.random.default_rng(0)
    inputs, tokens = (draws.integers(low, high, 40).astype(np.float64) for low, high in ((150, 450), (100, 9000)))
    tried = np.full(40, 3)
    exact = fit_price(1100 * inputs + 4400 * tokens, inputs, tokens, tried)
    assert exact.exact
    assert [exact.input_nusd, exact.output_nusd] == pytest.approx([1100, 4400])
    assert exact.base_nusd == pytest.approx(1100 * inputs.sum() / 120)
    unknown = fit_price(5000 * 3 + 4400 * tokens, np.full(40, np.nan), tokens, tried)
    assert unknown.input_nusd is None
    assert unknown.base_nusd == pytest.approx(5000)
    assert not fit_price(draws.lognormal(10, 2, 40), inputs, tokens, tried).exact


def test_shape_follows_the_chance() -> None:
    """Rows are distributions, and with a positive slope wrong answers scatter more where being right is likelier."""
    given_chance = Shape(0.0, 2.0, 0.5).given()
    assert_allclose(given_chance.sum(axis=1), 1)
    mean = given_chance @ np.log(CROWDING)
    assert (np.diff(mean) > 0).all()


def test_normal_functions() -> None:
    """The quantile undoes the distribution function, and Student's factor for 29 degrees of freedom is 2.045."""
    z: Sequence[float] = [-3.0, -0.5, 0.0, 1.96]
    assert_allclose(normal_quantile(normal_cdf(z)), z, atol=1e-9)
    assert normal_quantile(np.array([0.0, 1.0])).tolist() == [-math.inf, math.inf]
    assert t_factor(0.95, 29) == pytest.approx(2.045, abs=0.002)
    assert t_factor(0.95, 10**6) == pytest.approx(1.96, abs=0.001)
    assert_allclose(DIFFICULTIES[1].sum(), 1)
    assert DIFFICULTIES[1] @ DIFFICULTIES[0] == pytest.approx(0)
