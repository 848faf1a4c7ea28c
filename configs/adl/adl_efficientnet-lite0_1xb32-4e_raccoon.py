_base_ = "../cam/cam_efficientnet-lite0_1xb32-4e_raccoon.py"

model = dict(stage_necks=[dict(type="mmdgdm.ADL", after="layers.6")])
