_base_ = "../cam/cam_resnet18_1xb32-12e_toy.py"

# Settings searched on val, rounded (configs/_search_/toy/dropblock.yaml).
model = dict(
    stage_necks=[dict(type="mmdgdm.DropBlock", after="layer1.1", drop_prob=0.044)]
)
