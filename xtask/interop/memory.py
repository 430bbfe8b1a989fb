"""Shared memory as Python has it, for whoever gives orders, a line each, and reads an answer to each.

    memory.py NAME

    create SIZE | open | open untracked | write OFFSET TEXT | read OFFSET LENGTH | close | unlink
"""

import sys
from multiprocessing import resource_tracker, shared_memory

NAME = sys.argv[1]


def obey(memory, words):
    """Does what an order says: the memory from then on, and the answer."""
    if words[0] == "create":
        return shared_memory.SharedMemory(NAME, create=True, size=int(words[1])), "created"
    if words[0] == "open":
        memory = shared_memory.SharedMemory(NAME)
        if words[1:] == ["untracked"]:
            # What programs do where there is no track=False, which came with 3.13.
            resource_tracker.unregister("/" + NAME, "shared_memory")
        return memory, f"opened {memory.size}"
    if words[0] == "write":
        at, text = int(words[1]), words[2].encode()
        memory.buf[at : at + len(text)] = text
        return memory, "written"
    if words[0] == "read":
        at, length = int(words[1]), int(words[2])
        return memory, bytes(memory.buf[at : at + length]).decode()
    if words[0] == "close":
        memory.close()
        return None, "closed"
    if words[0] == "unlink":
        memory.close()
        memory.unlink()
        return None, "unlinked"
    raise ValueError(words)


def main():
    memory = None
    for line in sys.stdin:
        try:
            memory, answer = obey(memory, line.split())
        except OSError as error:
            answer = type(error).__name__
        print(answer, flush=True)


main()
