"""Become a program that ends when its starter ends: `launcher.py PARENT_PID SIGNAL program arguments…`

Run as a script that imports the standard library alone, instead of a `preexec_fn`, which is not safe beside threads.
Where the kernel has no such signal (not Linux) the program runs without it.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent_pid, death_signal, *program = sys.argv[1:]
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0) != 0:
            sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
        if os.getppid() != int(parent_pid):  # it ended before the signal was asked for
            sys.exit(0)
    try:
        os.execvp(program[0], program)  # noqa: S606 - replaces itself on purpose, no shell
    except OSError as error:
        sys.exit(f"{program[0]}: {error.strerror}")


if __name__ == "__main__":
    main()
