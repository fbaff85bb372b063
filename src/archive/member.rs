//! One member of the tar (`format-spec/archive.md`, section 3): the strict subset of ustar that the format uses.

use super::error::TarError;

/// The unit of a tar: size of a header, and what contents are padded to.
pub const TAR_BLOCK_BYTES: usize = 512;
/// No member is longer than so many bytes.
pub const MAX_MEMBER_BYTES: usize = 65_536;

/// A tar header.
pub type TarHeader = [u8; TAR_BLOCK_BYTES];

/// Fields of a ustar header, and where they end; for telling which one is wrong.
const FIELDS: [(&str, usize); 16] = [
    ("name", 100),
    ("mode", 108),
    ("owner", 116),
    ("group", 124),
    ("size", 136),
    ("time", 148),
    ("checksum", 156),
    ("type", 157),
    ("link target", 257),
    ("magic", 263),
    ("version", 265),
    ("owner's name", 297),
    ("group's name", 329),
    ("device numbers", 345),
    ("prefix", 500),
    ("padding", 512),
];

/// How many zeros follow so many bytes of content.
pub fn padding_bytes(content_bytes: usize) -> usize {
    content_bytes.next_multiple_of(TAR_BLOCK_BYTES) - content_bytes
}

/// The one header that a member of this name and size has. The name is shorter than 100 bytes.
pub fn header(name: &str, content_bytes: usize) -> TarHeader {
    let mut header = tar::Header::new_ustar();
    let old = header.as_old_mut();
    for (slot, byte) in old.name.iter_mut().zip(name.bytes()) {
        *slot = byte;
    }
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content_bytes as u64);
    header.set_cksum();
    *header.as_bytes()
}

/// Appends a member: header, content and padding.
pub fn append(name: &str, content: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&header(name, content.len()));
    out.extend_from_slice(content);
    out.resize(out.len() + padding_bytes(content.len()), 0);
}

/// The content's size that a header claims, at most `MAX_MEMBER_BYTES`.
pub fn content_bytes(header: &TarHeader) -> Result<usize, TarError> {
    let digits = &header[124..135];
    if header[135] != 0 || !digits.iter().all(|digit| (b'0'..=b'7').contains(digit)) {
        return Err(TarError::Field { field: "size" });
    }
    let size = digits.iter().fold(0u64, |size, digit| size * 8 + u64::from(digit - b'0'));
    match usize::try_from(size) {
        Ok(size) if size <= MAX_MEMBER_BYTES => Ok(size),
        _ => Err(TarError::TooLong { bytes: size }),
    }
}

/// The name in a header, for errors.
pub fn name(header: &TarHeader) -> String {
    let name = header[..100].split(|byte| *byte == 0).next().unwrap_or_default();
    crate::record::printable(name)
}

/// Fails unless the header is the one that a member of this name and size has.
pub fn check_header(found: &TarHeader, expected_name: &str, expected_bytes: usize) -> Result<(), TarError> {
    let expected = header(expected_name, expected_bytes);
    if *found == expected {
        return Ok(());
    }
    let differs = |start: usize, end: usize| found[start..end] != expected[start..end];
    let starts = std::iter::once(0).chain(FIELDS.iter().map(|(_, end)| *end));
    let mut fields =
        FIELDS.iter().zip(starts).filter(|((_, end), start)| differs(*start, *end)).map(|((field, _), _)| *field);
    // Another field that differs makes the checksum differ too.
    let field = fields.find(|field| *field != "checksum").unwrap_or("checksum");
    match (field, content_bytes(found)) {
        ("name", _) => Err(TarError::Name { found: name(found), expected: expected_name.to_owned() }),
        ("size", Ok(found_bytes)) => Err(TarError::Size { found: found_bytes, expected: expected_bytes }),
        _ => Err(TarError::Field { field }),
    }
}

/// The content of a member that stands alone in a frame, with so many zeros behind it. Without a name any name will do.
pub fn alone<'a>(frame: &'a [u8], name: Option<&str>, zeros_behind: usize) -> Result<&'a [u8], TarError> {
    let header = frame.first_chunk::<TAR_BLOCK_BYTES>().ok_or(TarError::NotAlone)?;
    let size = content_bytes(header)?;
    let found_name = self::name(header);
    check_header(header, name.unwrap_or(&found_name), size)?;
    let end = TAR_BLOCK_BYTES + size;
    if frame.len() != end + padding_bytes(size) + zeros_behind {
        return Err(TarError::NotAlone);
    }
    check_padding(&frame[end..])?;
    Ok(&frame[TAR_BLOCK_BYTES..end])
}

/// Fails unless all padding bytes are zero.
pub fn check_padding(padding: &[u8]) -> Result<(), TarError> {
    if padding.iter().all(|byte| *byte == 0) { Ok(()) } else { Err(TarError::Padding) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_what_the_tar_crate_reads() {
        let mut bytes = Vec::new();
        append("message/1.cbor", b"content", &mut bytes);
        append("message/2.cbor", &[1; 512], &mut bytes);
        assert_eq!(bytes.len(), 512 * 4);
        let mut archive = tar::Archive::new(bytes.as_slice());
        let sizes: Vec<u64> = archive.entries().unwrap().map(|entry| entry.unwrap().size()).collect();
        assert_eq!(sizes, [7, 512]);
    }

    #[test]
    fn a_changed_field_is_named() {
        let good = header("room/a.cbor", 100);
        assert!(check_header(&good, "room/a.cbor", 100).is_ok());
        for (offset, field) in
            [(105, "mode"), (140, "time"), (156, "type"), (200, "link target"), (280, "owner's name")]
        {
            let mut bad = good;
            bad[offset] = b'1';
            assert_eq!(check_header(&bad, "room/a.cbor", 100), Err(TarError::Field { field }));
        }
        assert!(matches!(check_header(&good, "room/b.cbor", 100), Err(TarError::Name { .. })));
    }

    #[test]
    fn a_size_that_is_no_octal_number_or_too_large_is_refused() {
        let mut header = header("a", 65_536);
        assert_eq!(content_bytes(&header), Ok(65_536));
        header[134] = b'1';
        assert_eq!(content_bytes(&header), Err(TarError::TooLong { bytes: 65_537 }));
        header[124] = 0x80;
        assert_eq!(content_bytes(&header), Err(TarError::Field { field: "size" }));
    }
}
