_base_ = [
    "../cam/cam_efficientnet-lite0_1xb32-4e_stamps.py",
    "../_base_/methods/has.py",
]

_base_.train_pipeline.insert(-1, _base_.has.stamps)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
