#!/usr/bin/env python3
"""A second reader of .ctz archives, written from record.md and archive.md to be read beside them.

    ctz.py verify FILE        check everything that a reader must check; print what is in it
    ctz.py list FILE [KIND]   print kind, key, length and digest of every record, while checking
    ctz.py digest FILE        check everything; print the site digest

Needs Python 3.11 and the packages zstandard, cbor2 and blake3. Exit codes: 0 right, 2 usage, 3 damaged or no archive.
Section numbers are those of archive.md, or of record.md where it says R.
"""

import base64
import struct
import sys
from io import BytesIO

import cbor2
import zstandard
from blake3 import blake3

FRAME = 2_097_152
SMALL = 65_536  # the most that a member, a header or a part of the manifest has
NUMBERS = ("room", "list", "fulltext")  # kinds whose bodies are message numbers


class Bad(Exception):
    """What is wrong with an archive."""


def demand(condition, problem):
    if not condition:
        raise Bad(problem)


# R2, R5: number in canonical order, parts of the key, fields ("?" behind the type: optional), body ("-" never, "?" maybe, "+" always)

EP = {"ep_mode": "s32", "ep_value": "s32"}
FILE_TIME = {"mode": "u16", "mtime": "s64", "mtime_ns": "u30"}
OWNERS = {"owner": "owner?", "group": "owner?"}
RAW = {"raw": "binary4096?"}
CONTROL_NUMBERS = {
    "highest": "s64", "flags": "u32", "nextuser": "s64", "nextroom": "s64", "version": "s32",
    "fulltext_wordbreaker": "s32", "fulltext": "s64"}
KINDS = {
    "config": (1, ["name"], {"origin": "text14?"}, "+"),
    "control": (2, ["name"], {
        **FILE_TIME, **OWNERS, **{name: type + "?" for name, type in CONTROL_NUMBERS.items()}, "dbversion": "s32?"}, "-"),
    "refcount": (3, ["s64"], {"msgnum": "s64", "delta": "s32"}, "-"),
    "floor": (4, ["s32"], {"flags": "u16", "name": "text256", "ref_count": "s32", **EP, **RAW}, "-"),
    "user": (5, ["name"], {
        "version": "s32", "uid": "u32", "password": "text32", "flags": "u32", "timescalled": "s64", "posted": "s64",
        "axlevel": "u8", "usernum": "s64", "lastcall": "s64", "userpurge": "s32", "fullname": "text64",
        "screenwidth": "u8?", "screenheight": "u8?",
        "msgnum_bio": "s64", "msgnum_pic": "s64", "emailaddrs": "text512", "msgnum_inboxrules": "s64",
        "lastproc_inboxrules": "s64", **RAW}, "-"),
    "room": (6, ["name"], {
        "name": "text128", "passwd": "text10", "roomaide": "s64", "highest": "s64", "gen": "s64", "flags": "u32",
        "flags2": "u32", "dirname": "text15", "msgnum_info": "s64", "msgnum_pic": "s64", "floor": "s8", "mtime": "s64",
        **EP, "number": "s64", "order": "s8", "defaultview": "s32", **RAW}, "?"),
    "list": (7, ["s64"], {}, "+"),
    "visit": (8, ["s64", "s64", "s64"], {
        "lastseen": "s64", "flags": "u32", "seen": "text4096", "answered": "text4096", "view": "s32", **RAW}, "-"),
    "use": (9, ["s32"], {"time": "s64", **RAW}, "-"),
    "useid": (10, ["name"], {"time": "s64", **RAW}, "-"),
    "directory": (11, ["name"], {"user": "text4096", **RAW}, "-"),
    "openid": (12, ["name"], {"usernum": "s64", **RAW}, "-"),
    "euid": (13, ["s64", "name"], {"msgnum": "s64", **RAW}, "-"),
    "usernumber": (14, ["s64"], {"user": "text4096", **RAW}, "-"),
    "fulltext": (15, ["s32"], {}, "+"),
    "table": (16, ["u8", "name"], {}, "+"),
    "message": (17, ["s64"], {
        "entry": "u32?", "big": "u32?", "refcount": "s32?", "content_type": "text64?", "rfc822_length": "s64?",
        "mimetype": "text64?", "raw_metadata": "binary4096?"}, "?"),
    "file": (18, ["name"], {
        "type": "text9", **{name: type + "?" for name, type in FILE_TIME.items()}, **OWNERS, "target": "text4352?"}, "?"),
    "log": (19, ["name"], {**FILE_TIME, **OWNERS}, "+"),
    "loss": (20, ["name"], {"why": "text4096"}, "-"),
    "omitted": (21, ["name"], {"why": "text4096"}, "-"),
}


# 2, 9: frames


def frames(file):
    """Every frame of the file, unpacked, with its offset. Ends when digest, seek table and end of the file are right."""
    hasher, sizes, offset = blake3(), [], 0

    def take(count):
        taken = file.read(count)
        demand(len(taken) == count, f"the archive is cut short after {file.tell()} bytes")
        return taken

    while (magic := take(4)) == b"\x28\xb5\x2f\xfd":
        packed = bytearray(magic + take(1))
        descriptor = packed[4]
        single = descriptor & 0x20
        demand(descriptor & 4, f"frame at byte {offset}: no checksum")
        demand(not descriptor & 0b1011, f"frame at byte {offset}: a dictionary or a reserved bit")
        if not single:
            packed += take(1)
            base = 1 << 10 + (packed[5] >> 3)
            demand(base + base // 8 * (packed[5] & 7) <= FRAME, f"frame at byte {offset}: too large a window")
        width = [1 if single else 0, 2, 4, 8][descriptor >> 6]
        demand(width, f"frame at byte {offset}: no size of its content")
        packed += take(width)
        size = int.from_bytes(packed[-width:], "little") + (256 if width == 2 else 0)
        demand(1 <= size <= FRAME, f"frame at byte {offset}: would unpack to {size} bytes")
        last = False
        while not last:
            packed += take(3)
            head = int.from_bytes(packed[-3:], "little")
            last, sort, length = head & 1, head >> 1 & 3, head >> 3
            demand(sort != 3 and length <= 131_072, f"frame at byte {offset}: a block that can't be")
            packed += take(1 if sort == 1 else length)
            demand(len(packed) + 4 <= FRAME + 65_536, f"frame at byte {offset}: too long")
        packed += take(4)
        try:
            content = zstandard.ZstdDecompressor().decompress(bytes(packed), max_output_size=size)
        except zstandard.ZstdError as error:
            raise Bad(f"frame at byte {offset}: {error}")
        demand(len(content) == size, f"frame at byte {offset}: unpacks to less than its header says")
        hasher.update(packed)
        sizes.append((len(packed), size))
        yield offset, content
        offset += len(packed)

    demand(offset > 0, "this is no ctdl-dump archive, or its beginning is damaged")
    demand(magic + take(4) == struct.pack("<II", 0x184D2A50, 32), f"byte {offset}: neither a frame nor the digest")
    demand(take(32) == hasher.digest(), f"the digest of the file at byte {offset} is not that of the bytes before it")
    table = b"".join(struct.pack("<II", *line) for line in sizes + [(40, 0)])
    table += struct.pack("<IBI", len(sizes) + 1, 0, 0x8F92EAB1)
    table = struct.pack("<II", 0x184D2A5E, len(table)) + table
    demand(take(len(table)) == table, "the seek table is not that of the frames")
    demand(file.read(1) == b"", f"bytes follow the end of the archive, which is at byte {offset + 40 + len(table)}")


# 3: the tar


def tar_header(name, size):
    header = bytearray(512)
    header[:len(name)] = name.encode()
    header[100:157] = b"0000644\0" b"0000000\0" b"0000000\0" + b"%011o\0" % size + b"00000000000\0" + b" " * 8 + b"0"
    header[257:265] = b"ustar\0" b"00"
    header[148:156] = b"%07o\0" % sum(header)
    return bytes(header)


class Member:
    def __init__(self, raw, size, position, alone):
        self.raw, self.content, self.position, self.alone = raw, raw[512:512 + size], position, alone
        self.where = f"member {raw[:100].rstrip(bytes(1)).decode('ascii', 'backslashreplace')} (position {position})"

    def check(self, name, alone):
        demand(self.alone == alone, f"{self.where}: it must {'' if alone else 'not '}stand alone in its frame")
        demand(self.raw[:512] == tar_header(name, len(self.content)), f"{self.where}: not the tar header of {name}")
        end = bytes(1024 if name == "manifest.cbor" else 0)
        padding = bytes(-len(self.content) % 512) + end
        demand(self.raw[512 + len(self.content):] == padding, f"{self.where}: wrong padding, or more in its frame")
        return self.content


def member_size(header):
    digits = header[124:135]
    demand(digits.isdigit() and not set(digits) & set(b"89"), "a size in a tar header that is no octal number")
    demand(int(digits, 8) <= SMALL, f"a member of {int(digits, 8)} bytes")
    return int(digits, 8)


def members(all_frames):
    """Every member, and whether it stands alone in its frame. Checks where frames are cut."""
    position, data, data_frame = 0, b"", FRAME
    for number, (offset, content) in enumerate(all_frames):
        if number == 0 or content.startswith((b"manifest/", b"manifest.cbor\0")):
            demand(not data, f"frame at byte {offset}: begins in the middle of a member")
            demand(len(content) >= 1024, f"frame at byte {offset}: too short for a member")
            yield Member(content, member_size(content), position, True)
            position, data_frame = position + len(content) if number else 0, FRAME
            continue
        demand(data_frame == FRAME, f"frame at byte {offset}: data, though the frame before it is shorter than 2 MiB")
        data_frame = len(content)
        data += content
        start = 0
        while start + 512 <= len(data):
            size = member_size(data[start:start + 512])
            end = start + 512 + size + -size % 512
            if end > len(data):
                break
            yield Member(data[start:end], size, position, False)
            position += end - start
            start = end
        data = data[start:]
    demand(not data, "the archive ends in the middle of a member")


# R4: CBOR, and headers


def encode(value):
    return cbor2.dumps(value, canonical=True)


def decode(data, what):
    """The first item of `data` and its length. Only the deterministic encoding and the types of R4 get through."""
    def check(value):
        if isinstance(value, list):
            return all(map(check, value))
        if isinstance(value, dict):
            return all(type(key) is str for key in value) and all(map(check, value.values()))
        return value is None or type(value) in (bytes, str) or type(value) is int and -2**63 <= value < 2**63

    try:
        value = cbor2.CBORDecoder(BytesIO(data)).decode()
        demand(check(value), f"{what}: a CBOR type that the format doesn't use")
        encoded = encode(value)
    except Bad:
        raise
    except Exception as error:
        raise Bad(f"{what}: {error}")
    demand(data.startswith(encoded), f"{what}: not in the deterministic encoding")
    return value, len(encoded)


def decode_one(data, what):
    value, length = decode(data, what)
    demand(length == len(data), f"{what}: bytes behind its end")
    return value


def name_bytes(value, what):
    """The bytes of a string that may be no UTF-8."""
    if type(value) is str:
        return value.encode()
    demand(type(value) is bytes, f"{what}: no string")
    try:
        value.decode()
    except UnicodeDecodeError:
        return value
    raise Bad(f"{what}: a byte string that should be text")


def fits(value, type_name, what):
    """Whether a value is of a type of R5."""
    sort, bits = type_name.rstrip("0123456789"), int("0" + type_name.lstrip("abcdefghijklmnopqrstuvwxyz"))
    match sort:
        case "s":
            return type(value) is int and -2**(bits - 1) <= value < 2**(bits - 1)
        case "u":
            return type(value) is int and 0 <= value < 2**bits
        case "text":
            return len(name_bytes(value, what)) <= bits
        case "name":
            return name_bytes(value, what) is not None
        case "binary":
            return type(value) is bytes and len(value) <= bits
        case "owner":
            return (type(value) is list and len(value) == 2 and fits(value[0], "u32", what)
                    and type(value[1]) is str)


class Header:
    """A header that is right, with its parts."""

    def __init__(self, header, what):
        demand(type(header) is dict and {"key", "kind", "fields"} <= set(header), f"{what}: lacks key, kind or fields")
        demand(set(header) <= {"key", "body", "kind", "fields", "residue"}, f"{what}: has an unknown entry")
        self.kind, self.key, self.fields = header["kind"], header["key"], header["fields"]
        demand(type(self.kind) is str and self.kind in KINDS, f"{what}: unknown kind {self.kind!r}")
        what = f"{what}: {self.kind} record {show(self.key)}"
        number, key_types, field_types, body_rule = KINDS[self.kind]

        parts = self.key if type(self.key) is list else [self.key]
        demand(type(self.key) is not list or len(parts) > 1, f"{what}: an array of one part as key")
        demand(len(parts) == len(key_types) and all(map(fits, parts, key_types, [what] * 3)), f"{what}: wrong key")
        self.parts = [part if type(part) is int else name_bytes(part, what) for part in parts]
        self.key_size = sum(8 if type(part) is int else len(part) for part in self.parts)
        demand(self.key_size <= 4352, f"{what}: too long a key")
        self.order = (number, self.parts)

        demand(type(self.fields) is dict, f"{what}: no fields")
        for name, value in self.fields.items():
            demand(name in field_types, f"{what}: unknown field {name}")
            demand(fits(value, field_types[name].rstrip("?"), what), f"{what}: field {name} is out of its range")
        if "raw" in self.fields:
            demand(len(self.fields) == 1 and "residue" not in header, f"{what}: more beside raw")
        else:
            missing = [name for name, type in field_types.items() if name not in self.fields and type[-1] != "?"]
            demand(not missing, f"{what}: lacks {missing}")
        if "residue" in header:
            check_residue(header["residue"], what)

        body = header.get("body")
        self.is_folded = type(body) is list
        if self.is_folded:
            demand(len(body) == 2 and body[0] == "folded", f"{what}: its body is stored in an unknown way")
            body = body[1]
            demand(type(body) is int, f"{what}: no length of its body")
        demand("body" not in header or type(body) in (int, bytes), f"{what}: no body")
        self.has_numbers = self.kind in NUMBERS
        demand(not (self.has_numbers and self.is_folded), f"{what}: message numbers that are folded")
        self.inline = body if type(body) is bytes else b""
        if self.has_numbers:
            self.inline = numbers(self.inline, what)
        self.is_long = type(body) is int
        self.length = body if self.is_long else None if body is None else len(self.inline)
        most = 32_768 if self.has_numbers else 4096
        demand(len(self.inline) <= most and (not self.is_long or body > most), f"{what}: its body is in the wrong place")
        demand(body_rule != "-" or body is None, f"{what}: has a body")
        demand(body_rule != "+" or body is not None, f"{what}: has no body")
        self.check_kind(what)

    def check_kind(self, what):
        has = self.fields.keys()
        match self.kind:
            case "config":
                demand(name_bytes(self.fields.get("origin", "citadel.config"), what) == b"citadel.config", f"{what}: wrong origin")
            case "control":
                numbers = has & CONTROL_NUMBERS.keys()
                if self.parts[0] == b"citadel.control":
                    demand(len(numbers) == len(CONTROL_NUMBERS), f"{what}: lacks a number")
                    demand((self.fields["version"] >= 737) == ("dbversion" in has), f"{what}: wrong dbversion")
                else:
                    demand(self.parts[0] in (b"citadel.config", b"refcount_adjustments.dat"), f"{what}: no struct")
                    demand(not numbers and "dbversion" not in has, f"{what}: has numbers")
            case "refcount":
                demand(self.parts[0] >= 0, f"{what}: a position below 0")
            case "user":
                demand(("screenwidth" in has) == ("screenheight" in has), f"{what}: half a screen")
            case "room" | "list" | "fulltext":
                demand((self.length or 0) % 8 == 0, f"{what}: its body is no list of numbers")
            case "message":
                lengths = [self.fields[name] for name in ("entry", "big") if name in has]
                demand(self.parts[0] > 0, f"{what}: its number is not above 0")
                demand(self.length == (sum(lengths) if lengths else None), f"{what}: its parts are not its body")
                metadata = has & {"refcount", "content_type", "rfc822_length"}
                demand(len(metadata) in (0, 3) and not (metadata and "raw_metadata" in has), f"{what}: wrong metadata")
                demand(metadata or "mimetype" not in has, f"{what}: wrong metadata")
                demand(has, f"{what}: nothing in it")
            case "file":
                form = (self.fields["type"], "target" in has, self.length is not None)
                demand(form in [("file", False, True), ("directory", False, False), ("link", True, False),
                                ("link", True, True)], f"{what}: type, target and body don't fit together")


def check_residue(residue, what):
    demand(type(residue) is dict and residue, f"{what}: an empty residue")
    for name, value in residue.items():
        match name:
            case "length":
                demand(fits(value, "u32", what) and value <= 1_048_576, f"{what}: wrong length in its residue")
            case "uncompressed":
                demand(value == 1, f"{what}: wrong value in its residue")
            case "patches":
                demand(type(value) is list and value, f"{what}: no patches in its residue")
                end = -1
                for patch in value:
                    right = type(patch) is list and len(patch) == 2 and fits(patch[0], "u32", what)
                    right = right and patch[0] > end and type(patch[1]) is bytes and patch[1]
                    demand(right, f"{what}: a patch that is wrong, or not behind the one before")
                    end = patch[0] + len(patch[1])
            case _:
                raise Bad(f"{what}: unknown entry in its residue")


def unfold(row, what):
    """R4.1: the text of the first part of a folded body and the bytes behind it; nothing if there is more of the part to come."""
    head = {1: 3, 2: 6}.get(row[0]) if row else 1
    demand(head, f"{what}: a part of type {row[:1].hex()} in its folded body")
    if len(row) < head:
        return None
    end = head + int.from_bytes(row[head - 2:head], "little") + 1
    content = row[head:end]
    if len(row) < end:
        return None
    if row[0] == 1:
        return content, row[end:]
    form, characters = row[1], 4 * int.from_bytes(row[2:4], "little")
    demand(form <= 7 and characters and not (form & 4 and len(content) % 3 == 0), f"{what}: base64 of a form that can't be")
    text = base64.b64encode(content)
    text = text.rstrip(b"=") if form & 4 else text
    line_end = b"\r\n" if form & 1 else b"\n"
    lines = [text[start:start + characters] for start in range(0, len(text), characters)]
    return line_end.join(lines) + (line_end if form & 2 else b""), row[end:]


def differences(body):
    """R4.2: how message numbers are stored."""
    stored, before = bytearray(), 0
    for (number,) in struct.iter_unpack(">q", body):
        step = (number - before + 2**63) % 2**64 - 2**63
        left = 2 * step if step >= 0 else -2 * step - 1
        while left > 127:
            stored.append(left & 127 | 128)
            left >>= 7
        stored.append(left)
        before = number
    return bytes(stored)


def numbers(stored, what):
    """R4.2: the message numbers of which these are the differences."""
    body, number, value, bits = [], 0, 0, 0
    for byte in stored:
        value += (byte & 127) << bits
        bits += 7
        demand(value < 2**64 and bits <= 70, f"{what}: a difference of more than 64 bits")
        if byte < 128:
            demand(byte or bits == 7, f"{what}: a difference in more bytes than necessary")
            number += -(value + 1) // 2 if value % 2 else value // 2
            number = (number + 2**63) % 2**64 - 2**63
            body.append(number)
            value = bits = 0
    demand(bits == 0, f"{what}: a difference that is not complete")
    return struct.pack(f">{len(body)}q", *body)


def segment_of_numbers(stored, length, what):
    """R4.2: the segment of so many bytes that is stored so."""
    is_plain = len(stored) == length
    segment = stored if is_plain else numbers(stored, what)
    demand(len(segment) == length, f"{what}: a segment with more or fewer numbers than there must be")
    demand(not is_plain or len(differences(segment)) >= length, f"{what}: a segment that should be differences")
    return segment


def show(key):
    """A key for people; parts are separated by a slash, what can't be printed is escaped."""
    parts = key if type(key) is list else [key]
    texts = [part.decode(errors="backslashreplace") if type(part) is bytes else str(part) for part in parts]
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in "/".join(texts))


def stem(header):
    """3: <kind>/<name> of a member that begins with this header."""
    name = ""
    for part in header.parts:
        name += "_" if name else ""
        if type(part) is int:
            name += f"-{-part:019}" if part < 0 else f"{part:020}"
            continue
        for index, byte in enumerate(part):
            character = chr(byte)
            plain = character.isascii() and character.isalnum() or character in "_-" or character == "." and index > 0
            character = character if plain else f"%{byte:02X}"
            if len(name + character) > 55:
                break
            name += character
    if any(type(part) is bytes for part in header.parts):
        name += "-" + blake3(encode(header.key)).hexdigest()[:16]
    return f"{header.kind}/{name}"


# 4 to 8: what stands where


def check_site(content):
    site = decode_one(content, "site.cbor")
    demand(type(site) is dict and site.get("format") == 1, "site.cbor: of another format version")
    entries = {"fqdn", "node", "root", "tool", "format", "layout", "release", "without", "snapshot"}
    demand(entries <= set(site) <= entries | {"layout_by", "release_by"}, "site.cbor: not its entries")
    name_bytes(site["fqdn"], "site.cbor"), name_bytes(site["node"], "site.cbor")
    root, layout, snapshot = site["root"], site["layout"], site["snapshot"]
    right = (
        type(root) is list and len(root) == 3 and fits(root[0], "u16", "root")
        and all(owner is None or fits(owner, "owner", "root") for owner in root[1:])
        and type(site["tool"]) is str and type(site["release"]) is int
        and type(layout) is dict and set(layout) in ({"order", "word_bytes"}, {"order", "word_bytes", "time_alignment"})
        and layout["order"] in ("little", "big") and layout["word_bytes"] in (4, 8)
        and ("time_alignment" not in layout or (layout["word_bytes"], layout["time_alignment"]) in ((4, 4), (4, 8)))
        and (layout["order"], layout.get("time_alignment")) != ("big", 4)
        and all(type(site.get(by, "")) is str for by in ("layout_by", "release_by"))
        and type(site["without"]) is list and all(type(what) is str for what in site["without"])
        and type(snapshot) is dict and set(snapshot) == {"proof", "taken", "method"}
        and type(snapshot["proof"]) is str and type(snapshot["method"]) is str and type(snapshot["taken"]) is int)
    demand(right, "site.cbor: an entry is not what it should be")


class Block:
    """6, 7: one block as it grows."""

    def __init__(self, first, position):
        self.first, self.position = first, position
        self.bytes, self.hasher = 0, blake3()
        self.records, self.bodies, self.entries = 0, 0, 0
        self.identities, self.storages = [], []
        self.is_full = self.is_closed = False

    def ends_before(self, header):
        return self.is_full or self.entries + header.key_size + 96 > 49_152

    def count(self, header):
        self.records += 1
        self.bodies += header.length or 0
        self.entries += header.key_size + 96
        boundary = blake3(encode([header.kind, header.key])).digest()[0] & 0x7F == 0
        self.is_full = self.bodies >= 8_388_608 or self.records >= 32 and boundary

    def add(self, raw):
        self.bytes += len(raw)
        self.hasher.update(raw)

    def segment(self):
        """The manifest segment, and the digest of its identity part."""
        identity = encode(self.identities)
        storage = encode({"block": self.hasher.digest(), "bytes": self.bytes, "records": self.storages})
        return encode([identity, storage]), blake3(identity).digest()


class Archive:
    """All members in their order, each held against what those before it demand."""

    def __init__(self, file):
        self.row = members(frames(file))
        self.kinds, self.site_hasher = {}, blake3(derive_key_context="ctdl-dump site digest v1")
        self.last = None  # header of the record before
        self.room = 0  # how many bytes could have been added to the member of headers before
        self.block = None  # the last block that began
        self.waiting = []  # blocks whose manifest segments have not come
        self.index = []  # an entry for each manifest segment that came
        self.step()
        self.site = self.member.check("site.cbor", True)
        check_site(self.site)
        self.step()

    def step(self):
        self.member = next(self.row, None)
        demand(self.member, "the archive ends without its final manifest")

    def records(self):
        """Every record, as (header, identity digest). Behind the last, `root` is there and everything was found right."""
        while not self.member.alone or self.data_follows_group():
            yield from self.records_of_member()
        self.root = self.check_tail()

    # 5: members of records

    def records_of_member(self):
        member, offset = self.member, 0
        content, name, start = member.content, None, 0
        demand(content, f"{member.where}: empty")
        while offset < len(content):
            value, length = decode(content[offset:], member.where)
            header = Header(value, member.where)
            what = f"{member.where}: {header.kind} record {show(header.key)}"
            demand(self.last is None or self.last.order < header.order, f"{what}: out of order, or twice")
            begins_block = self.block is None or self.block.ends_before(header)
            if offset == 0:
                name = stem(header)
                member.check(f"{name}.cbor", False)
                self.begin_member(header, length, begins_block, what)
                start = self.block.bytes
                self.block.add(member.raw)
            else:
                demand(not begins_block, f"{what}: must begin a new block")
                demand(header.kind == self.last.kind, f"{what}: in a member of another kind")
            storage = [start + 512 + offset, length, 0]
            self.block.storages.append(storage)
            offset += length
            demand(not header.is_long or offset == len(content), f"{what}: others follow its long body in its member")
            self.room = 0 if header.is_long else SMALL - len(content)
            digest, storage[2] = self.check_record(header, name, what)
            yield header, digest
        self.step()

    def begin_member(self, header, length, begins_block, what):
        if begins_block:
            self.close_block()
            demand(not self.group_is_due(), f"{what}: manifest segments are missing before it")
            self.block = Block(header, self.member.position)
        else:
            demand(not self.block.is_closed, f"{what}: the block before it must not end here")
            demand(header.kind != self.last.kind or length > self.room, f"{what}: has room in the member before")

    def segments(self, header, name):
        """The stored segments of a body. Only the last may be shorter, but of message numbers each may."""
        number, size = 0, SMALL
        while True:
            demand(size == SMALL or header.has_numbers, f"{self.member.where}: {size} bytes of a body, but it goes on")
            self.step()
            segment = self.member.check(f"{name}.{number:06}", False)
            demand(segment, f"{self.member.where}: an empty segment")
            self.block.add(self.member.raw)
            yield segment
            number, size = number + 1, len(segment)

    def body(self, header, name, what):
        """The text of a body in segments, piece by piece, and how many bytes of the stored segments it took."""
        left, row, segments = header.length, b"", self.segments(header, name)
        while left:
            part = unfold(row, what) if header.is_folded else None
            if part:
                text, row = part
            else:
                segment = next(segments)
                yield b"", len(segment)
                if header.has_numbers:
                    segment = segment_of_numbers(segment, min(left, SMALL), what)
                text, row = (b"", row + segment) if header.is_folded else (segment, b"")
            demand(len(text) <= left, f"{what}: its body is longer than its header says")
            left -= len(text)
            yield text, 0
        demand(not row, f"{what}: its folded body goes on behind its last part")

    def check_record(self, header, name, what):
        """Reads the segments of a body, counts the record, and gives its digest (R7) and the length of the segments."""
        hasher, stored = blake3(derive_key_context="ctdl-dump record identity v1"), 0
        hasher.update(encode([header.kind, header.key, header.fields, header.length]) + header.inline)
        for text, count in self.body(header, name, what) if header.is_long else ():
            hasher.update(text)
            stored += count
        digest = hasher.digest()
        self.last = header
        self.block.count(header)
        self.block.identities.append([header.kind, header.key, header.length, digest])
        count = self.kinds.setdefault(header.kind, [header.kind, 0, 0])
        count[1:] = count[1] + 1, count[2] + (header.length or 0)
        if header.kind not in ("loss", "omitted"):
            self.site_hasher.update(digest)
        return digest, stored

    # 6, 7: groups of manifest segments

    def close_block(self):
        if self.block and not self.block.is_closed:
            self.block.is_closed = True
            self.waiting.append(self.block)

    def group_is_due(self):
        return len(self.waiting) >= 16 or sum(block.bytes for block in self.waiting) >= 8_388_608

    def data_follows_group(self):
        self.close_block()
        was_due = self.group_is_due()
        for block in self.waiting:
            expected, identity_digest = block.segment()
            found = self.member.check(f"manifest/{len(self.index):08}.cbor", True)
            demand(found == expected, f"{self.member.where}: not what its block demands")
            self.index.append([block.first.kind, block.first.key, identity_digest, block.position,
                               self.member.position, len(found), blake3(found).digest()])
            self.step()
        self.waiting = []
        demand(self.member.alone or was_due, f"{self.member.where}: data behind a group that was not due")
        return not self.member.alone

    # 8: index and root

    def check_tail(self):
        places, entries, length = [], [], 0
        for number, entry in enumerate(map(encode, self.index), 1):
            entries.append(entry)
            length += len(entry)
            if length < 49_152 and number < len(self.index):
                continue
            head = encode([0] * len(entries))[:-len(entries)]
            content = self.member.check(f"manifest/index-{len(places):08}.cbor", True)
            demand(content == head + b"".join(entries), f"{self.member.where}: not the index of the blocks before it")
            places.append([self.member.position, len(content), blake3(content).digest()])
            entries, length = [], 0
            self.step()
        root = decode_one(self.member.check("manifest.cbor", True), "manifest.cbor")
        demand(type(root) is dict and type(root.get("state_after")) is str, "manifest.cbor: lacks state_after")
        expected = {"site": blake3(self.site).digest(), "index": places, "kinds": list(self.kinds.values()),
                    "scope": "site", "digest": self.site_hasher.digest(), "format": 1}
        for name in (expected.keys() | root.keys()) - {"state_after"}:
            demand(root.get(name) == expected.get(name), f"manifest.cbor: {name} is not what the archive demands")
        demand(next(self.row, None) is None, "a frame follows the final manifest")
        return root


def main(arguments):
    match arguments:
        case ["verify" | "digest" as command, path]:
            kind = None
        case ["list" as command, path, *rest] if len(rest) <= 1:
            kind = rest[0] if rest else None
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    try:
        with open(path, "rb") as file:
            archive = Archive(file)
            for header, digest in archive.records():
                if command == "list" and kind in (None, header.kind):
                    length = "-" if header.length is None else header.length
                    print(header.kind, show(header.key), length, digest.hex(), sep="\t")
    except (Bad, OSError) as error:
        print(f"{path}: {error}", file=sys.stderr)
        return 3
    root = archive.root
    if command == "verify":
        for kind, count, length in root["kinds"]:
            print(f"{kind:12} {count:10} records {length:15} bytes of bodies")
    if command != "list":
        print(root["digest"].hex())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
