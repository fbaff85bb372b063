use super::*;
use proptest::prelude::*;

proptest! {
    #[test]
    fn integers_survive(value: i64) {
        let mut encoder = Encoder::new();
        encoder.int(value);
        prop_assert_eq!(Decoder::new(encoder.as_bytes(), "test").int().unwrap(), value);
    }

    #[test]
    fn strings_survive_whether_utf8_or_not(value: Vec<u8>) {
        let mut encoder = Encoder::new();
        encoder.string(&value);
        prop_assert_eq!(Decoder::new(encoder.as_bytes(), "test").string().unwrap(), value);
    }
}

fn refused(bytes: &[u8], read: impl Fn(&mut Decoder) -> Result<(), CodecError>) -> String {
    read(&mut Decoder::new(bytes, "test")).unwrap_err().to_string()
}

#[test]
fn other_encodings_are_refused() {
    let int = |decoder: &mut Decoder| decoder.int().map(drop);
    let string = |decoder: &mut Decoder| decoder.string().map(drop);
    assert!(refused(&[0x18, 23], int).contains("longer than necessary"));
    assert!(refused(&[0x19, 0, 24], int).contains("longer than necessary"));
    assert!(refused(&[0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0], int).contains("more than 64 bits"));
    assert!(refused(&[0x41, b'a'], string).contains("should be text"));
    assert!(refused(&[0x61, 0xff], string).contains("not UTF-8"));
    assert!(refused(&[0x7f, 0x61, b'a', 0xff], string).contains("doesn't use"));
    assert!(refused(&[0xc1, 0x00], int).contains("doesn't use"));
    assert!(refused(&[0xf9, 0, 0], int).contains("doesn't use"));
    assert!(
        refused(&[0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], string).contains("longer than what is left")
    );
    assert!(refused(&[], int).contains("ends early"));
}

#[test]
fn keys_of_a_map_must_rise() {
    let read = |decoder: &mut Decoder| {
        let mut pairs = decoder.map()?;
        while pairs.next(decoder)?.is_some() {
            decoder.int()?;
        }
        Ok(())
    };
    assert!(read(&mut Decoder::new(&[0xa2, 0x61, b'b', 0, 0x62, b'a', b'a', 0], "test")).is_ok());
    assert!(refused(&[0xa2, 0x62, b'a', b'a', 0, 0x61, b'b', 0], read).contains("rising order"));
    assert!(refused(&[0xa2, 0x61, b'a', 0, 0x61, b'a', 0], read).contains("rising order"));
}
