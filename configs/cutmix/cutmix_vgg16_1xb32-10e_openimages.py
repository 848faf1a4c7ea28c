_base_ = ["../cam/cam_vgg16_1xb32-10e_openimages.py", "../_base_/methods/cutmix.py"]

model = dict(_base_.cutmix, data_preprocessor=dict(num_classes=100))
