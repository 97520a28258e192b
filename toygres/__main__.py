"""`python -m toygres` is `toygres`."""

from __future__ import annotations

from toygres.cli import main

if __name__ == "__main__":
    main()
