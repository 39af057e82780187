"""Benchmarks: each case beside its peers and a reference, interleaved in one process.

``python -m benchmarks`` runs them; ``docs/benchmarks.md`` explains how to read the results.

================  =============================================================================
``settings.py``   size and kind of one call; ``cases.py``: what is measured, by which contenders
``contenders/``   what is compared: this library, the references, the peers of ``peers.txt``
``work.py``       the interface between contenders and measuring code
``problems.py``   the seeded inputs; ``checks.py``: validity of draws
``measuring/``    the parent process and its workers; how time and memory are measured
``records.py``    result files; ``machine.py``: environment of the measurements
``reporting/``    performance targets, growth of costs, tables, pictures, and the report of them all
``gpu/``          the benchmarks of a CUDA device, a command of their own
================  =============================================================================

``pretraining.py`` and ``training.py`` are commands of their own, which measure the data sets that
they are given; ``data_sets.py`` is what they share.
"""
