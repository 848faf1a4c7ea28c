_base_ = [
    "../cam/cam_efficientnet-lite0_1xb32-4e_stamps.py",
    "../_base_/methods/spg.py",
]

# The rate was searched on val, rounded (configs/_search_/stamps/spg.yaml).
model = _base_.spg.efficientnet_lite
optim_wrapper = dict(optimizer=dict(lr=0.004))
