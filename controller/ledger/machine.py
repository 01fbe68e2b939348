"""The arithmetic of a ledger, once and pure: accounts as they are go in, accounts as they become come out.

::

    reserve:  free     -> reserved     on the account and all its ancestors, or on none
    settle:   reserved -> spent        the rest of the reservation becomes free again
    release:  reserved -> free         nothing was billed

    entry:    reserved -> settled      (settling again returns the first entry; releasing is an error)
              reserved -> released     (releasing again returns the first entry; settling is an error)

    reconcile:  settle, in full, what a process that ended has left reserved
    raise:      another ceiling on one account, never below spent + reserved

A bound gives way to a dearer truth: what was settled without knowing what the call took, by reconciling above all,
is charged the rest if its owner lived after all and says that the provider billed more.

A store does all of one transition or nothing of it, one transition at a time. It never adds up anything.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace

from thinkcap.controller.ceiling import Ceiling
from thinkcap.controller.ledger.values import Amount, Charge, Entry, Level, Limits, Purpose, Tally
from thinkcap.policies.errors import BadInput, CeilingReached
from thinkcap.policies.money import show_usd, usd

__all__ = [
    "admit",
    "check_name",
    "corrected",
    "free_of_all",
    "is_dearer",
    "least_free",
    "lineage",
    "number_of",
    "opened",
    "raised",
    "released",
    "settled",
]

_LONGEST_NAME = 200
_DEEPEST = 100


def check_name(name: object) -> str:
    """One account's own name, without its ancestors'.

    Raises:
        BadInput: if it is empty, too long, has a slash, a control character, or a blank at an end.
    """
    if not isinstance(name, str) or not name or "/" in name:
        raise BadInput(f"an account's name must be a text of at least one character without '/', not {name!r}")
    if name != name.strip() or not name.isprintable() or len(name) > _LONGEST_NAME:
        raise BadInput(f"an account's name must be at most {_LONGEST_NAME} printable characters, not {name[:50]!r}")
    return name


@functools.lru_cache(maxsize=1024)
def lineage(path: str) -> tuple[str, ...]:
    """An account's path and those of all its ancestors, from itself to the root.

    Raises:
        BadInput: if a name in it cannot be one.
    """
    given: object = path
    if not isinstance(given, str):
        raise BadInput(f"an account's path must be a text such as 'research/summarise', not {path!r}")
    names = [check_name(name) for name in path.split("/")]
    if len(names) > _DEEPEST:
        raise BadInput(f"an account may have at most {_DEEPEST - 1} ancestors, not {len(names) - 1}")
    return tuple("/".join(names[:depth]) for depth in range(len(names), 0, -1))


def number_of(ticket: object) -> int:
    """The number a ticket stands for (they count from 1); 0 for what is no ticket."""
    number = int(ticket) if isinstance(ticket, str) and ticket.isdecimal() and len(ticket) < 19 else 0
    return number if str(number) == ticket else 0


def opened(levels: Sequence[Level], path: str, ceiling: Ceiling | None, at: float) -> Level:
    """The account of this path: the stored one if it is among the levels, else a new one.

    Raises:
        BadInput: if the stored one has another ceiling, an ancestor is missing, or a root would have no ceiling.
    """
    stored = {level.path: level for level in levels}
    missing = [above for above in lineage(path)[1:] if above not in stored]
    if missing:
        raise BadInput(f"account {path!r} cannot be opened before its parent: open {missing[-1]!r} first")
    if path not in stored:
        if ceiling is None and "/" not in path:
            raise BadInput(f"account {path!r} needs a ceiling: only a child may go without one of its own")
        return Level(path, ceiling, at)
    level = stored[path]
    if level.ceiling != ceiling:
        raise BadInput(
            f"account {path!r} was opened with {_name(level.ceiling)}, not {_name(ceiling)}: "
            "give the same ceiling to go on with it, raise it first (thinkcap ledger raise), or give another name"
        )
    return level


def _name(ceiling: Ceiling | None) -> str:
    return "no ceiling of its own" if ceiling is None else f"a ceiling of {ceiling}"


def admit(levels: Sequence[Level], amount: Amount) -> tuple[Level, ...]:
    """The account and its ancestors once this amount is reserved on all of them.

    Raises:
        CeilingReached: if it does not fit on one of them. Where several refuse, it names the tightest.
    """
    amount.check()
    after = []
    for level in levels:
        if not _fits(level, amount):
            raise _refusal([level for level in levels if not _fits(level, amount)], amount)
        after.append(level.now(level.spent, level.reserved + amount))
    return tuple(after)


def _fits(level: Level, amount: Amount) -> bool:
    ceiling, spent, held = level.ceiling, level.spent, level.reserved
    if ceiling is None:
        return True
    nusd, tokens, calls = ceiling.nano, ceiling.output_tokens, ceiling.calls
    return (
        (nusd is None or _below(nusd, spent.nusd + held.nusd, amount.nusd))
        and (tokens is None or _below(tokens, spent.output_tokens + held.output_tokens, amount.output_tokens))
        and (calls is None or _below(calls, spent.calls + held.calls, amount.calls))
    )


def _below(limit: int | None, used: int, more: int) -> bool:
    return limit is None or more == 0 or used + more <= limit


def _refusal(refusing: Sequence[Level], amount: Amount) -> CeilingReached:
    tightest = min(refusing, key=lambda level: _blame(level, amount))
    balance = tightest.balance
    money, tokens, calls = balance.money, balance.output_tokens, balance.calls
    who, needed = f"account {tightest.path!r}", None
    if _short(money, amount.nusd):
        needed = amount.nusd
        text = (
            f"{who}: the call needs up to {show_usd(amount.nusd)} and {show_usd(money.free or 0)} of "
            f"{show_usd(money.ceiling or 0)} is free ({show_usd(money.spent)} spent, {show_usd(money.reserved)} "
            "reserved): lower its output cap or raise the ceiling"
        )
    elif _short(tokens, amount.output_tokens):
        text = (
            f"{who}: the call may take {amount.output_tokens:,} output tokens and {tokens.free:,} of "
            f"{tokens.ceiling:,} are free ({tokens.spent:,} spent, {tokens.reserved:,} reserved): "
            "lower its output cap or raise the ceiling"
        )
    else:
        text = (
            f"{who}: {calls.free:,} of its {calls.ceiling:,} calls are free ({calls.spent:,} spent, "
            f"{calls.reserved:,} reserved): wait for one to be released, or raise the ceiling"
        )
    figures = {"ceiling": money.ceiling, "spent": money.spent, "reserved": money.reserved}
    return CeilingReached(text, needed=needed, free=money.free, account=tightest.path, **figures)


def _short(tally: Tally, more: int) -> bool:
    return not _below(tally.ceiling, tally.spent + tally.reserved, more)


def _blame(level: Level, amount: Amount) -> tuple[bool, bool, int]:
    """Sorts first what to tell: an account short of money, then one short of tokens; of those, the one with least."""
    balance = level.balance
    if _short(balance.money, amount.nusd):
        return False, False, balance.money.free or 0
    return True, not _short(balance.output_tokens, amount.output_tokens), balance.output_tokens.free or 0


def settled(levels: Sequence[Level], entry: Entry, charge: Charge, at: float) -> tuple[tuple[Level, ...], Entry]:
    """The account, its ancestors and the entry once the call is charged.

    A charge above the reservation is recorded as it is: the money is gone, whatever the ceiling says.
    """
    ticket, account, purpose, held, started_at, _, _, _, _, _, owner, response = entry
    nusd, usage, provenance, _, _, answer = charge
    charged = Amount(
        held.nusd if nusd is None else nusd, held.output_tokens if usage is None else usage.output_tokens, held.calls
    )
    purpose = _told(purpose, charge, above=charged.nusd - held.nusd)
    of_the_call = (ticket, account, purpose, held, started_at)
    done = tuple.__new__(Entry, (*of_the_call, "settled", charged, usage, provenance, at, owner, answer or response))
    return tuple([level.now(level.spent + charged, level.reserved - held) for level in levels]), done


def is_dearer(entry: Entry, charge: Charge) -> bool:
    """Whether a charge says that a call settled at a bound took more than the bound."""
    return entry.provenance == "bounded" and charge.provenance != "bounded" and (charge.nusd or 0) > entry.charged_nusd


def corrected(levels: Sequence[Level], entry: Entry, charge: Charge, at: float) -> tuple[tuple[Level, ...], Entry]:
    """The account, its ancestors and the entry once a bound has given way to what the call really took."""
    held = entry._replace(status="reserved", charged=None, usage=None, provenance=None, settled_at=None)
    before = entry.charged or Amount()
    return settled(
        [level.now(level.spent - before, level.reserved + entry.reserved) for level in levels], held, charge, at
    )


def raised(level: Level, ceiling: Ceiling) -> Level:
    """An account under another ceiling.

    Raises:
        BadInput: if it is below what is spent and reserved.
    """
    after = level._replace(ceiling=ceiling)
    balance = after.balance
    money, tokens, calls = balance.money, balance.output_tokens, balance.calls
    for tally, say, unit in ((money, _dollars, ""), (tokens, _count, " output tokens"), (calls, _count, " calls")):
        if tally.overrun:
            raise BadInput(
                f"account {level.path!r} cannot be held to {say(tally.ceiling or 0)}{unit}: {say(tally.spent)} spent "
                f"and {say(tally.reserved)} reserved need a ceiling of at least {say(tally.spent + tally.reserved)}"
            )
    return after


def _dollars(nano: int) -> str:
    return f"${usd(nano).normalize():f}"  # exact, where show_usd rounds


def _count(number: int) -> str:
    return f"{number:,}"


def _told(purpose: Purpose, charge: Charge, *, above: int) -> Purpose:
    if above <= 0 and charge.note is None and charge.price_source in (None, purpose.price_source):
        return purpose
    billed_above = f"billed {show_usd(above)} above its reservation" if above > 0 else None
    notes = [note for note in (purpose.note, charge.note, billed_above) if note]
    return replace(
        purpose, price_source=charge.price_source or purpose.price_source, note="; ".join(notes) if notes else None
    )


def released(levels: Sequence[Level], entry: Entry, at: float) -> tuple[tuple[Level, ...], Entry]:
    """The account, its ancestors and the entry once the reservation is given back."""
    after = tuple(level.now(level.spent, level.reserved - entry.reserved) for level in levels)
    return after, entry._replace(status="released", settled_at=at)


def free_of_all(levels: Sequence[Level]) -> Limits:
    """What a reservation could take at this moment: the least that an account or one of its ancestors has free."""
    nusd = output_tokens = calls = None
    for level in levels:
        ceiling, spent, held = level.ceiling, level.spent, level.reserved
        if ceiling is not None:
            nusd = least_free(nusd, ceiling.nano, spent.nusd + held.nusd)
            output_tokens = least_free(output_tokens, ceiling.output_tokens, spent.output_tokens + held.output_tokens)
            calls = least_free(calls, ceiling.calls, spent.calls + held.calls)
    return Limits(nusd, output_tokens, calls)


def least_free(so_far: int | None, limit: int | None, used: int, parts: int = 1) -> int | None:
    """The least free of the accounts so far and one more, of which one of so many parts counts; None: no limit."""
    if limit is None:
        return so_far
    free = max(0, limit - used) // parts
    return free if so_far is None else min(so_far, free)
