_base_ = "../cam/cam_vgg16_1xb32-10e_openimages.py"

model = dict(
    backbone=dict(out_indices=(4,)),
    head=dict(type="mmdgdm.ACoLHead", in_channels=512),
)
