_base_ = "../cam/cam_seresnet50_1xb32-50e_cub.py"

model = dict(
    stage_necks=[
        dict(type="mmdgdm.ADL", after="layer3.0"),
        dict(type="mmdgdm.ADL", after="layer4.0"),
        dict(type="mmdgdm.ADL", after="layer4.2"),
    ],
)
