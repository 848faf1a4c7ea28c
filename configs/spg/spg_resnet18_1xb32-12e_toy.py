_base_ = "../cam/cam_resnet18_1xb32-12e_toy.py"

model = dict(
    backbone=dict(out_indices=(2, 3)),
    head=dict(type="mmdgdm.SPGHead", in_channels=(96, 192), mid_channels=192),
)
