_base_ = ["../cam/cam_resnet18_1xb32-12e_toy.py", "../_base_/methods/cutmix.py"]

model = dict(_base_.cutmix, data_preprocessor=dict(num_classes=8))
