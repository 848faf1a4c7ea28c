# The toy's model with a narrow RepVGG, a plain stack of convolutions in use; its last
# map is 8 x 8 too.
_base_ = "resnet18_toy.py"

model = dict(
    backbone=dict(
        _delete_=True,
        type="RepVGG",
        arch=dict(
            num_blocks=[2, 2, 2, 1],
            width_factor=[1, 1, 1, 1],
            group_layer_map=None,
            se_cfg=None,
        ),
        base_channels=24,
        strides=(2, 2, 1, 1),
        out_indices=(3,),
    )
)
