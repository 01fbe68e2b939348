"""The contract of a ledger as a check that any implementation can be put through."""

from __future__ import annotations

import random
from collections.abc import Callable

from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.ledger.ledger import Ledger
from thinkcap.controller.ledger.values import Amount, Charge, Purpose, Tally
from thinkcap.policies.errors import BadInput, CeilingReached
from thinkcap.policies.values import Usage

__all__ = ["check_ledger"]

_TREE = {
    "team": Ceiling(usd="0.000001", output_tokens=500, calls=40),  # 1,000 nano-dollars
    "team/low": Ceiling(usd="0.0000003"),
    "team/low/deep": None,
    "team/high": Ceiling(calls=25),
}
_PATHS = tuple(_TREE)


def check_ledger(make_ledger: Callable[[], Ledger], *, seed: int = 0, steps: int = 300) -> None:
    """Put a ledger through its contract: each law by itself, then a random walk that checks the sums at every step.

    Args:
        make_ledger: makes a fresh and empty ledger; called once for each law.
        seed: of the random walk; the same seed takes the same steps.
        steps: how many steps the walk takes.

    Raises:
        AssertionError: naming the law that does not hold.
    """
    for law in _LAWS:
        law(_planted(make_ledger()))
    _walk(_planted(make_ledger()), random.Random(seed), steps)  # noqa: S311 - steps to repeat, not secrets


def _planted(ledger: Ledger) -> Ledger:
    for path, ceiling in _TREE.items():
        ledger.open(path, ceiling, at=0.0)
    return ledger


def _nothing_on_refusal(ledger: Ledger) -> None:
    before = [ledger.levels(path) for path in _PATHS]
    try:
        ledger.reserve("team/low/deep", Amount(nusd=301), at=1.0)
    except CeilingReached as error:
        _hold((error.needed, error.free) == (301, 300), "a refusal says what was needed and what is free")
    else:
        raise AssertionError("a reservation above an ancestor's ceiling is refused")
    _hold([ledger.levels(path) for path in _PATHS] == before, "a refused reservation changes nothing on the way up")
    _hold(ledger.entries("team") == (), "a refused reservation leaves no entry")
    ledger.reserve("team/low/deep", Amount(nusd=300), at=1.0)
    _hold(ledger.balance("team/low").money.free == 0, "a reservation may take all that is free")


def _settles_once(ledger: Ledger) -> None:
    ticket = ledger.reserve("team/low", Amount(100, 10, 1), at=1.0)
    first = ledger.settle(ticket, Charge(40, usage=Usage(3, 4), provenance="provider"), at=2.0)
    before = ledger.levels("team/low")
    _hold(ledger.settle(ticket, Charge(99), at=3.0) == first, "settling twice returns the first entry")
    _hold(ledger.levels("team/low") == before, "settling twice changes nothing")
    _refuses(lambda: ledger.release(ticket, at=4.0), "releasing what was settled is an error")
    _hold(before[0].spent == Amount(40, 4, 1) == before[1].spent, "a charge is spent on the account and its ancestors")
    _hold(before[0].reserved == Amount() == before[1].reserved, "settling ends the whole reservation")


def _releases_once(ledger: Ledger) -> None:
    before = ledger.levels("team/low")
    ticket = ledger.reserve("team/low", Amount(100, 10, 1), at=1.0)
    first = ledger.release(ticket, at=2.0)
    _hold(ledger.release(ticket, at=3.0) == first, "releasing twice returns the first entry")
    _hold(ledger.levels("team/low") == before, "releasing gives back all that was reserved, once")
    _refuses(lambda: ledger.settle(ticket, Charge(1), at=4.0), "settling what was released is an error")
    _refuses(lambda: ledger.settle("no such ticket", Charge(1), at=4.0), "settling an unknown ticket is an error")
    _refuses(lambda: ledger.reserve("nowhere", Amount(1), at=4.0), "reserving on an unknown account is an error")


def _keeps_what_it_is_told(ledger: Ledger) -> None:
    purpose = Purpose("m", "responses", cap_asked=64, cap_sent=32, price_source="list", note="asked")
    ticket = ledger.reserve("team/high", Amount(100, 32, 1), purpose, at=1.5)
    held = ledger.entry(ticket)
    told = (held.account, held.purpose, held.reserved, held.status, held.started_at)
    _hold(told == ("team/high", purpose, Amount(100, 32, 1), "reserved", 1.5), "an entry keeps what it was told")
    usage = Usage(7, 8, 5, None, 2)
    done = ledger.settle(ticket, Charge(60, usage=usage, provenance="counted", note="answered"), at=2.5)
    _hold(done.usage == usage and done.provenance == "counted", "an entry keeps the tokens and where they come from")
    _hold((done.note, done.price_source) == ("asked; answered", "list"), "an entry keeps both notes, and its price")
    _hold(ledger.entries("team") == (done,) == ledger.entries("team/high"), "ancestors see their descendants' entries")
    _hold(ledger.entries("team/low") == (), "siblings do not see each other's entries")
    whole = ledger.settle(ledger.reserve("team", Amount(9, 3, 1), at=3.0), Charge(), at=4.0)
    _hold(whole.charged == Amount(9, 3, 1), "what is not known is charged at the reservation")
    _hold(whole.provenance == "bounded", "what is not known is marked as bounded")


def _knows_answers(ledger: Ledger) -> None:
    _hold(ledger.of_response("resp") is None, "an answer's id that was never noted is unknown")
    ticket = ledger.reserve("team/high", Amount(100, 32, 1), at=1.5)
    before = ledger.levels("team/high")
    _hold(ledger.note_response(ticket, "resp").status == "reserved", "noting an answer's id ends no reservation")
    _hold(ledger.levels("team/high") == before, "noting an answer's id changes no sums")
    _hold(ledger.of_response("resp") == ledger.entry(ticket), "an answer's id finds its entry")
    done = ledger.settle(ticket, Charge(60, usage=Usage(7, 8), provenance="provider"), at=2.5)
    _hold(ledger.of_response("resp") == done, "a settled entry keeps its answer's id")
    other = ledger.reserve("team", Amount(9, 3, 1), at=3.0)
    last = ledger.settle(other, Charge(5, usage=Usage(1, 2), provenance="provider", response="resp"), at=4.0)
    _hold(ledger.of_response("resp") == last, "of several entries with one answer's id the latest is found")
    _refuses(lambda: ledger.note_response("no such ticket", "resp"), "noting on an unknown ticket is an error")


def _reopens(ledger: Ledger) -> None:
    ticket = ledger.reserve("team/low", Amount(100), at=1.0)
    levels = ledger.open("team/low", Ceiling(usd=0.0000003), at=9.0)
    _hold(levels == ledger.levels("team/low"), "opening an account again changes nothing")
    _hold(levels[0].reserved == Amount(100) and levels[0].opened_at == 0.0, "an account goes on with what it held")
    _refuses(lambda: ledger.open("team/low", Ceiling(usd=1), at=9.0), "opening with another ceiling is an error")
    _refuses(lambda: ledger.open("team/low", None, at=9.0), "opening without the stored ceiling is an error")
    _refuses(lambda: ledger.open("other/child", None, at=9.0), "opening a child before its parent is an error")
    _refuses(lambda: ledger.open("other", None, at=9.0), "opening a root without a ceiling is an error")
    _hold(ledger.entry(ticket).status == "reserved", "opening an account again ends no reservation")


def _overruns(ledger: Ledger) -> None:
    ticket = ledger.reserve("team/low", Amount(200, 5, 1), at=1.0)
    done = ledger.settle(ticket, Charge(350, usage=Usage(1, 9), provenance="provider"), at=2.0)
    _hold(done.overrun_nusd == 150, "an entry reports what was billed above its reservation")
    money = ledger.balance("team/low").money
    _hold((money.spent, money.free, money.overrun) == (350, 0, 50), "a charge above the ceiling is recorded as it is")
    _refuses(lambda: ledger.reserve("team/low", Amount(1), at=3.0), "an overrun account admits nothing", CeilingReached)


def _a_bound_gives_way(ledger: Ledger) -> None:
    ticket = ledger.reserve("team/low", Amount(200, 5, 1), at=1.0)
    ledger.settle(ticket, Charge(), at=2.0)
    _hold(ledger.settle(ticket, Charge(9, provenance="provider"), at=3.0).charged == Amount(200, 5, 1), "a bound stays")
    late = ledger.settle(ticket, Charge(250, usage=Usage(1, 5), provenance="provider"), at=3.0)
    _hold((late.charged_nusd, late.provenance) == (250, "provider"), "a bound gives way to a dearer truth")
    _hold(ledger.settle(ticket, Charge(299, provenance="provider"), at=4.0) == late, "a truth stays")
    money = ledger.balance("team").money
    _hold((money.spent, money.reserved) == (250, 0), "the dearer truth is spent, once")


def _raises(ledger: Ledger) -> None:
    ledger.settle(ledger.reserve("team/low", Amount(100), at=1.0), Charge(80), at=2.0)
    ledger.reserve("team/low/deep", Amount(150), at=3.0)
    before = ledger.levels("team/low")
    _refuses(lambda: ledger.raise_to("team/low", Ceiling(usd=0.000000229)), "no ceiling below spent + reserved")
    _refuses(lambda: ledger.raise_to("nowhere", Ceiling(usd=1)), "raising an unknown account is an error")
    _hold(ledger.levels("team/low") == before, "a refused raise changes nothing")
    level = ledger.raise_to("team/low", Ceiling(usd=0.00000023, calls=9))
    _hold(level == ledger.levels("team/low")[0], "raising returns the account as it is")
    _hold((level.balance.money.free, level.balance.calls.free) == (0, 9), "a ceiling may be lowered to what is used")
    _refuses(lambda: ledger.open("team/low", Ceiling(usd=0.0000003), at=9.0), "the old ceiling is another one")
    ledger.open("team/low", Ceiling(usd=0.00000023, calls=9), at=9.0)
    ledger.raise_to("team/low", Ceiling(usd=1))
    _hold(ledger.levels("team/low")[1] == before[1], "raising an account leaves its ancestors as they are")
    _refuses(lambda: ledger.reserve("team/low", Amount(771), at=9.0), "the ancestors' ceilings hold", CeilingReached)


def _the_living_are_left_alone(ledger: Ledger) -> None:
    ticket = ledger.reserve("team/low/deep", Amount(100, 10, 1), at=1.0)
    _hold(ledger.reconcile(at=2.0) == () == ledger.reconcile("team", at=2.0), "who still runs is not reconciled")
    _refuses(lambda: ledger.reconcile("nowhere", at=2.0), "reconciling an unknown account is an error")
    survey = ledger.survey()
    _hold([level.path for level in survey.levels] == sorted(_PATHS), "a survey has every account after its parent")
    _hold([hold.entry for hold in survey.holds] == [ledger.entry(ticket)], "a survey has every open reservation")
    _hold([hold.owner.state for hold in survey.holds] != ["dead"], "who asks is alive")


def _walk(ledger: Ledger, random_: random.Random, steps: int) -> None:
    open_: list[str] = []
    for at in range(steps):
        if open_ and random_.random() < 0.55:
            ticket = open_.pop(random_.randrange(len(open_)))
            held = ledger.entry(ticket).reserved
            if random_.random() < 0.3:
                ledger.release(ticket, at=float(at))
            else:
                usage = Usage(random_.randrange(9), random_.randint(0, held.output_tokens))
                ledger.settle(ticket, Charge(random_.randint(0, held.nusd), usage=usage), at=float(at))
        else:
            amount = Amount(random_.randint(0, 120), random_.randint(0, 60), random_.randint(0, 1))
            _try(ledger, random_.choice(_PATHS), amount, open_, at=float(at))
        for path in _PATHS:
            _sums_hold(ledger, path)


def _try(ledger: Ledger, path: str, amount: Amount, open_: list[str], *, at: float) -> None:
    fits = all(
        tally.free is None or more <= tally.free
        for level in ledger.levels(path)
        for tally, more in (
            (level.balance.money, amount.nusd),
            (level.balance.output_tokens, amount.output_tokens),
            (level.balance.calls, amount.calls),
        )
    )
    try:
        ticket = ledger.reserve(path, amount, at=at)
    except CeilingReached:
        _hold(not fits, "what fits on an account and all its ancestors is admitted")
    else:
        _hold(fits, "what does not fit on one of them is refused")
        _hold(ticket not in open_, "every reservation has its own ticket")
        open_.append(ticket)


def _sums_hold(ledger: Ledger, path: str) -> None:
    statement = ledger.statement(path)
    _hold(statement.spent == statement.level.spent, f"spent on {path} = sum of its settled entries")
    _hold(statement.reserved == statement.level.reserved, f"reserved on {path} = sum of its open reservations")
    balance = ledger.balance(path)
    for tally in (balance.money, balance.output_tokens, balance.calls):
        _tally_holds(tally, path)


def _tally_holds(tally: Tally, path: str) -> None:
    _hold(tally.spent >= 0 and tally.reserved >= 0, f"nothing on {path} is negative")
    if tally.ceiling is not None:
        left = tally.ceiling - tally.spent - tally.reserved
        _hold(left == tally.free and tally.overrun == 0, f"ceiling = spent + reserved + free on {path}")


def _refuses(call: Callable[[], object], law: str, error: type[Exception] = BadInput) -> None:
    try:
        call()
    except error:
        return
    raise AssertionError(law)


def _hold(holds: bool, law: str) -> None:
    if not holds:
        raise AssertionError(law)


_LAWS = (
    _nothing_on_refusal,
    _settles_once,
    _releases_once,
    _keeps_what_it_is_told,
    _knows_answers,
    _reopens,
    _overruns,
    _a_bound_gives_way,
    _raises,
    _the_living_are_left_alone,
)
