"""What a machine lacks, in one sentence: what failed, where, and the remedy.

torch and mmengine raise such faults as errors of many kinds, often without the file.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from typing import Optional

from mmdgdm.errors import LeftAloneError, MMDGDMError, ResourceError

_KEPT = "what was saved before is whole, and `--resume` goes on from it"
_LIMIT = "raise the limit (`ulimit -n 65536`) or lower `num_workers`"
#: What to do about an operating system's error.
_REMEDIES = {
    errno.ENOSPC: "the disk is full: make room, or name another folder",
    errno.EDQUOT: "your quota of disk space is used up: make room",
    errno.EFBIG: "it is larger than a file may be here: raise the limit (`ulimit -f`)",
    errno.EROFS: "the file system is read-only: name another folder",
    errno.EACCES: "you may not write or read there: name another folder",
    errno.EPERM: "you may not write or read there: name another folder",
    errno.EIO: "the disk failed: check it, or name a folder on another one",
    errno.EMFILE: f"too many files are open: {_LIMIT}",
    errno.ENFILE: f"too many files are open: {_LIMIT}",
    errno.ENOMEM: "memory is used up: lower the batch size or `num_workers`",
}
#: What torch says, and what it means.
_SAYINGS = (
    (
        r"EADDRINUSE|[Aa]ddress already in use",
        "The port {port}is in use on this machine: name a free one, for example "
        "PORT=29511 before tools/dist_train.sh or MASTER_PORT in the environment.",
    ),
    (
        r"Too many open files",
        f"Too many files are open in this process: {_LIMIT}.",
    ),
    (
        r"CUDA out of memory|OutOfMemoryError|CUDA error: out of memory",
        "The memory of the GPU is used up: lower `train_dataloader.batch_size` (with "
        "`optim_wrapper.accumulative_counts` the step stays the same), use `--amp`, or "
        "end other programs on the GPU ({said})",
    ),
    (
        r"DefaultCPUAllocator|[Cc]annot allocate memory|bad_alloc",
        "The memory of this machine is used up: lower the batch size or "
        "`num_workers`, or end other programs ({said})",
    ),
    (
        r"DataLoader worker .*(Killed|Bus error)|unable to (mmap|allocate shared)",
        "A worker of the data loader was ended for want of memory, or of shared memory "
        "(/dev/shm): lower `num_workers` or the batch size, or give the container "
        "more (`docker run --shm-size=8g`) ({said})",
    ),
    (
        r"invalid device ordinal|No CUDA GPUs|no CUDA-capable device|NVIDIA driver"
        r"|not compiled with CUDA|No HIP GPUs",
        "There is no such GPU on this machine: start no more processes than "
        "`nvidia-smi` lists GPUs, check CUDA_VISIBLE_DEVICES, or run on the CPU "
        "({said})",
    ),
    (
        r"Timed out waiting \d+ ?ms|Application timeout caused pair closure"
        r"|wait timeout after \d+ ?ms",
        "Another process did not answer in time: it hangs, has not started, or works "
        "longer than the others may wait (`env_cfg.dist_cfg.timeout`, in seconds) "
        "({said})",
    ),
)

#: What gloo, NCCL and torch's store say of a process that is gone.
_LEFT_ALONE = (
    r"Connection (closed|reset) by (remote )?peer|remote (worker|process) (crash|exit)"
    r"|ncclRemoteError"
)


def explain_write_error(error: OSError, path: object) -> ResourceError:
    """Say why a file cannot be written.

    Args:
        error: What the operating system said.
        path: The file.

    Returns:
        The error to raise instead.
    """
    reason = _REMEDIES.get(error.errno or 0, error.strerror or str(error))
    return ResourceError(f"Cannot write {path}: {reason}; {_KEPT}.")


#: Errors that say nothing about a file, but that the process may open no more.
LACKS = frozenset([errno.EMFILE, errno.ENFILE, errno.ENOMEM])


def explain_lack(error: OSError, path: object) -> ResourceError:
    """Say why a file that is there cannot be opened.

    Args:
        error: One of :data:`LACKS`.
        path: The file.

    Returns:
        The error to raise instead.
    """
    return ResourceError(f"Cannot open {path}: {_REMEDIES[error.errno or 0]}; {_KEPT}.")


def explain_fault(error: BaseException) -> Optional[ResourceError]:
    """Say what the machine lacks, if that is what an error means.

    Args:
        error: Any error.

    Returns:
        The error to show instead, or ``None`` if it is of another kind.
    """
    for cause in _causes(error):
        if isinstance(cause, MMDGDMError):
            continue
        known = isinstance(cause, OSError) and cause.errno in _REMEDIES
        if known and isinstance(cause, OSError):
            where = f" {cause.filename}" if cause.filename else ""
            what = f"Cannot use{where}" if where else "The run stopped"
            return ResourceError(f"{what}: {_REMEDIES[cause.errno or 0]}; {_KEPT}.")
        if isinstance(cause, MemoryError):
            return ResourceError(_sentence(_SAYINGS[3][1], "MemoryError"))
        found = _find_saying(cause)
        if found is not None:
            return found
    return None


def _causes(error: Optional[BaseException]) -> Iterator[BaseException]:
    """An error and what it was raised from, the newest first."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _find_saying(error: BaseException) -> Optional[ResourceError]:
    # Messages of other errors, such as a KeyError, may quote anything.
    if not isinstance(error, (RuntimeError, OSError, AssertionError)):
        return None
    text = f"{type(error).__name__}: {error}"
    if re.search(_LEFT_ALONE, text):
        return LeftAloneError(
            "Another process of this run has ended; its own message tells why."
        )
    for pattern, meaning in _SAYINGS:
        match = re.search(pattern, text)
        if match:
            return ResourceError(_sentence(meaning, text[match.start() :]))
    return None


def _sentence(meaning: str, said: str) -> str:
    port = re.search(r"port: (\d+)", said) or re.search(r":(\d{2,5})\b", said)
    number = port[1] if port else os.environ.get("MASTER_PORT", "")
    said = " ".join(said.split())[:160].rstrip(".")
    sentence = meaning.format(port=f"{number} " if number else "", said=said)
    return sentence if sentence.endswith(".") else f"{sentence}; {_KEPT}."
