_base_ = "dgdm_efficientnet-lite0_1xb32-4e_stamps.py"

model = dict(stage_necks=[dict(_base_.dgdm.stamps, after="layers.6", sagd=None)])
