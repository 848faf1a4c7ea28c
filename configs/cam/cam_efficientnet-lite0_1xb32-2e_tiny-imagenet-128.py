_base_ = [
    "../_base_/models/efficientnet_lite0.py",
    "../_base_/datasets/tiny_imagenet_128.py",
    "../_base_/schedules/finetune.py",
    "../_base_/default_runtime.py",
]

model = dict(head=dict(num_classes=40))
train_cfg = dict(max_epochs=2)
