_base_ = [
    "../_base_/models/efficientnet_lite0.py",
    "../_base_/datasets/raccoon.py",
    "../_base_/schedules/finetune_4e.py",
    "../_base_/default_runtime.py",
]

# The classifier is ImageNet's own: it learns no faster than the backbone. The rate is
# that of a search on val, rounded (configs/_search_/raccoon/cam.yaml); rates of a third
# and less cost points.
model = dict(head=dict(cam_targets=("top1",)))
load_from = "pretrained/efficientnet_lite0.pth"
optim_wrapper = dict(
    optimizer=dict(lr=0.024),
    paramwise_cfg=dict(custom_keys={"head": dict(lr_mult=1.0)}),
)
