"""Attention guided layers, for a backbone's stages or as a model's neck."""

from mmdgdm.models.necks.adl import ADL
from mmdgdm.models.necks.base import AttentionDropout
from mmdgdm.models.necks.cagd import CAGD
from mmdgdm.models.necks.dgdm import DGDM
from mmdgdm.models.necks.drop_block import DropBlock
from mmdgdm.models.necks.sagd import SAGD

__all__ = ["ADL", "CAGD", "DGDM", "SAGD", "AttentionDropout", "DropBlock"]
