"""EDGE: directories made for what will stand in them."""

import os


def make_directories(path: str, mode: int) -> None:
    """
    Make the directory *path* and those of its parents that are missing.

    Each gets *mode*, whatever the umask is: os.makedirs leaves parents to
    it, and a umask of 0 would let everybody replace what stands in them.

    Raises:
        OSError: One cannot be made.
    """
    parent = os.path.dirname(path)
    if parent and not os.path.isdir(parent):
        make_directories(parent, mode)
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    else:
        os.chmod(path, mode)
