"""Localization metrics for mmengine's evaluation loop."""

from mmdgdm.evaluation.metrics.max_box_acc import MaxBoxAcc, MaxBoxAccV2
from mmdgdm.evaluation.metrics.pxap import PxAP
from mmdgdm.evaluation.metrics.wsol_metric import WSOLMetric

__all__ = ["MaxBoxAcc", "MaxBoxAccV2", "PxAP", "WSOLMetric"]
