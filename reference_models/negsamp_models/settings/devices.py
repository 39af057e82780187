"""Devices by their names."""

from __future__ import annotations

import torch

from negsamp_models.settings.errors import TrainingSettingsError

__all__ = ["device_named"]


def device_named(name: str) -> torch.device:
    """Return a device by its name.

    Parameters
    ----------
    name : str
        "cpu", "cuda", "cuda:N", or "auto": CUDA if available, else the CPU.

    Raises
    ------
    TrainingSettingsError
        If it is none of these, or there is no such device here.
    """
    number = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if number else "cpu")
    if name == "cpu" or (name == "cuda" and number):
        return torch.device(name)
    index = name.removeprefix("cuda:")
    if index != name and index.isdecimal() and int(index) < number:
        return torch.device(name)
    allowed = "auto, cpu, cuda or cuda:N" if number else "auto or cpu"
    raise TrainingSettingsError(
        "device", name, f"{allowed} (torch finds {number} CUDA devices here)"
    )
