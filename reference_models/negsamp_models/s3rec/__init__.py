"""S3-Rec: a SASRec pre-trained on item attributes and on masked items and segments.

`Pretrainer` trains an `S3Rec`, which contains a SASRec, with four objectives; `write_pretrained`
saves it, and `read_pretrained` reads the weights from which a SASRec is then trained as usual.
"""

from __future__ import annotations
