"""How fast ``tools/train.py`` trains beside the plain loop of the WSOL benchmark.

A training of this project (its Runner, hooks, log and data pipeline, as configured) and
a plain loop take turns of some iterations, each in a process of its own and on one
thread: the same network, images, batch size and optimizer. The plain loop does what the
public code of the WSOL benchmark (Choe et al., CVPR 2020) does in an iteration: Pillow
and torchvision load, resize, crop, flip and normalise; forward, cross entropy,
prediction, loss and number of hits read out, backward, SGD with momentum in two groups
of parameters. Printed is the processor's time of both per image, without validation and
checkpoints, and the median ratio of all turns.

    python benchmarks/training.py --data-root data/CUB_200_2011 [--batch 8]
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DATASETS, HOOKS, MODELS, init_default_scope
from PIL import Image
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from mmdgdm.apis.runner import run_training
from mmdgdm.engine.setup.overrides import disable_validation

CONFIG = (
    Path(__file__).resolve().parents[1] / "configs/cam/cam_resnet50_1xb32-50e_cub.py"
)
#: Changes of the model: ResNet-50, and a network so small that loading images counts.
NETWORKS = {
    "ResNet-50": {},
    "ResNet-18 of an eighth of its channels": {
        "model.backbone.depth": 18,
        "model.backbone.base_channels": 8,
        "model.backbone.stem_channels": 8,
        "model.head.in_channels": 64,
    },
}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Photos(Dataset):
    """Images and labels of a data set of this project, loaded by Pillow."""

    def __init__(self, dataset: Any) -> None:
        facts = [dataset.get_data_info(i) for i in range(len(dataset))]
        self.items = [(fact["img_path"], int(fact["gt_label"])) for fact in facts]
        self.transform = transforms.Compose(
            [
                transforms.Resize((256, 256)),
                transforms.RandomCrop(224),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(MEAN, STD),
            ]
        )

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> tuple[Tensor, int, str]:
        path, label = self.items[index]
        image = Image.open(path).convert("RGB")
        return self.transform(image), label, path


class PlainLoop:
    """The plain loop, an iteration at a time.

    Args:
        model: A classifier of this project, whose backbone and last layer are taken.
        dataset: Its training images.
        batch: Images in a batch.
    """

    def __init__(self, model: Any, dataset: Any, batch: int) -> None:
        self.backbone, self.fc = model.backbone, model.head.fc
        self.loader = DataLoader(Photos(dataset), batch_size=batch, shuffle=True)
        fast = [*self.backbone.layer4.parameters(), *self.fc.parameters()]
        known = {id(parameter) for parameter in fast}
        slow = [p for p in self.backbone.parameters() if id(p) not in known]
        self.optimizer = torch.optim.SGD(
            [dict(params=slow, lr=1e-3), dict(params=fast, lr=1e-2)],
            momentum=0.9,
            weight_decay=1e-4,
            nesterov=True,
        )
        self.batches = self.endless()
        self.loss = self.hits = self.seen = 0.0

    def endless(self) -> Iterator[Any]:
        """Batches of one epoch after another."""
        while True:
            yield from self.loader

    def iterate(self) -> None:
        """Train on the next batch."""
        images, labels, _ = next(self.batches)
        scores = self.fc(self.backbone(images)[-1].mean(dim=(2, 3)))
        loss = cross_entropy(scores, labels)
        self.loss += loss.item() * len(images)
        self.hits += (scores.argmax(dim=1) == labels).sum().item()
        self.seen += len(images)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()


@HOOKS.register_module()
class TakeTurns(Hook):
    """Lets the Runner wait for its turn, and tells how long each took.

    Args:
        turn: Iterations in a turn.
    """

    priority = "VERY_LOW"
    #: Where the word to go on comes from, and where seconds go to.
    pipe: ClassVar[Any] = None

    def __init__(self, turn: int) -> None:
        self.turn = turn

    def wait(self) -> None:
        """Wait for the next turn."""
        self.pipe.recv()
        self.start = time.process_time()

    def before_train_epoch(self, runner: Any) -> None:
        """Wait for the first turn."""
        self.wait()

    def after_train_iter(self, runner: Any, *args: Any, **kwargs: Any) -> None:
        """End a turn."""
        if (runner.iter + 1) % self.turn == 0:
            self.pipe.send(time.process_time() - self.start)
            if runner.iter + 1 < runner.max_iters:
                self.wait()


def train_by_runner(pipe: Any, cfg: Config, args: argparse.Namespace) -> None:
    """Train as ``tools/train.py`` does, by turns."""
    torch.set_num_threads(1)
    TakeTurns.pipe = pipe
    cfg.custom_hooks.append(dict(type="TakeTurns", turn=args.turn))
    with tempfile.TemporaryDirectory() as cfg.work_dir:
        run_training(cfg)


def train_plainly(pipe: Any, cfg: Config, args: argparse.Namespace) -> None:
    """Train by the plain loop, by turns."""
    torch.set_num_threads(1)
    init_default_scope("mmpretrain")
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).train()
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    loop = PlainLoop(model, dataset, args.batch)
    for _ in range(args.repeat + 1):
        pipe.recv()
        start = time.process_time()
        for _ in range(args.turn):
            loop.iterate()
        pipe.send(time.process_time() - start)


def make_config(name: str, args: argparse.Namespace) -> Config:
    """The config of a network, without validation and checkpoints."""
    cfg = Config.fromfile(CONFIG)
    cfg.model.backbone.pop("init_cfg")
    cfg.merge_from_dict({"model.head.num_classes": args.classes, **NETWORKS[name]})
    cfg.train_dataloader.update(batch_size=args.batch, num_workers=0, drop_last=True)
    cfg.train_dataloader.pop("persistent_workers")
    cfg.train_dataloader.dataset.data_root = args.data_root
    disable_validation(cfg)
    cfg.test_dataloader = cfg.test_cfg = cfg.test_evaluator = None
    cfg.custom_hooks = [
        hook for hook in cfg.custom_hooks if "Calibration" not in hook["type"]
    ]
    cfg.train_cfg = dict(by_epoch=False, max_iters=args.turn * (args.repeat + 1))
    cfg.default_hooks.checkpoint.update(interval=-1, save_last=False)
    cfg.param_scheduler = None
    cfg.env_cfg.mp_cfg.mp_start_method = "spawn"  # as here; there are no workers
    cfg.log_level = "ERROR"
    return cfg


def measure(name: str, args: argparse.Namespace) -> None:
    """Print the line of one network."""
    context = multiprocessing.get_context("spawn")
    pipes = []
    for train in (train_by_runner, train_plainly):
        pipe, end = context.Pipe()
        arguments = (end, make_config(name, args), args)
        context.Process(target=train, args=arguments, daemon=True).start()
        end.close()  # a process that dies is then known by its pipe
        pipes.append(pipe)
    turns = []
    for _ in range(args.repeat + 1):
        seconds = []
        for pipe in pipes:
            pipe.send(True)
            seconds.append(pipe.recv())
        turns.append(seconds)
    images = args.turn * args.batch
    ours, plain = (1e3 * statistics.median(t) / images for t in zip(*turns[1:]))
    # The first turn warmed up.
    ratios = [theirs / mine for mine, theirs in turns[1:]]
    low, ratio, high = statistics.quantiles(ratios, n=4)
    print(
        f"{name}: {ours:.1f} ms an image, the plain loop {plain:.1f} ms; "
        f"{ratio:.3f} times its speed (half of the turns {low:.3f} to {high:.3f})"
    )


def main() -> None:
    """Parse the arguments and print a line for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-root", required=True, help="folder of CUB-200-2011")
    parser.add_argument("--classes", type=int, default=200, help="of that folder")
    parser.add_argument("--batch", type=int, default=8, help="images in a batch")
    parser.add_argument("--turn", type=int, default=2, help="iterations in a turn")
    parser.add_argument("--repeat", type=int, default=10, help="turns that are timed")
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS))
    args = parser.parse_args()
    for name in args.networks:
        measure(name, args)


if __name__ == "__main__":
    main()
