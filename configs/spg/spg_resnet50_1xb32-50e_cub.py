_base_ = "../cam/cam_resnet50_1xb32-50e_cub.py"

model = dict(
    backbone=dict(out_indices=(2, 3)),
    head=dict(type="mmdgdm.SPGHead", in_channels=(1024, 2048)),
)
