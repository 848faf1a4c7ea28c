_base_ = ["../cam/cam_vgg16_1xb32-10e_openimages.py", "../_base_/methods/has.py"]

_base_.train_pipeline.insert(-1, _base_.has.photos)
train_dataloader = dict(dataset=dict(pipeline=_base_.train_pipeline))
