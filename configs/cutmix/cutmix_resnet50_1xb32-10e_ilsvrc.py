_base_ = ["../cam/cam_resnet50_1xb32-10e_ilsvrc.py", "../_base_/methods/cutmix.py"]

model = dict(_base_.cutmix, data_preprocessor=dict(num_classes=1000))
