_base_ = [
    "../_base_/models/resnet18_toy.py",
    "../_base_/datasets/toy.py",
    "../_base_/schedules/toy_12e.py",
    "../_base_/default_runtime.py",
]

model = dict(stage_necks=[dict(type="mmdgdm.DGDM", after="layer4.1")])
