# The stamps set scored by pixels: val and test carry masks in place of boxes, in the
# form that the benchmark has for OpenImages30k.
_base_ = "stamps.py"

data_root = "../shared/data/stamps"

test_pipeline = [
    dict(type="mmdgdm.LoadWSOLImage"),
    dict(type="mmdgdm.LoadWSOLMask"),
    dict(type="Resize", scale=({{_base_.input_size}}, {{_base_.input_size}})),
    dict(type="mmdgdm.PackWSOLInputs"),
]
mask_dataset = dict(
    _delete_=True,
    type="mmdgdm.WSOLDataset",
    data_root=data_root,
    num_classes=12,
    test_mode=True,
    pipeline=test_pipeline,
)
val_dataloader = dict(dataset=dict(ann_file="metadata_masks/val", **mask_dataset))
test_dataloader = dict(dataset=dict(ann_file="metadata_masks/test", **mask_dataset))

val_evaluator = [dict(type="mmdgdm.PxAP"), dict(type="Accuracy", topk=(1, 5))]
test_evaluator = val_evaluator
