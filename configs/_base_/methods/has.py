# Hide-and-Seek by data, to stand before the last transform of training. Hidden cells
# have the mean of the data preprocessor, in the order of the loaded image (BGR).
has = dict(
    photos=dict(type="mmdgdm.HideAndSeek", fill=(103.53, 116.28, 123.675)),
    # The paper's sizes, for 160 pixels instead of 224; its rate was searched on val,
    # rounded (configs/_search_/stamps/has.yaml).
    stamps=dict(
        type="mmdgdm.HideAndSeek",
        fill=(127, 127, 127),
        grid_sizes=(0, 11, 23, 31, 40),
        drop_prob=0.1,
    ),
    # The paper's sizes, for 128 pixels instead of 224.
    tiny_imagenet_128=dict(
        type="mmdgdm.HideAndSeek",
        fill=(127, 127, 127),
        grid_sizes=(0, 9, 18, 25, 32),
    ),
    # The paper's sizes, for 64 pixels instead of 224.
    toy=dict(
        type="mmdgdm.HideAndSeek",
        fill=(127.5, 127.5, 127.5),
        grid_sizes=(0, 5, 9, 13, 16),
    ),
)
