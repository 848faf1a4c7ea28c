_base_ = "../cam/cam_efficientnet-lite0_1xb32-4e_stamps.py"

model = dict(head=dict(type="mmdgdm.ACoLHead"))
