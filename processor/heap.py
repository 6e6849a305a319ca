"""How memory is kept that Python has freed, and how often it looks for what it could free.

Owns one setting of glibc, and one of the collector. On another C library the first changes nothing.
"""

import ctypes
import gc

_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_LARGE = 128 << 10
_NEW_OBJECTS = 10_000


def give_back_large_blocks() -> bool:
    """Have the system get every large block back as soon as it is freed; whether that can be had.

    glibc does so at first, and from the first free of a larger block on keeps all up to that size on its heap. A load
    reads megabytes at a time, and what it leaves in between pins them: with a million records the worker held 917 MiB,
    and holds 736, in the same time.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGE)) and bool(mallopt(_M_ARENA_MAX, 1))


def collect_seldom() -> None:
    """Have the collector of cycles look at new objects in larger portions.

    A batch makes very many of them, none of which lies in a cycle: at Python's 700 a tenth of a worker's time goes into
    looking. And never at what was imported, nor while it was (the command line has turned the collector off): the first
    load would look at all of it.
    """
    gc.set_threshold(_NEW_OBJECTS)
    gc.freeze()
    gc.enable()
