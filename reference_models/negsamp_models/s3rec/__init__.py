"""S3-Rec: a SASRec pre-trained on item attributes and on masked items and segments.

`Pretrainer` trains an `S3Rec`, which contains a SASRec, with four objectives. `write_pretrained` of
`negsamp_models.pretrained` saves it, and `read_pretrained` reads the weights from which a SASRec is
then trained as usual.
"""

from __future__ import annotations

from negsamp_models.s3rec.model import S3Rec
from negsamp_models.s3rec.pretraining import Pretrainer
from negsamp_models.s3rec.records import PretrainingRecord, PretrainingResult

__all__ = ["Pretrainer", "PretrainingRecord", "PretrainingResult", "S3Rec"]
