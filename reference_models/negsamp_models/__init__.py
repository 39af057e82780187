"""Reference models and trainers for negsamp, and the reproduction of the GenNi paper.

What to import is in ``datasets``, ``sasrec``, ``s3rec``, ``losses``, ``settings``, ``evaluation``
and ``training``. Each folder is about one thing, and imports run one way:

``files``         files written completely or not at all, and their origin
``datasets``      data, splits, and batches of packed sequences
``sasrec``        the model; ``losses``: NCE, BPR, sampled softmax
``settings``      what a run is told
``processes``     processes, signals and threads; ``checkpoints``: state that survives a kill
``records``       results of runs; ``evaluation``: ranks of the held-out items
``training``      the training loop; ``s3rec``: pre-training; ``pretrained``: its weights
``law``           the distribution of a user's negatives
``display``       progress, tables, curves and logs
``runs``          runs in folders
``reproduction``  the paper's tables and figures; ``page``: ours beside them
``commands``      the command line
"""

from __future__ import annotations
