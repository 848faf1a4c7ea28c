# The loss of the background, beside any method whose head is WSOLHead, by data:
#   model = _base_.bgloss.photos
# 0.88 and 0.1 were searched on val beside DGDM, rounded
# (configs/_search_/{stamps,raccoon}/dgdm-bgloss.yaml); 1 is the class's default.
bgloss = {
    data: dict(
        head=dict(
            background_loss=dict(type="mmdgdm.BackgroundLoss", loss_weight=weight)
        )
    )
    for data, weight in dict(photos=1.0, stamps=0.88, raccoon=0.1).items()
}
