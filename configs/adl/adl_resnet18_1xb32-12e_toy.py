_base_ = "../cam/cam_resnet18_1xb32-12e_toy.py"

# Settings searched on val, rounded (configs/_search_/toy/adl.yaml).
model = dict(
    stage_necks=[
        dict(type="mmdgdm.ADL", after="layer1.1", drop_rate=0.54, drop_threshold=0.85)
    ]
)
