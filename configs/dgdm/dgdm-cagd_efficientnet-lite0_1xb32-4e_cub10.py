_base_ = "dgdm_efficientnet-lite0_1xb32-4e_cub10.py"

model = dict(stage_necks=[dict(_base_.dgdm.photos, after="layers.6", sagd=None)])
