_base_ = [
    "../_base_/models/efficientnet_lite0_toy.py",
    "../_base_/datasets/toy.py",
    "../_base_/schedules/toy_12e.py",
    "../_base_/default_runtime.py",
]
