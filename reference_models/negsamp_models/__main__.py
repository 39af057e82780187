"""The command ``negsamp`` as ``python -m negsamp_models``, and under torchrun."""

from __future__ import annotations

from negsamp_models.command_line import main

if __name__ == "__main__":
    main()
