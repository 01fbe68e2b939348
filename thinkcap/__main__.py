"""``python -m thinkcap``: the command without its console script."""

from thinkcap.cli import main

if __name__ == "__main__":
    main()
