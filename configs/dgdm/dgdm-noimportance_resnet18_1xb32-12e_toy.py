_base_ = "dgdm_resnet18_1xb32-12e_toy.py"

model = dict(
    stage_necks=[
        dict(type="mmdgdm.DGDM", after="layer4.1", sagd=dict(importance=False))
    ]
)
