_base_ = [
    "../cam/cam_efficientnet-lite0_1xb32-4e_stamps.py",
    "../_base_/methods/acol.py",
]

# Searched on val, rounded (configs/_search_/stamps/acol.yaml).
model = dict(head=dict(_base_.acol.efficientnet_lite.head, erase_threshold=0.94))
optim_wrapper = dict(optimizer=dict(lr=0.004))
