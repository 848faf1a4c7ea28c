_base_ = "dgdm_efficientnet-lite0_1xb32-4e_raccoon.py"

model = dict(stage_necks=[dict(_base_.dgdm.raccoon, after="layers.6", cagd=None)])
