_base_ = [
    "../_base_/models/efficientnet_lite0.py",
    "../_base_/datasets/ilsvrc.py",
    "../_base_/schedules/ilsvrc_10e.py",
    "../_base_/default_runtime.py",
]
