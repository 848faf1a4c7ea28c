_base_ = "../cam/cam_resnet50_1xb32-10e_openimages.py"

model = dict(
    stage_necks=[
        dict(type="mmdgdm.ADL", after="layer3.0"),
        dict(type="mmdgdm.ADL", after="layer4.0"),
        dict(type="mmdgdm.ADL", after="layer4.2"),
    ],
)
