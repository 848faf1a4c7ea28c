_base_ = "../cam/cam_inception-v3_1xb32-10e_ilsvrc.py"

model = dict(
    backbone=dict(out_indices=(3,)),
    head=dict(type="mmdgdm.ACoLHead", in_channels=768),
)
