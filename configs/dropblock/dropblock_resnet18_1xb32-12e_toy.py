_base_ = "../cam/cam_resnet18_1xb32-12e_toy.py"

model = dict(stage_necks=[dict(type="mmdgdm.DropBlock", after="layer4.1")])
