_base_ = ["../cam/cam_resnet18_1xb32-20e_tiny-imagenet.py", "../_base_/methods/has.py"]

_base_.train_pipeline.insert(-1, _base_.has.toy)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
