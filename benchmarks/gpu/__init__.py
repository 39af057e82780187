"""Tests and benchmarks on a GPU: ``make gpu``, one command that needs no network.

``docs/benchmarks.md`` explains how to run it, and has the table of results.

==================  ===========================================================================
``parts.py``        the parts that can be selected: requirements, duration, function
``suite.py``        runs the tests of the contract and of the laws on the device
``counting.py``     the pytest plugin that records the outcome of each test
``draws.py``        measures draws beside peers and references; ``contenders.py``: these
``arithmetic.py``   the cost of a draw's products and exponentials alone
``epochs.py``       measures an epoch on Beauty with each sampler
``device.py``       the device: name, clocks, and measurement of time and memory
``records.py``      result files, one per part
``bars.py``         performance targets; ``report.py``: the report
==================  ===========================================================================
"""
