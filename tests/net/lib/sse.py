"""The reference reader of event streams (WHATWG HTML 9.2.6): what an EventSource would dispatch."""


class Event:
    def __init__(self, kind, data, last_id):
        self.type, self.data, self.id = kind, data, last_id

    def __repr__(self):
        return f"Event({self.type!r}, {self.data!r}, id={self.id!r})"

    def __eq__(self, other):
        return (self.type, self.data, self.id) == (other.type, other.data, other.id)


class Stream:
    """Everything in a payload: events in order, comments, the last retry, and what is left unfinished."""

    def __init__(self, payload):
        text = bytes(payload)
        if text.startswith(b"\xef\xbb\xbf"):
            text = text[3:]
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = text.split(b"\n")
        self.rest = lines.pop()
        self.events, self.comments, self.retry = [], [], None
        kind, data, last_id = b"", [], b""
        for line in lines:
            if not line:
                if data:
                    self.events.append(Event(kind.decode() or "message", b"\n".join(data), last_id.decode()))
                kind, data = b"", []
                continue
            name, colon, value = line.partition(b":")
            value = value[1:] if value.startswith(b" ") else value
            if not name and colon:
                self.comments.append(value)
            elif name == b"data":
                data.append(value)
            elif name == b"event":
                kind = value
            elif name == b"id" and b"\0" not in value:
                last_id = value
            elif name == b"retry" and value.isdigit():
                self.retry = int(value)
        self.open_event = bool(data or kind)


def without_comments(payload):
    """The payload with comment lines that stand alone (": …" and the blank line behind) taken out."""
    return b"".join(b for b in _blocks(payload) if not b.startswith(b":"))


def _blocks(payload):
    parts = bytes(payload).split(b"\n\n")
    return [p + b"\n\n" for p in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
