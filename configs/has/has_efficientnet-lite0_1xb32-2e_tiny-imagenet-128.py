_base_ = [
    "../cam/cam_efficientnet-lite0_1xb32-2e_tiny-imagenet-128.py",
    "../_base_/methods/has.py",
]

_base_.train_pipeline.insert(-1, _base_.has.tiny_imagenet_128)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
