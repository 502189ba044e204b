"""The web server that runs for an image that no test knows: answers every request with its task definition.

    HOST=127.64.1.2 PORT=8080 TASK_DEFINITION=web:3 python -I -S answerer.py

`/slow?0.5` answers after so many seconds. On SIGTERM it takes no more connections, and ends when the last request is
answered. It imports next to nothing, for it is started often.
"""

import os
import signal
import socket
import threading
import time
from _thread import start_new_thread

_under_way = [0]
_lock = threading.Lock()


def main() -> None:
    listener = socket.create_server((os.environ["HOST"], int(os.environ["PORT"])), backlog=256)
    signal.signal(signal.SIGTERM, lambda *_: listener.close())
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            break
        with _lock:
            _under_way[0] += 1
        start_new_thread(serve, (connection,))
    while _under_way[0]:
        time.sleep(0.005)


def serve(connection: socket.socket) -> None:
    try:
        answer(connection)
    except OSError:
        pass
    finally:
        connection.close()
        with _lock:
            _under_way[0] -= 1


def answer(connection: socket.socket) -> None:
    connection.settimeout(30)
    asked = b""
    while b"\r\n\r\n" not in asked:
        if not (more := connection.recv(65536)):
            return
        asked += more
    path = asked.split(b" ", 2)[1].decode("latin-1")
    if path.startswith("/slow?"):
        time.sleep(float(path.partition("?")[2]))
    body = os.environ["TASK_DEFINITION"].encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    connection.sendall(head.encode() + body)


if __name__ == "__main__":
    main()
