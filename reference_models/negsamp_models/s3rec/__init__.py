"""S3-Rec: SASRec, pre-trained on what is known of the items and on parts of the sequences.

`Pretrainer` trains an `S3Rec`, which holds a SASRec, by four objectives; `write_pretrained` keeps
it, and `read_pretrained` gives the SASRec its weights back, from which it is trained as ever.
"""

from __future__ import annotations
