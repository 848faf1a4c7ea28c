_base_ = "../cam/cam_inception-v3_1xb32-50e_cub.py"

model = dict(
    backbone=dict(out_indices=(3,)),
    head=dict(type="mmdgdm.ACoLHead", in_channels=768),
)
