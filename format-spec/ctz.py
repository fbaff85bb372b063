#!/usr/bin/env python3
"""A second, independent reader of .ctz archives, written to be read. It follows archive.md and record.md of this directory.

    ctz.py verify FILE         check every byte; prints counts and the site digest
    ctz.py list FILE [KIND]    a line for each record
    ctz.py digest FILE         the site digest, recomputed from the records

Needs Python 3.11 and the packages zstandard, cbor2 and blake3. Exit codes: 0 whole, 2 wrong usage, 3 damaged."""

import io
import mmap
import struct
import sys

import cbor2
import zstandard
from blake3 import blake3

KINDS = ("config . . floor user room list visit use directory openid euid usernumber fulltext table message file log "
         "loss omitted").split()
KIND_NUMBER = {name: number for number, name in enumerate(KINDS, 1) if name != "."}
NOT_OF_THE_SITE = ("loss", "omitted")
BINARY_FIELDS = ("raw", "raw_metadata")

SEGMENT, INLINE, HEADERS, KEY = 65_536, 4_096, 65_536, 4_352
FRAME = 2 << 20
GROUP_BLOCKS, GROUP_BYTES = 16, 8 << 20
BLOCK_LEAST_RECORDS, BLOCK_MOST_BODY, BLOCK_MOST_ENTRIES, BOUNDARY_BITS = 32, 8 << 20, 48 * 1024, 7
DIGEST_MAGIC, SEEK_MAGIC, SEEK_FOOTER, ZSTD_MAGIC = 0x184D2A50, 0x184D2A5E, 0x8F92EAB1, 0xFD2FB528


class Damaged(Exception):
    pass


def demand(condition, what):
    if not condition:
        raise Damaged(what)


def encode(value):
    return cbor2.dumps(value, canonical=True)


def decode_one(stream, what):
    """One CBOR item, which must be encoded in the one deterministic way."""
    start = stream.tell()
    try:
        value = cbor2.CBORDecoder(stream).decode()
    except Exception as error:
        raise Damaged(f"{what}: no CBOR: {error}") from None
    end = stream.tell()
    stream.seek(start)
    demand(stream.read(end - start) == encode(value), f"{what}: not the deterministic encoding")
    return value


def decode_all(data, what):
    stream = io.BytesIO(data)
    value = decode_one(stream, what)
    demand(stream.tell() == len(data), f"{what}: bytes after its end")
    return value


def is_utf8(value):
    try:
        value.decode("utf-8")
        return True
    except UnicodeDecodeError:
        return False


def check_string(value, what):
    """A string is text if it is UTF-8, and bytes only if it isn't."""
    demand(isinstance(value, str) or isinstance(value, bytes) and not is_utf8(value), f"{what}: a string in the wrong form")


def raw(value):
    return value.encode("utf-8") if isinstance(value, str) else value


def sort_key(kind, key):
    """Canonical order: kinds by their numbers, then part for part, numbers by value and before names, names by bytes."""
    parts = key if isinstance(key, list) else [key]
    return KIND_NUMBER[kind], [(0, part, b"") if isinstance(part, int) else (1, 0, raw(part)) for part in parts]


def key_size(key):
    return sum(8 if isinstance(part, int) else len(raw(part)) for part in (key if isinstance(key, list) else [key]))


class Archive:
    """The bytes of the file, its frames one after the other, and what must stand at the end."""

    def __init__(self, data):
        self.data, self.at, self.seek_lines = data, 0, []

    def next_frame(self):
        """The content of the next zstd frame. Its length is found by walking its blocks, never taken from anybody's word."""
        data, start = self.data, self.at
        demand(len(data) - start >= 4 and struct.unpack_from("<I", data, start)[0] == ZSTD_MAGIC,
               f"byte {start}: no zstd frame where one is expected; the archive is cut short, damaged or not ours")
        try:
            size = zstandard.get_frame_parameters(data[start:start + 18])
            demand(0 < size.content_size <= FRAME, f"byte {start}: a frame of {size.content_size} bytes")
            demand(size.has_checksum, f"byte {start}: a frame without checksum")
            end = start + zstandard.frame_header_size(data[start:start + 18])
            last = False
            while not last:
                head = int.from_bytes(data[end:end + 3], "little")
                last, block_type, length = head & 1, head >> 1 & 3, head >> 3
                end += 3 + (1 if block_type == 1 else length)
                demand(end + 4 <= len(data), f"byte {start}: the archive is cut short inside a frame")
            end += 4
            content = zstandard.ZstdDecompressor().decompress(data[start:end])
        except zstandard.ZstdError as error:
            raise Damaged(f"byte {start}: {error}") from None
        demand(len(content) == size.content_size, f"byte {start}: a frame of another size than it says")
        self.at = end
        self.seek_lines.append((end - start, len(content)))
        return content

    def check_end(self):
        """Behind the last frame: the digest of all bytes so far, the seek table that the frames demand, and nothing else."""
        digest = blake3(self.data[:self.at]).digest()
        end = struct.pack("<II", DIGEST_MAGIC, 32) + digest
        lines = self.seek_lines + [(len(end), 0)]
        table = b"".join(struct.pack("<II", *line) for line in lines) + struct.pack("<IBI", len(lines), 0, SEEK_FOOTER)
        end += struct.pack("<II", SEEK_MAGIC, len(table)) + table
        demand(self.data[self.at:self.at + 40] == end[:40], f"byte {self.at}: the digest of the file is another")
        demand(self.data[self.at:] == end, f"byte {self.at + 40}: the seek table is another, or bytes follow it")


class Members:
    """The tar inside the frames. Only one form of header is allowed, so the expected one is built and compared."""

    def __init__(self, archive):
        self.archive, self.buffer, self.offset = archive, b"", 0

    def read(self, count):
        while len(self.buffer) < count:
            self.buffer += self.archive.next_frame()
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        self.offset += count
        return taken

    def next(self):
        header = self.read(512)
        name = header[:100].rstrip(b"\0").decode("ascii", "replace")
        try:
            size = int(header[124:135], 8)
        except ValueError:
            raise Damaged(f"stream byte {self.offset - 512}: no tar header") from None
        demand(size <= SEGMENT, f"{name}: a member of {size} bytes")
        demand(header == tar_header(name, size), f"{name}: a tar header of another form")
        content = self.read(size)
        demand(not any(self.read(-size % 512)), f"{name}: padding that is not zeros")
        return name, content

    def demand_frame_end(self, what):
        demand(not self.buffer, f"{what}: does not stand alone in its frame")


def tar_header(name, size):
    header = bytearray(512)
    header[:len(name)] = name.encode("ascii", "replace")
    for at, text in ((100, b"0000644\0"), (108, b"0000000\0"), (116, b"0000000\0"), (124, b"%011o\0" % size),
                     (136, b"00000000000\0"), (148, b" " * 8), (156, b"0"), (257, b"ustar\x0000")):
        header[at:at + len(text)] = text
    header[148:156] = b"%07o\0" % sum(header)
    return bytes(header)


def member_stem(kind, key):
    """The name of a member, from its first record: readable, cut, and unique by a hash where the key has a name."""
    name, has_name = "", False
    for part in key if isinstance(key, list) else [key]:
        name += "_" if name else ""
        if isinstance(part, int):
            name += f"-{-part:019}" if part < 0 else f"{part:020}"
            continue
        has_name = True
        for index, byte in enumerate(raw(part)):
            plain = chr(byte) if byte < 128 and (chr(byte).isalnum() or byte in b"_-" or byte == 46 and index) else f"%{byte:02X}"
            if len(name) + len(plain) > 55:
                break
            name += plain
    return f"{kind}/{name}" + (f"-{blake3(encode(key)).hexdigest()[:16]}" if has_name else "")


def check_header(header):
    """What every header has. Returns kind, key, the length of the body (None without one) and the inline body (None if it follows)."""
    demand(isinstance(header, dict) and set(header) - {"residue", "body"} == {"key", "kind", "fields"}, "a header with other entries")
    kind, key, body = header["kind"], header["key"], header.get("body")
    demand(kind in KIND_NUMBER, f"unknown kind {kind!r}")
    for part in key if isinstance(key, list) else [key]:
        isinstance(part, int) or check_string(part, f"{kind} key")
    demand(key_size(key) <= KEY, f"{kind}: a key of {key_size(key)} bytes")
    for name, value in header["fields"].items():
        if isinstance(value, bytes) and name not in BINARY_FIELDS:
            check_string(value, f"{kind} {key}: field {name}")
    if isinstance(body, bytes):
        demand(len(body) <= INLINE, f"{kind} {key}: an inline body of {len(body)} bytes")
        return kind, key, len(body), body
    demand(body is None or isinstance(body, int) and body > INLINE, f"{kind} {key}: a body that belongs into its header")
    return kind, key, body, None


class Cutter:
    """Where blocks end, decided by the records of the block alone."""

    def __init__(self):
        self.records = self.body = self.entries = 0
        self.ends = False

    def begins_block(self, kind, key, body):
        entry = key_size(key) + 96
        begins = self.ends or (self.records > 0 and self.entries + entry > BLOCK_MOST_ENTRIES)
        if begins:
            self.records = self.body = self.entries = 0
        self.records, self.body, self.entries = self.records + 1, self.body + body, self.entries + entry
        low = int.from_bytes(blake3(encode([kind, key])).digest()[:4], "little")
        self.ends = self.body >= BLOCK_MOST_BODY or self.records >= BLOCK_LEAST_RECORDS and low % (1 << BOUNDARY_BITS) == 0
        return begins


class Block:
    def __init__(self, position):
        self.position, self.hasher, self.bytes, self.identities, self.storages = position, blake3(), 0, [], []

    def take(self, name, content):
        data = tar_header(name, len(content)) + content + bytes(-len(content) % 512)
        self.hasher.update(data)
        self.bytes += len(data)

    def segment(self):
        identity = encode(self.identities)
        storage = encode({"block": self.hasher.digest(), "bytes": self.bytes, "records": self.storages})
        return blake3(identity).digest(), encode([identity, storage])


def verify(data, see=lambda kind, key, length: None):
    """Checks everything. Calls `see` for each record and returns the root of the manifest."""
    archive = Archive(data)
    members = Members(archive)
    name, site = members.next()
    demand(name == "site.cbor", f"begins with {name}, not with site.cbor")
    members.demand_frame_end("site.cbor")
    info = decode_all(site, "site.cbor")
    demand(isinstance(info, dict) and info.get("format") == 1, "site.cbor: another format version")
    start = members.offset
    cutter, last, block, waiting, waiting_bytes, index, counts = Cutter(), None, None, [], 0, [], {}
    site_hasher = blake3(derive_key_context="ctdl-dump site digest v1")
    segments = 0
    name, content = members.next()
    while not name.startswith("manifest"):
        # One member of headers, and the segments of the last one's body.
        stream, first, headers = io.BytesIO(content), None, []
        while stream.tell() < len(content):
            offset = stream.tell()
            header = decode_one(stream, name)
            headers.append((offset, stream.tell() - offset, header))
        demand(headers, f"{name}: a member without headers")
        position = members.offset - start - 512 - len(content) - (-len(content) % 512)
        for offset, length, header in headers:
            kind, key, body, inline = check_header(header)
            demand(length <= HEADERS, f"{kind} {key}: a header of {length} bytes")
            order = sort_key(kind, key)
            demand(last is None or last < order, f"{kind} {key}: not in canonical order")
            last = order
            begins = cutter.begins_block(kind, key, body or 0)
            if first is None:
                first = member_stem(kind, key)
                demand(name == first + ".cbor", f"{name}: should be called {first}.cbor")
                demand(begins or block is not None or not segments, f"{name}: a manifest group inside a block")
                if begins and block is not None:
                    waiting.append((block, *block.segment()))
                    waiting_bytes += block.bytes
                    demand(len(waiting) < GROUP_BLOCKS and waiting_bytes < GROUP_BYTES, f"{name}: a manifest group is missing before it")
                    block = None
                if block is None:
                    block = Block(position)
                member_offset = block.bytes + 512
                block.take(name, content)
            else:
                demand(not begins, f"{kind} {key}: a block begins inside {name}")
            hasher = blake3(derive_key_context="ctdl-dump record identity v1")
            hasher.update(encode([kind, key, header["fields"], body]))
            hasher.update(inline or b"")
            stored = 0
            if body is not None and inline is None:
                demand(offset + length == len(content), f"{name}: headers after one whose body follows")
                for number in range(-(-body // SEGMENT)):
                    segment_name, segment = members.next()
                    wanted = min(SEGMENT, body - stored)
                    demand((segment_name, len(segment)) == (f"{first}.{number:06}", wanted), f"{segment_name}: not the expected segment")
                    hasher.update(segment)
                    block.take(segment_name, segment)
                    stored += len(segment)
            block.identities.append([kind, key, body, hasher.digest()])
            block.storages.append([member_offset + offset, length, stored])
            if kind not in NOT_OF_THE_SITE:
                site_hasher.update(hasher.digest())
            records, body_bytes = counts.get(kind, (0, 0))
            counts[kind] = (records + 1, body_bytes + (body or 0))
            see(kind, key, body)
        # A group of manifest segments stands after a block when enough have ended; whether this one ended shows in the next name.
        at_frame_end = not members.buffer
        name, content = members.next()
        if name.startswith("manifest/") and not name.startswith("manifest/index-"):
            demand(at_frame_end, f"{name}: does not begin a frame")
            waiting.append((block, *block.segment()))
            is_full = len(waiting) >= GROUP_BLOCKS or waiting_bytes + block.bytes >= GROUP_BYTES
            position = members.offset - start - 512 - len(content) - (-len(content) % 512)
            for ended, digest, segment in waiting:
                demand((name, content) == (f"manifest/{segments:08}.cbor", segment), f"{name}: says something else than its block")
                members.demand_frame_end(name)
                first_kind, first_key = ended.identities[0][:2]
                index.append([first_kind, first_key, digest, ended.position, position, len(segment), blake3(segment).digest()])
                segments += 1
                position = members.offset - start
                name, content = members.next()
            demand(is_full or name.startswith("manifest"), f"{name}: a manifest group before it that is not full")
            waiting, waiting_bytes, block = [], 0, None
    positions = []
    while name != "manifest.cbor":
        demand(name == f"manifest/index-{len(positions):08}.cbor", f"{name}: not the expected index segment")
        members.demand_frame_end(name)
        padded = len(content) + (-len(content) % 512)
        positions.append([members.offset - start - 512 - padded, len(content), blake3(content).digest()])
        entries = decode_all(content, name)
        demand(entries == index[:len(entries)], f"{name}: lists other blocks")
        index = index[len(entries):]
        name, content = members.next()
    demand(not index, "the index lacks blocks")
    root = decode_all(content, "manifest.cbor")
    expected = {"site": blake3(site).digest(), "index": positions, "scope": "site", "digest": site_hasher.digest(), "format": 1,
                "kinds": [[kind, *counts[kind]] for kind in KINDS if kind in counts], "state_after": root.get("state_after")}
    demand(root == expected, "manifest.cbor: says something else than the archive holds")
    demand(not any(members.read(1024)), "no end of the tar behind manifest.cbor")
    members.demand_frame_end("manifest.cbor")
    archive.check_end()
    return root


def shown(key):
    parts = key if isinstance(key, list) else [key]
    return "/".join(str(part) if isinstance(part, int) else raw(part).decode("utf-8", "backslashreplace") for part in parts)


def main(arguments):
    if len(arguments) < 2 or arguments[0] not in ("verify", "list", "digest"):
        print(__doc__, file=sys.stderr)
        return 2
    command, path, *only = arguments

    def see(kind, key, length):
        if command == "list" and (not only or only[0] == kind):
            print(f"{kind:10} {'-' if length is None else length:>12} {shown(key)}")

    try:
        with open(path, "rb") as file:
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if file.seek(0, 2) else b""
            root = verify(data, see)
    except Damaged as error:
        print(f"ctz.py: {path}: {error}", file=sys.stderr)
        return 3
    if command == "verify":
        print(", ".join(f"{records} {kind}" for kind, records, _ in root["kinds"]))
    if command != "list":
        print(root["digest"].hex())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
