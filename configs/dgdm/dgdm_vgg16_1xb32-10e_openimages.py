_base_ = "../cam/cam_vgg16_1xb32-10e_openimages.py"

model = dict(
    stage_necks=[
        dict(type="mmdgdm.DGDM", after="features.9"),
        dict(type="mmdgdm.DGDM", after="features.12"),
        dict(type="mmdgdm.DGDM", after="features.16"),
    ],
)
