"""What is measured on a GPU: ``make gpu``, one command that fetches nothing.

``docs/benchmarks.md`` says how to run it and holds the table of what came out.

==================  ===========================================================================
``parts.py``        the parts that can be chosen, what each needs, and who runs it
``suite.py``        the tests of the contract and of the laws, on the device
``counting.py``     the pytest plugin that writes down how each test came out
``draws.py``        draws beside their peers and references; ``contenders.py``: who they are
``arithmetic.py``   what a draw's products and exponentials cost alone
``epochs.py``       an epoch on Beauty with each sampler
``device.py``       the device: its name, its clocks, how time and memory are measured on it
``records.py``      result files, one a part
``bars.py``         what has to be reached; ``report.py``: what people read
==================  ===========================================================================
"""
