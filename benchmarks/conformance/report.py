"""What came out: one result for each scenario and subject, and the page that shows them."""

from __future__ import annotations

import datetime
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from benchmarks.conformance.catalogue import Subject
from benchmarks.conformance.scenarios import RATES, Scenario
from thinkcap.evals.oracle import Oracle

__all__ = ["Result", "markdown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one scenario came to with one subject, by the oracle's book, in the subject's own unit.

    Attributes:
        ceiling: nano-dollars, or tokens for a subject that counts tokens.
        billed: by the provider, of all calls.
        itself: of calls that ended by themselves.
        cut: of answers cut at a cap.
        wasted: of calls that were left or failed.
        in_flight: most calls at one moment.
        failed: errors that were no refusals, how often each.
        waited_most_s: longest time from a caller's first try until its answer began.
        skipped: why there is nothing to show; None if there is.
    """

    scenario: str
    subject: str
    unit: str = "nano-dollars"
    ceiling: int = 0
    billed: int = 0
    itself: int = 0
    cut: int = 0
    wasted: int = 0
    calls: int = 0
    answered: int = 0
    refused: int = 0
    in_flight: int = 0
    stuck: int = 0
    failed: Mapping[str, int] = field(default_factory=dict)
    waited_most_s: float = 0.0
    seconds: float = 0.0
    skipped: str | None = None

    @classmethod
    def nothing(cls, scenario: str, subject: str, why: str) -> Result:
        """Nothing to show, and why."""
        return cls(scenario=scenario, subject=subject, skipped=why)

    @classmethod
    def of(
        cls, scenario: Scenario, subject: Subject, oracle: Oracle, told: Sequence[Mapping[str, Any]], *, seconds: float
    ) -> Result:
        """Read the oracle's book."""
        book, tokens = oracle.book, subject.unit == "tokens"
        amount: Callable[..., int] = book.tokens if tokens else book.nusd
        failed: Counter[str] = Counter()
        for each in told:
            failed.update(each["failed"])
        return cls(
            scenario=scenario.name,
            subject=subject.name,
            unit="tokens" if tokens else "nano-dollars",
            ceiling=scenario.tokens if tokens else scenario.ceiling_nusd,
            billed=amount(),
            itself=amount("itself"),
            cut=amount("cut"),
            wasted=amount("left", "failed"),
            calls=len(book),
            answered=sum(each["answered"] for each in told),
            refused=sum(each["refused"] for each in told),
            in_flight=oracle.most_in_flight,
            stuck=sum(each["stuck"] for each in told),
            failed=dict(failed),
            waited_most_s=max((each["waited_most_s"] for each in told), default=0.0),
            seconds=seconds,
        )

    @property
    def over(self) -> int:
        """Billed above the ceiling."""
        return max(0, self.billed - self.ceiling)

    def share(self, amount: int) -> str:
        """An amount as a part of the ceiling."""
        part = 100 * amount / self.ceiling
        return f"{part:,.0f} %" if part >= 100 or part == 0 else f"{part:.1f} %" if part >= 0.05 else "<0.1 %"

    def line(self) -> str:
        """One line for whoever waits."""
        if self.skipped:
            return f"{self.scenario:22} {self.subject:20} {self.skipped}"
        return (
            f"{self.scenario:22} {self.subject:20} over {self.share(self.over):>8}  itself {self.share(self.itself):>8}"
            f"  cut {self.share(self.cut):>7}  lost {self.share(self.wasted):>7}  calls {self.calls}"
            f"  refused {self.refused}  in flight {self.in_flight}  waited {self.waited_most_s:.1f} s"
            f"  {self.seconds:.1f} s  {dict(self.failed) or ''}{' STUCK' if self.stuck else ''}"
        )

    def told(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {**asdict(self), "over": self.over}


_READING = """\
Nothing over the ceiling is what a ceiling is for; the usable budget is its price. Where a provider reports nothing (a
failed call, a stream that was left, an answer without usage) thinkcap charges all that it had reserved, because it may
have been billed: the rows of retries, cancels and missing usage show what that leaves unused. Where a call does not fit
it is cut down to what does; where it names no cap it gets a fair share of what is free, so that many callers fit, and
few callers with long answers may find them cut. hardcap reserves what answers took lately: it holds while the traffic
stays as it was, and its setting `max_tokens` also when it changes. What a killed replica held it gives back after
two minutes, by when the scenario has ended. A gateway sees `n` and hidden tokens only in the
usage, after they were billed. Budgets that compare what was spent before a call are passed by one call for each caller.
"""


def _table(
    results: Mapping[tuple[str, str], Result],
    scenarios: Sequence[Scenario],
    subjects: Sequence[Subject],
    cell: Callable[[Result], str],
) -> str:
    lines = ["| | " + " | ".join(each.name for each in subjects) + " |", "|---" * (len(subjects) + 1) + "|"]
    for scenario in scenarios:
        row = [results[scenario.name, subject.name] for subject in subjects]
        cells = ["n/a" if each.skipped else cell(each) for each in row]
        lines.append(f"| {scenario.name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _over(result: Result) -> str:
    return "0" if not result.over else f"**+{result.share(result.over)}**"


def _usable(result: Result) -> str:
    return f"{result.share(result.itself)}{' *' if result.over else ''}"


def _callers(result: Result) -> str:
    return f"{result.in_flight}, {result.waited_most_s:.1f} s"


def markdown(
    results: Sequence[Result],
    scenarios: Sequence[Scenario],
    subjects: Sequence[Subject],
    versions: Mapping[str, str],
    *,
    full: bool,
) -> str:
    """The page: three tables and what is behind them."""
    by = {(each.scenario, each.subject): each for each in results}
    why = sorted({_item(f"{each.subject}, {each.scenario}: {each.skipped}.") for each in results if each.skipped})
    errors = [
        _item(f"{each.subject}, {each.scenario}: " + "; ".join(f"{count} x `{name}`" for name, count in top))
        for each in results
        if (top := Counter(each.failed).most_common(1))
    ]
    price = RATES[scenarios[0].model]
    parts = [
        "# Who holds a ceiling: the conformance suite",
        "Every scenario runs against [the billing oracle](oracle.md), a provider on loopback whose own book says what "
        "was billed; no subject's own figures are used. Each subject runs in its own environment, in its own process, "
        "with the model's list price from its own price list, so only its enforcement is tested: "
        f"${price.input:.2f} and ${price.output:.2f} a million tokens in all of them. hardcap counts tokens: its "
        "ceiling is given, and its bill counted, in tokens.",
        f"Run on {datetime.date.today().isoformat()} with {'; '.join(sorted(versions.values()))}:",
        f"```sh\nmake conformance{' FULL=1' if full else ''}\n```",
        "## Billed over the ceiling",
        _table(by, scenarios, subjects, _over),
        "## Usable budget",
        "Billed by calls that ended by themselves, as a part of the ceiling, once nothing more was admitted. A star: "
        "the ceiling was passed, so this is no merit.",
        _table(by, scenarios, subjects, _usable),
        "## Billed for answers that a cap cut",
        _table(by, scenarios, subjects, lambda each: each.share(each.cut)),
        "The rest up to what was billed went to calls that failed or were left by their caller.",
        "## Callers at once",
        "The most calls in flight at one moment, and the longest time from a first try until that answer began, "
        "refused and tried again or waiting inside the call.",
        _table(by, [each for each in scenarios if each.workers >= 8], subjects, _callers),
        "## How to read it",
        _wrapped(_READING),
        "## Scenarios",
        "\n".join(_item(f"**{each.name}**: {each.about}. Ceiling: {_dollars(each)}.") for each in scenarios),
        "## Subjects",
        "\n".join(
            _item(f"**{each.name}**: {each.about}." + (f" Better: {each.better}." if each.better else ""))
            for each in subjects
        ),
        "## Not run, and why",
        "\n".join(why) or "Everything ran.",
        "## Errors that were no refusals",
        "The most frequent one of each run; such a call may have been billed.",
        "\n".join(errors) or "None.",
    ]
    return "\n\n".join(part if part[0] in "|-`#" else _wrapped(part) for part in parts) + "\n"


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _item(text: str) -> str:
    return _wrapped(f"- {text}", "  ")


def _dollars(scenario: Scenario) -> str:
    return f"${scenario.ceiling_nusd / 1e9:.4f} ({scenario.tokens:,} tokens of output)"
