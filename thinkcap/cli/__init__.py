"""The ``thinkcap`` command."""

from thinkcap.cli.app import main

__all__ = ["main"]
