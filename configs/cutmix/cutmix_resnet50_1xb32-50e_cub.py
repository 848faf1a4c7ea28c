_base_ = ["../cam/cam_resnet50_1xb32-50e_cub.py", "../_base_/methods/cutmix.py"]

model = dict(_base_.cutmix, data_preprocessor=dict(num_classes=200))
