"""Hostile answers to the exercise `twice` of the small assignment."""

import ctypes
import os
import signal
import time

import numpy as np


# %% twice wrong: an endless loop
def twice(x):
    while True:
        pass


# %% twice wrong: an endless loop that asks no signal
for number in range(1, 32):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass


def twice(x):
    while True:
        pass


# %% twice wrong: an endless loop outside a function
def twice(x):
    return 2 * x


while True:
    pass


# %% twice wrong: a sleep
def twice(x):
    time.sleep(1e6)


# %% twice wrong: a memory bomb
def twice(x):
    return [bytearray(1 << 28) for _ in range(1000)]


# %% twice wrong: a memory bomb that catches what it can
def twice(x):
    kept = []
    while True:
        try:
            kept.append(np.ones(1 << 24))
        except MemoryError:
            pass


# %% twice wrong: a fork bomb
def twice(x):
    while True:
        try:
            os.fork()
        except OSError:
            pass


# %% twice wrong: many processes that each take memory
def twice(x):
    for _ in range(50):
        if os.fork() == 0:
            break
    data = bytearray(1 << 28)
    data[:] = b"x" * len(data)
    time.sleep(60)


# %% twice wrong: an end of the program
def twice(x):
    os._exit(0)


# %% twice wrong: an exit
def twice(x):
    raise SystemExit


# %% twice wrong: a crash
def twice(x):
    ctypes.string_at(0)


# %% twice wrong: gigabytes printed
def twice(x):
    while True:
        print("x" * 1_000_000)


# %% twice wrong: an answer of gigabytes
def twice(x):
    return np.zeros(40_000_000)


# %% twice wrong: forged replies
for descriptor in range(3, 20):
    try:
        os.write(descriptor, b'{"value": 1}\n' * 2)
    except OSError:
        pass


def twice(x):
    return None


# %% twice wrong: a reply without end
def twice(x):
    while True:
        for descriptor in range(3, 9):
            try:
                os.write(descriptor, b"x" * 60_000)
            except OSError:
                pass


# %% twice wrong: a reply that is not JSON
def twice(x):
    for descriptor in range(3, 9):
        try:
            os.write(descriptor, b"\xff\xfe[[[[\n")
        except OSError:
            pass


# %% twice wrong: a reply of nested lists
def twice(x):
    for descriptor in range(3, 9):
        try:
            os.write(descriptor, b"[" * 1_000_000 + b"\n")
        except OSError:
            pass


# %% twice wrong: an array that lies about its size
def twice(x):
    for descriptor in range(3, 9):
        try:
            os.write(descriptor, b'{"value": {"array": ["<f8", [1000000000000], ""]}}\n')
        except OSError:
            pass


# %% twice wrong: a pickle
class Evil:
    def __reduce__(self):
        return (print, ("harm",))


def twice(x):
    return Evil()


# %% twice wrong: a number that pretends to be equal
class Equal(float):
    def __eq__(self, other):
        return True

    def __sub__(self, other):
        return 0.0


def twice(x):
    return [Equal(7)] * len(x)


# %% twice wrong: a patched numpy
np.isclose = np.allclose = lambda *a, **k: True
np.abs = lambda x: 0


def twice(x):
    return x


# %% twice wrong: a patched checker
from goalward.course.assignments import expect

expect.close = print


def twice(x):
    return x


# %% twice wrong: deep nesting
def twice(x):
    nest = []
    for _ in range(100_000):
        nest = [nest]
    return nest


# %% twice wrong: a generator
def twice(x):
    return (2 * y for y in x)


# %% twice wrong: the answer of the library
from goalward.tabular import mdp


def twice(x):
    return 2 * x + 0 * mdp.uniform_policy(1, 1)[0, 0]
