_base_ = "../cam/cam_inception-v3_1xb32-10e_openimages.py"

model = dict(
    backbone=dict(out_indices=(2, 3)),
    head=dict(type="mmdgdm.SPGHead", in_channels=(288, 768)),
)
