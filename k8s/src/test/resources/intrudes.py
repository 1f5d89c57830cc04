"""Says what of a directory that is another group's can be reached all the same."""

import os
import socket
import sys


def connect(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(path)


for act, path in [
    (os.listdir, "/run/training-day"),
    (os.listdir, "/run/training-day/.segments"),
    (connect, "/run/training-day/lane.sock"),
]:
    try:
        act(path)
    except PermissionError:
        continue
    sys.exit(f"{act.__name__} {path} succeeded")
print("refused")
