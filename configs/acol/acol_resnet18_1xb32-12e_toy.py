_base_ = "../cam/cam_resnet18_1xb32-12e_toy.py"

model = dict(head=dict(type="mmdgdm.ACoLHead", mid_channels=192))
