_base_ = "../cam/cam_efficientnet-lite0_1xb32-4e_stamps.py"

# An eighth of the usual width: with 1,024 channels the head alone costs many times
# what this small backbone does.
model = dict(head=dict(type="mmdgdm.ACoLHead", mid_channels=128))
