# Ten views of an image for `tools/test.py --tta`: the four corners and the centre of
# 256 x 256 pixels, 224 x 224 each, upright and flipped.
tta_model = dict(type="mmdgdm.WSOLTTAModel")
tta_pipeline = [
    dict(type="mmdgdm.LoadWSOLImage"),
    dict(type="Resize", scale=(256, 256)),
    dict(
        type="TestTimeAug",
        transforms=[
            [
                dict(type="mmdgdm.CropWindow", window=(0, 0, 0.875, 0.875)),
                dict(type="mmdgdm.CropWindow", window=(0.125, 0, 1, 0.875)),
                dict(type="mmdgdm.CropWindow", window=(0, 0.125, 0.875, 1)),
                dict(type="mmdgdm.CropWindow", window=(0.125, 0.125, 1, 1)),
                dict(type="mmdgdm.CropWindow", window=(0.0625, 0.0625, 0.9375, 0.9375)),
            ],
            [
                dict(type="RandomFlip", prob=0.0),
                dict(type="RandomFlip", prob=1.0, direction="horizontal"),
            ],
            [dict(type="mmdgdm.PackWSOLInputs", as_view=True)],
        ],
    ),
]
