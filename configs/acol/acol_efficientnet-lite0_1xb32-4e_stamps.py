_base_ = "../cam/cam_efficientnet-lite0_1xb32-4e_stamps.py"

# Settings searched on val, rounded (configs/_search_/stamps/acol.yaml).
# An eighth of the usual width: with 1,024 channels the head alone costs many times
# what this small backbone does.
model = dict(head=dict(type="mmdgdm.ACoLHead", mid_channels=128, erase_threshold=0.94))
optim_wrapper = dict(optimizer=dict(lr=0.004))
