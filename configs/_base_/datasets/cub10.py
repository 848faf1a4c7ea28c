# The first ten species of CUB-200-2011, real photographs in the archive's layout. Five
# train images of each species are val, in the benchmark's metadata form; the archive
# still counts them as train, so they are left out there.
_base_ = "cub.py"

data_root = "../shared/data/cub10"

train_dataloader = dict(
    num_workers=1, dataset=dict(data_root=data_root, left_out="metadata/val")
)
val_dataloader = dict(
    num_workers=1,
    dataset=dict(
        data_root=data_root,
        ann_file="metadata/val",
        data_prefix="",
        class_file="CUB_200_2011/classes.txt",
        num_classes=10,
    ),
)
test_dataloader = dict(num_workers=1, dataset=dict(data_root=data_root))
