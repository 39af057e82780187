"""The interface between samplers (here) and backends, and how a backend is found."""

from negsamp.backend.discovery import (
    BackendReport,
    available_backends,
    check_framework,
    check_name,
    framework_of,
    how_to_avoid,
    load_backend,
    report_backends,
    resolve_name,
)
from negsamp.backend.interface import Backend, Candidates, Catalogue

__all__ = [
    "Backend",
    "BackendReport",
    "Candidates",
    "Catalogue",
    "available_backends",
    "check_framework",
    "check_name",
    "framework_of",
    "how_to_avoid",
    "load_backend",
    "report_backends",
    "resolve_name",
]
