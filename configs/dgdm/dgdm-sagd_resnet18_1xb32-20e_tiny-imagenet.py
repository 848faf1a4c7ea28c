_base_ = "dgdm_resnet18_1xb32-20e_tiny-imagenet.py"

model = dict(stage_necks=[dict(_base_.dgdm.toy, after="layer1.1", cagd=None)])
