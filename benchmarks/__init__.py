"""Benchmarks: each case beside its peers and a reference, interleaved in one process.

``python -m benchmarks`` runs them; ``docs/benchmarks.md`` explains how to read the results.

=================  ============================================================================
``settings.py``    size and kind of one call; ``cases.py``: what is measured, by which contenders
``contenders/``    what is compared: this library, the references, the peers of ``peers.txt``
``work.py``        the interface between contenders and measuring code
``problems.py``    the seeded inputs; ``checks.py``: validity of draws
``timing.py``      how time is measured; ``memory.py``: how memory is
``worker.py``      code of the worker processes; ``session.py``: the parent process
``records.py``     result files; ``machine.py``: environment of the measurements
``bars.py``        performance targets, and whether they are met
``growth.py``      how a cost grows; ``growth_words.py``: the same in words
``pictures.py``    shared code of ``ratios_picture.py`` and ``growth_picture.py``
``tables.py``      Markdown tables; ``report.py``: the report
=================  ============================================================================

``pretraining.py`` and ``training.py`` are commands of their own.
"""
