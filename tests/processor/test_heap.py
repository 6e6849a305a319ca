"""Memory that Python has freed goes back to the system."""

import subprocess
import sys

_PROGRAM = """
import ctypes, sys
from processor.heap import give_back_large_blocks

def held():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

if sys.argv[1] == "set":
    assert give_back_large_blocks()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]
libc.free(libc.malloc(31 << 20))  # from here on glibc keeps blocks up to this size
before = held()
large, small = [], []
for _ in range(20):
    large.append(libc.malloc(4 << 20))
    ctypes.memset(large[-1], 1, 4 << 20)
    small.append(libc.malloc(100 << 10))  # what is left in between
for block in large:
    libc.free(block)
print((held() - before) >> 20)
"""


def left_after(setting: str) -> int:
    """MiB."""
    result = subprocess.run([sys.executable, "-c", _PROGRAM, setting], capture_output=True, text=True, check=True)
    return int(result.stdout)


def test_large_blocks_go_back_although_something_small_lies_behind_them() -> None:
    assert left_after("set") < 8
    assert left_after("not") > 40  # else the setting is of no use any more
