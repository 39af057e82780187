"""Entry point of the command ``negsamp``; needs the extra ``models``."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line, or say what to install."""
    try:
        from negsamp_models.commands.application import application  # noqa: PLC0415
    except ModuleNotFoundError as error:
        print(
            f'the command negsamp needs the package {error.name}: pip install "negsamp[models]"',
            file=sys.stderr,
        )
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    application()
