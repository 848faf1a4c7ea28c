# The loss of the background, beside any method whose head is WSOLHead, by data:
#   model = _base_.bgloss.photos
bgloss = {
    data: dict(
        head=dict(background_loss=dict(type="mmdgdm.BackgroundLoss", **settings))
    )
    for data, settings in dict(
        # Learned by the classifier alone, so that maps do not shrink onto a part while
        # training goes on (docs/research/when_dgdm_helps.md).
        photos=dict(loss_weight=1.0, detach_features=True),
        # Searched on val beside DGDM, rounded
        # (configs/_search_/{stamps,raccoon}/dgdm-bgloss.yaml).
        stamps=dict(loss_weight=0.88),
        raccoon=dict(loss_weight=0.1),
    ).items()
}
