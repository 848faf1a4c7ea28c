_base_ = [
    "../_base_/models/resnet18_toy.py",
    "../_base_/datasets/tiny_imagenet.py",
    "../_base_/schedules/scratch_20e.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(num_classes=40))
