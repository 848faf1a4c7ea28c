_base_ = "../cam/cam_vgg16_1xb32-50e_cub.py"

model = dict(
    stage_necks=[
        dict(type="mmdgdm.ADL", after="features.9"),
        dict(type="mmdgdm.ADL", after="features.12"),
        dict(type="mmdgdm.ADL", after="features.16"),
    ],
)
