_base_ = ["../cam/cam_efficientnet-lite0_1xb32-4e_cub10.py", "../_base_/methods/has.py"]

# The mean of its data preprocessor.
_base_.train_pipeline.insert(-1, dict(_base_.has.photos, fill=(127, 127, 127)))
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
