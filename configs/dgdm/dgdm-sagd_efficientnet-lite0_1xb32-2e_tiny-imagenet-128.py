_base_ = "dgdm_efficientnet-lite0_1xb32-2e_tiny-imagenet-128.py"

model = dict(stage_necks=[dict(_base_.dgdm.photos, after="layers.6", cagd=None)])
