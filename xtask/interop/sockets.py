"""A socket as pynng has it, for whoever gives orders, a line each, and reads an answer to each.

    sockets.py PATTERN

    listen ADDRESS | dial ADDRESS | subscribe TOPIC | peers N | send N | recv | request N | reply | close

A message of N has N bytes that follow from N; the answer to what came is its length and the sum of its bytes. For `sub`
and `pub` a message has its topic before it: send N TOPIC.
"""

import sys
import time

import pynng

PATTERNS = {
    "pair": pynng.Pair0,
    "pair1": pynng.Pair1,
    "pub": pynng.Pub0,
    "sub": pynng.Sub0,
    "req": pynng.Req0,
    "rep": pynng.Rep0,
    "push": pynng.Push0,
    "pull": pynng.Pull0,
}


def message(words):
    count = int(words[0])
    topic = words[1].encode() if len(words) > 1 else b""
    return topic + bytes((at * 31 + count) % 256 for at in range(count))


def received_by(socket):
    # Not recv(), which fails for an empty message (pynng 0.9).
    return socket.recv_msg().bytes


def described(received):
    return f"{len(received)} {sum(received)}"


def obey(socket, words):
    order, rest = words[0], words[1:]
    if order == "listen":
        socket.listen(rest[0])
        return "listening"
    if order == "dial":
        socket.dial(rest[0], block=True)
        return "dialed"
    if order == "subscribe":
        socket.subscribe(rest[0].encode())
        return "subscribed"
    if order == "peers":
        # Whoever runs us gives up in time.
        while len(socket.pipes) < int(rest[0]):
            time.sleep(0.002)
        return "there"
    if order == "send":
        socket.send(message(rest))
        return "sent"
    if order == "recv":
        return described(received_by(socket))
    if order == "request":
        socket.send(message(rest))
        return described(received_by(socket))
    if order == "reply":
        received = received_by(socket)
        socket.send(received)
        return described(received)
    if order == "close":
        socket.close()
        return "closed"
    raise ValueError(words)


def main():
    # The default of nng is 1 MiB for what is received.
    with PATTERNS[sys.argv[1]](recv_max_size=0) as socket:
        for line in sys.stdin:
            print(obey(socket, line.split()), flush=True)


main()
