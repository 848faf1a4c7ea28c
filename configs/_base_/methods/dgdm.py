# DGDM, settings of its layer by data. A config sets the place:
#   model = dict(stage_necks=[dict(_base_.dgdm.photos, after="layer4.2")])
#   default_hooks = _base_.drop_ramp
# Each part that is not named here is as by default: scales are kept, and no gradient
# goes through the attention. Why so: ../../dgdm/README.md.
dgdm = dict(
    # CUB-200-2011, ILSVRC, OpenImages30k; not searched.
    photos=dict(
        type="mmdgdm.DGDM",
        sagd=dict(block_size=0.2, bg_threshold=1.0, bg_rule="mean"),
    ),
    raccoon=dict(type="mmdgdm.DGDM"),
    # Searched on val with the loss of the background, rounded
    # (configs/_search_/stamps/dgdm-bgloss.yaml).
    stamps=dict(
        type="mmdgdm.DGDM",
        cagd=dict(drop_prob=0.48),
        sagd=dict(
            drop_prob=0.45,
            drop_threshold=0.89,
            block_size=2,
            bg_threshold=1.0,
            bg_rule="mean",
        ),
    ),
    # Searched on val, rounded (configs/_search_/toy/dgdm.yaml).
    toy=dict(
        type="mmdgdm.DGDM",
        cagd=dict(drop_prob=0.56),
        sagd=dict(drop_prob=0.37, drop_threshold=0.73, block_size=2),
    ),
)
# Erasing grows with training.
drop_ramp = dict(drop_ramp=dict(type="mmdgdm.DropRampHook"))
