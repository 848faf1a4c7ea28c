_base_ = "../cam/cam_resnet50_1xb32-10e_openimages.py"

model = dict(
    backbone=dict(out_indices=(3,)),
    head=dict(type="mmdgdm.ACoLHead", in_channels=2048),
)
