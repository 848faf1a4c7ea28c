_base_ = "dgdm_efficientnet-lite0_1xb32-4e_stamps.py"

# SAGD without its mask of the background.
sagd = {k: v for k, v in _base_.dgdm.stamps.sagd.items() if not k.startswith("bg_")}
model = dict(stage_necks=[dict(_base_.dgdm.stamps, after="layers.6", sagd=sagd)])
