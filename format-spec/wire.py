#!/usr/bin/env python3
"""A second reader of the wire, written from wire.md to be read beside it: it checks conversations that are written down as text.

    wire.py FILE ...          what fixtures/wire/README.md describes; prints a line for each

Checks all that a client must check of what its server sends, and of what a client sends while it gives records. A file that says
`@ refused` must be refused. Needs what ctz.py needs. Exit codes: 0 every file is as it says, 2 usage, 3 one is not.
Section numbers are those of wire.md, or of record.md where it says R.
"""

import re
import sys
import zlib

from blake3 import blake3

import ctz
from ctz import Bad, Header, decode, decode_one, demand, encode

PIECE = 65_536  # the most that a counted piece has, but for the digests of a since
SEGMENT = 65_536
DIGESTS = 16_777_216  # the most bytes of digests that all groups of an answer have


# fixtures/wire/README.md: conversations as text


def unescape(text):
    return re.sub(rb"\\(\\|x[0-9a-f]{2})", lambda found: bytes([int(found[1][1:], 16)]) if found[1] != b"\\" else b"\\", text.encode())


class Script:
    def __init__(self, path):
        self.sent, self.says = {"C": b"", "S": b""}, {}
        with open(path, encoding="utf-8") as file:
            for line in file.read().splitlines():
                side, form, rest = line[:1], line[1:2], line[3:]
                if line == "" or side == "#":
                    continue
                elif side == "@":
                    word, _, value = line[2:].partition(" ")
                    self.says[word] = value
                elif form == ":":
                    self.sent[side] += rest.encode() + b"\n"
                elif form == "=":
                    self.sent[side] += unescape(rest)
                else:
                    count, _, text = rest.partition(" ")
                    text = unescape(text)
                    self.sent[side] += (text * (int(count) // len(text) + 1))[:int(count)]


# 2: lines and counted pieces


class Stream:
    def __init__(self, data):
        self.data, self.at = data, 0

    def is_at_end(self):
        return self.at == len(self.data)

    def line(self):
        end = self.data.find(b"\n", self.at)
        demand(end >= 0 or len(self.data) - self.at <= 1024, "a line of more than 1,024 bytes")
        demand(end >= 0, "cut in the middle of a line" if not self.is_at_end() else "closed")
        line, length = self.data[self.at:end], end + 1 - self.at
        demand(length <= 1024, "a line of more than 1,024 bytes")
        self.at = end + 1
        try:
            text = line.removesuffix(b"\r").decode()
        except UnicodeDecodeError:
            raise Bad("a line that is not UTF-8")
        demand(not re.search("[\0-\x1f\x7f-\x9f]", text), "a line with control characters")
        return text

    def counted(self, count, most=PIECE):
        demand(count <= most, f"a piece of {count} bytes, more than {most}")
        piece = self.data[self.at:self.at + count]
        demand(len(piece) == count, "cut in the middle of a piece")
        self.at += count
        return piece


def number(text):
    demand(re.fullmatch("0|[1-9][0-9]{0,18}", text) and int(text) < 2**63, f"no number: {text}")
    return int(text)


def from_hex(text, length):
    demand(re.fullmatch(f"[0-9a-f]{{{2 * length}}}", text), f"not {length} bytes in hexadecimal: {text}")
    return bytes.fromhex(text)


# 4: replies


class Refused(Exception):
    """The server refused a command, which it may."""


def reply(stream):
    """The next reply that is none of those that say that the work goes on."""
    while True:
        line = stream.line()
        found = re.fullmatch("([1-9][0-9]{2})(?: (.*))?", line)
        demand(found, f"no reply: {line}")
        if found[1][0] != "9":
            return int(found[1]), found[2] or ""


def expect(stream, code):
    found, text = reply(stream)
    demand(found == code, f"{found} {text}, where {code} must come")
    return text.split("|")


def item(stream):
    """7 to 9: the next line inside of an answer: its word and arguments."""
    while True:
        line = stream.line()
        if line == "000":
            return "000", []
        if re.fullmatch("5[0-9]{2}( .*)?", line):
            raise Bad(f"broken off: {line}")
        if re.fullmatch("9[0-9]{2}( .*)?", line):
            continue
        word, blank, rest = re.fullmatch("(DATA CHUNK|[A-Z]*)( ?)(.*)", line).groups()
        demand(blank, f"no line of an answer: {line}")
        return word, rest.split("|")


def want(stream, *words):
    word, arguments = item(stream)
    demand(word in words, f"{word} {arguments}, where {' or '.join(words)} must come")
    return word, arguments


# 7: records


class Tally:
    """8: how many records, and their digests."""

    def __init__(self, scope):
        self.scope, self.records, self.bytes, self.crc = scope, 0, 0, 0
        self.hasher = blake3(derive_key_context=f"ctdl-dump {'site' if scope == 'all' else 'kind'} digest v1")

    def add(self, header, digest):
        self.records += 1
        self.bytes += header.length or 0
        self.crc = zlib.crc32(digest, self.crc)
        if self.scope != "all" or header.kind not in ("loss", "omitted"):
            self.hasher.update(digest)

    def totals(self):
        return [self.records, self.bytes, self.crc, self.hasher.digest()]


def totals(arguments):
    demand(len(arguments) == 4, f"no totals: {arguments}")
    records, length, crc, digest = arguments
    return [number(records), number(length), int.from_bytes(from_hex(crc, 4), "big"), from_hex(digest, 32)]


class Records:
    """The frames of one answer. `part` is the position behind which they begin, and the offset there."""

    def __init__(self, stream, scope, keys=None, part=None):
        self.stream, self.scope, self.keys = stream, scope, keys
        self.last, self.part = None, part
        self.tally = Tally(scope)

    def read(self, end):
        while (found := want(self.stream, "KIND", end))[0] == "KIND":
            self.frame(*found[1])
        demand(not self.keys, f"records that were asked for are missing: {self.keys}")
        return found[1]

    def frame(self, kind):
        demand(kind in ctz.KINDS, f"no kind: {kind}")
        word, arguments = want(self.stream, "BODY", "HEADERS")
        body = None
        if word == "BODY":
            body = [number(value) for value in arguments]
            demand(len(body) == 2, f"BODY {arguments}")
            word, arguments = want(self.stream, "HEADERS")
        content = self.stream.counted(number(*arguments))
        headers, at = [], 0
        while at < len(content):
            value, length = decode(content[at:], "a header")
            headers.append(Header(value, "a header"))
            at += length
        demand(headers, "a frame without headers")
        digests = []
        for index, header in enumerate(headers):
            self.check_place(header, kind, index)
            demand(header.is_long == (body is not None) and not header.is_folded, f"{header.kind} {header.key}: BODY where none is, or none where one is")
            # R7
            hasher = blake3(derive_key_context="ctdl-dump record identity v1")
            hasher.update(encode([header.kind, header.key, header.fields, header.length]) + header.inline)
            if body:
                demand(len(headers) == 1, "a longer body, but not one header")
                self.body(header, hasher, *body)
            digests.append(hasher.digest())
        _, arguments = want(self.stream, "DIGEST")
        digest = from_hex(*arguments, 32)
        # The beginning of a body that another connection brought is not here.
        if not body or body[1] == 0:
            demand(digest == blake3(content + b"".join(digests)).digest(), "a frame of another digest")
        for header, record in zip(headers, digests):
            self.tally.add(header, record)

    def check_place(self, header, kind, index):
        what = f"{header.kind} {header.key}"
        demand(header.kind == kind and self.scope in ("all", kind), f"{what}: not of the kind that it should be")
        demand(self.last is None or self.last < header.order, f"{what}: out of order, or twice")
        if self.keys is not None:
            demand(self.keys and self.keys.pop(0) == header.key, f"{what}: was not asked for")
        self.last = header.order

    def body(self, header, hasher, length, offset):
        demand(length == header.length, f"{header.kind} {header.key}: BODY of another length")
        begins = self.part[2] if self.part and self.part[:2] == [header.kind, header.key] else 0
        demand(offset == begins, f"{header.kind} {header.key}: its body begins at {offset}, not at {begins}")
        demand(offset % SEGMENT == 0 and offset < length, f"{header.kind} {header.key}: no segment begins at {offset}")
        for at in range(offset, length, SEGMENT):
            _, arguments = want(self.stream, "DATA CHUNK" if at == offset else "CHUNK")
            size = number(*arguments)
            bytes_of_body = min(length - at, SEGMENT)
            is_right = 1 <= size <= bytes_of_body if header.has_numbers else size == bytes_of_body
            demand(is_right, f"{header.kind} {header.key}: a segment of {size} bytes at {at}")
            segment = self.stream.counted(size)
            if header.has_numbers:
                segment = ctz.segment_of_numbers(segment, bytes_of_body, f"{header.kind} {header.key}")
            hasher.update(segment)

    def read_all(self):
        """Behind all records: what there is in all, and the state."""
        told = totals(self.read("TOTAL"))
        if self.part is None:
            demand(told == self.tally.totals(), "the records are not those that were counted")
        state(self.stream)
        want(self.stream, "000")


def checked_piece(stream, word):
    """7, 8: a piece and its digest."""
    _, arguments = want(stream, word)
    piece = stream.counted(number(*arguments))
    _, arguments = want(stream, "DIGEST")
    demand(from_hex(*arguments, 32) == blake3(piece).digest(), f"{word} of another digest")
    return piece


def state(stream):
    try:
        checked_piece(stream, "STATE").decode()
    except UnicodeDecodeError:
        raise Bad("a state that is not UTF-8")


# 9: the tree over the records


class Listing:
    def __init__(self, stream, level, known, chosen=None):
        self.stream, self.level, self.known, self.chosen = stream, level, known, chosen
        self.next, self.last, self.grouped = 0, None, 0

    def read(self):
        while True:
            word, arguments = want(self.stream, "SEGMENT" if self.level == "segments" else "GROUP", "KEEP", "000")
            match word:
                case "000":
                    break
                case "KEEP":
                    start, count = map(number, arguments)
                    demand(self.chosen is None and start >= self.next and count > 0 and start + count <= self.known,
                           f"KEEP {arguments} of {self.known}, behind {self.next}")
                    self.next = start + count
                case "SEGMENT":
                    self.segment(self.stream.counted(number(*arguments)))
                case "GROUP":
                    self.group(self.stream.counted(number(*arguments)))
        demand(not self.chosen, "segments that were asked for are missing")

    def segment(self, content):
        if self.chosen is not None:
            digest = blake3(content).digest()
            demand(digest in self.chosen, "a segment that was not asked for")
            self.chosen.remove(digest)
        records = decode_one(content, "a manifest segment")
        demand(type(records) is list and records, "an empty manifest segment")
        for record in records:
            demand(type(record) is list and len(record) == 4, "no line of a manifest segment")
            kind, key, length, digest = record
            parts = [part if type(part) is int else ctz.name_bytes(part, "a key") for part in (key if type(key) is list else [key])]
            demand(kind in ctz.KINDS and (length is None or type(length) is int) and type(digest) is bytes and len(digest) == 32,
                   "no line of a manifest segment")
            order = (ctz.KINDS[kind][0], parts)
            demand(self.last is None or self.last < order, f"{kind} {key}: listed out of order, or twice")
            self.last = order

    def group(self, content):
        digests = split(content)
        ends = [digest[0] & 0x1F == 0 for digest in digests]
        demand(1 <= len(digests) <= 256 and not any(ends[:-1]), "not the digests of one group")
        self.grouped += len(content)
        demand(self.grouped <= DIGESTS, "more segments than the protocol allows")


def split(content):
    demand(len(content) % 32 == 0, "no row of digests")
    return [content[at:at + 32] for at in range(0, len(content), 32)]


# 3: commands, and what answers them


class Conversation:
    def __init__(self, client, server):
        self.client, self.server, self.snapshot = Stream(client), Stream(server), None

    def check(self):
        name, *rest = expect(self.server, 200)
        demand(name == "ctdl-dump wire 1" and len(rest) == 2, f"no greeting: {name}")
        self.packs = "zstd" in rest[0].split(",")
        while not self.client.is_at_end() and not (self.server.is_at_end() and self.client.data.endswith(b"QUIT\n")):
            word, _, rest = self.client.line().partition(" ")
            try:
                self.answer(word.upper(), rest.split("|"))
            except Refused:
                pass
        demand(self.server.is_at_end(), "the server says more than it was asked")

    def answer(self, word, arguments):
        match word, arguments:
            case "IDEN", [_, asked, _]:
                version, agreed = self.ok()[:2]
                demand(version == "1", f"another version: {version}")
                packs = self.packs and "zstd" in asked.split(",")
                demand(agreed == ("zstd" if packs else ""), "not the abilities that are offered and asked for")
            case "SNAP" | "SNGL", _:
                self.snapshot = None
                self.see(self.ok())
            case "SYNC", [scope, "put", snapshot, *digest, count]:
                site = self.client.counted(number(count))
                if digest in ([], [blake3(site).hexdigest()]):
                    self.put(site)
                else:
                    demand(reply(self.server)[0] == 512, "a site.cbor of another digest is taken")
            case "SYNC", [scope, action, *rest]:
                counted = self.client.counted(number(rest[-1]), 16 * 2**20) if rest else b""
                self.sync(scope, action, rest, counted)
            case _:
                self.ok()

    def ok(self, *codes):
        found, text = reply(self.server)
        if 500 <= found < 600:
            raise Refused(text)
        demand(found in (codes or [200]), f"{found} {text} where it can't come")
        return text.split("|")

    def see(self, fields):
        """6: every answer is of the same snapshot."""
        snapshot, taken = from_hex(fields[0], 16), number(fields[1])
        demand(self.snapshot in (None, snapshot), "another snapshot in the middle of a connection")
        self.snapshot = snapshot

    def sync(self, scope, action, rest, counted):
        if action == "info" and scope != "all":
            kind, *told = self.ok()
            demand(kind == scope and totals(told), f"{kind}, where {scope} was asked for")
            return
        self.see(self.ok(600))
        match action:
            case "info":
                self.info()
            case "getall" if not rest:
                Records(self.server, scope).read_all()
            case "getall":
                Records(self.server, scope, part=[*decode_one(counted, "a position"), number(rest[0])]).read_all()
            case "get":
                keys = []
                while counted:
                    key, length = decode(counted, "keys")
                    keys, counted = [*keys, key], counted[length:]
                Records(self.server, scope, keys, [scope, keys[0], number(rest[0])]).read("000")
            case "list" if not rest:
                Listing(self.server, "segments", 0).read()
            case "list":
                Listing(self.server, "segments", 0, split(counted)).read()
            case "since":
                Listing(self.server, rest[0], len(split(counted))).read()

    def info(self):
        """8"""
        ctz.check_site(checked_piece(self.server, "SITE"))
        kinds, records, length = [], 0, 0
        while (found := want(self.server, "COUNT", "TOTAL"))[0] == "COUNT":
            kind, *told = found[1]
            demand(kind in ctz.KINDS, f"no kind: {kind}")
            kinds.append(ctz.KINDS[kind][0])
            records, length = records + totals(told)[0], length + totals(told)[1]
        demand(kinds == sorted(set(kinds)), "kinds out of order")
        demand(totals(found[1])[:2] == [records, length], "the kinds are not the sum")
        state(self.server)
        want(self.server, "000")

    def put(self, site):
        """10"""
        found = self.ok(200, 400)
        ctz.check_site(site)
        if len(found) == 1:
            from_hex(*found, 32)
            return
        offset, count = map(number, found)
        position = self.server.counted(count)
        part = [*decode_one(position, "a position"), offset] if position else None
        Records(self.client, "all", part=part).read_all()
        from_hex(*self.ok(), 32)


def main(paths):
    if not paths:
        print(__doc__, file=sys.stderr)
        return 2
    code = 0
    for path in paths:
        script = Script(path)
        try:
            Conversation(script.sent["C"], script.sent["S"]).check()
            verdict = "right"
        except (Bad, ValueError, TypeError) as error:
            verdict = f"refused: {error}"
        print(path, verdict, sep="\t")
        if (verdict == "right") == ("refused" in script.says):
            code = 3
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
