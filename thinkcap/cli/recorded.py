"""What commands about recordings have in common: the options that choose one, and how it is read."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from thinkcap.cli.options import PriceOption
from thinkcap.cli.repricing import repriced

if TYPE_CHECKING:
    from thinkcap.evals import Recording

__all__ = [
    "ChosenArmOption",
    "DatasetOption",
    "FoldsOption",
    "IntersectOption",
    "PerfectVerifierOption",
    "PermutationsOption",
    "PriceOption",
    "RecordingArgument",
    "RepeatsOption",
    "ReportOption",
    "RepriceOption",
    "RowsOption",
    "read_recording",
]

RecordingArgument = Annotated[
    str | None, typer.Argument(help="The recording: .jsonl, .jsonl.gz or .parquet; by default the shipped one.")
]
ChosenArmOption = Annotated[
    list[str] | None, typer.Option("--arm", help="Only these arms, cheapest first. Repeat it.", metavar="ARM")
]
DatasetOption = Annotated[str | None, typer.Option("--dataset", help="Only this dataset of the recording.")]
IntersectOption = Annotated[
    bool, typer.Option("--intersect", help="Only the questions that were asked with every arm.")
]
PerfectVerifierOption = Annotated[
    bool,
    typer.Option(
        "--perfect-verifier",
        help="Use correctness as a perfect verifier: right passes, all else failed and is billed; each run_id is an "
        "arm of its own, and only questions asked with every arm count.",
    ),
]
RepriceOption = Annotated[
    str | None,
    typer.Option("--reprice", help="Price the attempts anew, as of a day (2026-11-01) or today.", metavar="DAY"),
]
PermutationsOption = Annotated[
    int, typer.Option("--permutations", help="Random orders each question is answered in.", min=1)
]
FoldsOption = Annotated[int, typer.Option("--folds", help="Parts of the questions; one is held back at a time.", min=2)]
RepeatsOption = Annotated[int, typer.Option("--repeats", help="How often the folds are dealt anew.", min=1)]
RowsOption = Annotated[
    str | None,
    typer.Option("--rows", help="Write the figures of every question to this file (.parquet).", metavar="FILE"),
]
ReportOption = Annotated[
    str | None, typer.Option("--report", help="Write a page to look at (.html); it opens offline.", metavar="FILE")
]


def read_recording(
    path: str | None,
    *,
    dataset: str | None,
    arms: Sequence[str] | None,
    intersect: bool,
    reprice: str | None,
    price: Sequence[str] | None,
    perfect_verifier: bool = False,
) -> Recording:
    """The recording that the options mean; the shipped one where none is named.

    With a perfect verifier its runs are told apart and its questions are common to all arms; it is not judged yet.
    """
    from thinkcap.demo import recording_path
    from thinkcap.evals import DamagedRecording, load_recording

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamagedRecording)  # it is among the notes, which are shown
        found = load_recording(
            path or recording_path(),
            dataset=dataset,
            arms=arms,
            intersect=intersect or perfect_verifier,
            runs_apart=perfect_verifier,
        )
    return repriced(found, reprice or "today", price) if reprice is not None or price else found
