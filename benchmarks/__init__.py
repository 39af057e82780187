"""Benchmarks: each case against its peers and a reference, in turn, in one process and one run.

``python -m benchmarks`` runs them; ``docs/benchmarks.md`` says how to read what comes out.

=================  ============================================================================
``settings.py``    what one call is about; ``cases.py``: what is measured, and with whom
``contenders/``    who is measured: this library, the references, the peers of ``peers.txt``
``work.py``        the seam between contenders and those who measure them
``problems.py``    the seeded inputs; ``checks.py``, which refuses wrong draws
``timing.py``      how time is measured; ``memory.py``: how memory is
``worker.py``      what a process that measures does; ``session.py``, which starts it
``records.py``     result files; ``machine.py``: what they were measured on
``bars.py``        what has to be reached, and whether it was
``growth.py``      how a cost grows; ``growth_words.py``: where peers are faster
``pictures.py``    what ``ratios_picture.py`` and ``growth_picture.py`` share
``tables.py``      tables; ``report.py``: all that people read
=================  ============================================================================

``pretraining.py`` is a command of its own.
"""
