"""An ASGI event source, run by uvicorn: no framework, as FastAPI and Starlette speak to the server."""

import asyncio
import json
import sys
import time
from urllib.parse import parse_qs


def say(**record):
    print(json.dumps(record), flush=True)


async def gone(receive):
    while (await receive())["type"] != "http.disconnect":
        pass


async def events(scope, receive, send, query):
    headers = dict(scope["headers"])
    n, gap = int(query.get("n", ["10"])[0]), float(query.get("gap", ["50"])[0]) / 1000
    seq = int(headers.get(b"last-event-id", b"-1")) + 1
    say(event="open", url=scope["path"], http=scope["http_version"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
    # uvicorn writes the head with the first body message; an empty one is not written, so a comment stands first
    await send({"type": "http.response.body", "body": b": hello\n\n", "more_body": True})
    left = asyncio.ensure_future(gone(receive))
    for i in range(n):
        await asyncio.wait([left], timeout=gap)
        if left.done():
            break
        data = json.dumps({"seq": seq + i, "t": str(time.monotonic_ns())}, separators=(",", ":"))
        body = f"id: {seq + i}\ndata: {data}\n\n".encode()
        await send({"type": "http.response.body", "body": body, "more_body": True})
    if n == 0 or query.get("end") == ["0"]:
        await left
    say(event="close", url=scope["path"], t=str(time.monotonic_ns()), finished=not left.done())
    left.cancel()
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def echo(receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    more = True
    while more:
        message = await receive()
        more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": message.get("body", b""), "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    query = parse_qs(scope["query_string"].decode())
    if scope["path"] == "/events":
        await events(scope, receive, send, query)
    elif scope["path"] == "/echo":
        await echo(receive, send)
    else:
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def main():
    import socket

    import uvicorn

    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(128)
    say(event="listening", port=sock.getsockname()[1])
    config = uvicorn.Config(app, log_level="warning", lifespan="off", access_log=False)
    uvicorn.Server(config).run(sockets=[sock])


if __name__ == "__main__":
    sys.exit(main())
