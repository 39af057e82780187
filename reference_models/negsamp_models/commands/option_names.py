"""Errors about settings, in the words of the command line."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["with_option_names"]

_ABOUT_A_SETTING = re.compile(r"(\w+)(?= must | needs |'s )")


def with_option_names(message: str, options: Mapping[str, str]) -> str:
    """Return a message with options for settings, if it is about a setting that is an option.

    Such a message begins with the name of the setting; another may speak of a setting that comes
    from elsewhere, such as a file. After the beginning only names with an underscore are replaced:
    the others are words of English too.

    Parameters
    ----------
    message : str
    options : mapping
        Options by the names of their settings.

    Examples
    --------
    >>> options = {"num_heads": "--num-heads", "hidden_size": "--hidden-size"}
    >>> with_option_names("num_heads must divide hidden_size; got num_heads 3", options)
    '--num-heads must divide --hidden-size; got --num-heads 3'
    >>> with_option_names("the row 'SASRec': num_heads must divide hidden_size", options)
    "the row 'SASRec': num_heads must divide hidden_size"
    """
    first = _ABOUT_A_SETTING.match(message)
    if first is None or first[0] not in options:
        return message
    rest = message.removeprefix(first[0])
    return options[first[0]] + re.sub(r"\w+_\w+", lambda name: options.get(name[0], name[0]), rest)
