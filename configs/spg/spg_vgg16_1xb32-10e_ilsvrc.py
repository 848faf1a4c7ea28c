_base_ = "../cam/cam_vgg16_1xb32-10e_ilsvrc.py"

model = dict(
    backbone=dict(out_indices=(3, 4), pool_sizes=(2, 2, 2, 3)),
    head=dict(type="mmdgdm.SPGHead", in_channels=(512, 512)),
)
