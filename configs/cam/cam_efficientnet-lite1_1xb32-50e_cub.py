_base_ = [
    "../_base_/models/efficientnet_lite1.py",
    "../_base_/datasets/cub.py",
    "../_base_/schedules/cub_50e.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(num_classes=200))
