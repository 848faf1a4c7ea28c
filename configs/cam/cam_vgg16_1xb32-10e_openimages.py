_base_ = [
    "../_base_/models/vgg16_gap.py",
    "../_base_/datasets/openimages.py",
    "../_base_/schedules/ilsvrc_10e.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(num_classes=100))
