"""The PyTorch backend: tensors in, tensors out, on their device."""

from negsamp_torch.backend import TorchBackend

__all__ = ["TorchBackend"]
