_base_ = "../cam/cam_vgg16_1xb32-10e_ilsvrc.py"

model = dict(
    stage_necks=[
        dict(type="mmdgdm.DropBlock", after="features.9"),
        dict(type="mmdgdm.DropBlock", after="features.12"),
        dict(type="mmdgdm.DropBlock", after="features.16"),
    ],
)
