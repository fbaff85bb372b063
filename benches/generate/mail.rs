//! What people write to each other: posts, mails, attachments.

use std::fmt::Write as _;

use crate::random::Random;
use crate::words::Vocabulary;

/// Bytes of base64 text in a line, and what they decode to.
const LINE_CHARACTERS: usize = 76;
const LINE_BYTES: usize = LINE_CHARACTERS / 4 * 3;

/// What mails are made of.
pub struct Plan {
    /// Share of the mails that have an attachment, 0 to 1.
    pub attachments: f64,
    /// Share of the attachments that can't be compressed, 0 to 1.
    pub packed: f64,
    /// The longest text, in bytes.
    pub longest_text: u32,
}

impl Plan {
    /// The length of a text that is rather short or rather long.
    fn text_bytes(&self, random: &mut Random, least: f64, most: f64) -> usize {
        let most = most.min(self.longest_text.into());
        random.size(least.min(most / 4.0), most)
    }
}

/// A message body in one of Citadel's formats, and the words in it by rank.
pub struct Text {
    pub format: u8,
    pub content_type: &'static str,
    pub body: String,
    pub used: Vec<usize>,
}

/// A post in a room: Citadel's own format, a space at the beginning of a line begins a paragraph.
pub fn post(plan: &Plan, random: &mut Random, vocabulary: &Vocabulary) -> Text {
    let mut used = Vec::new();
    let bytes = plan.text_bytes(random, 60.0, 6000.0);
    let body = vocabulary.text(random, bytes, "\n ", &mut used);
    Text { format: 0, content_type: "text/x-citadel-variformat", body, used }
}

/// A mail as it came over the wire: text alone, or text and an attachment.
pub fn mail(plan: &Plan, random: &mut Random, vocabulary: &Vocabulary) -> Text {
    let has_attachment = random.share() < plan.attachments;
    let mut used = Vec::new();
    let bytes = plan.text_bytes(random, 200.0, 20_000.0);
    let text = vocabulary.text(random, bytes, "\r\n", &mut used);
    if !has_attachment {
        let body = format!("MIME-Version: 1.0\r\nContent-type: text/plain; charset=utf-8\r\n\r\n{text}");
        return Text { format: 4, content_type: "text/plain", body, used };
    }
    let boundary = format!("=_{:016x}", random.next());
    let bytes = random.size(1_000.0, 500_000.0);
    let (name, content) = if random.share() < plan.packed {
        ("picture.jpg", random.bytes(bytes))
    } else {
        ("table.csv", table(random, vocabulary, bytes).into_bytes())
    };
    let mut body = format!(
        "MIME-Version: 1.0\r\nContent-type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n\
         --{boundary}\r\nContent-type: text/plain; charset=utf-8\r\n\r\n{text}\r\n\
         --{boundary}\r\nContent-type: application/octet-stream; name=\"{name}\"\r\n\
         Content-Disposition: attachment; filename=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    );
    content.chunks(LINE_BYTES).for_each(|line| base64_line(line, &mut body));
    let _ = write!(body, "\r\n--{boundary}--\r\n");
    Text { format: 4, content_type: "multipart/mixed", body, used }
}

/// Lines of base64 of random data, of exactly so many bytes together.
pub fn attachment_lines(random: &mut Random, bytes: usize) -> String {
    let mut lines = String::with_capacity(bytes + LINE_CHARACTERS + 2);
    while lines.len() < bytes {
        base64_line(&random.bytes(LINE_BYTES), &mut lines);
    }
    lines.truncate(bytes);
    lines
}

fn table(random: &mut Random, vocabulary: &Vocabulary, bytes: usize) -> String {
    let mut table = String::new();
    while table.len() < bytes {
        let name = vocabulary.word(vocabulary.rank(random));
        let _ =
            writeln!(table, "{};{name};{}.{:02};open", 1000 + table.len() / 30, random.below(5000), random.below(100));
    }
    table
}

fn base64_line(bytes: &[u8], text: &mut String) {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
        for digit in 0..4 {
            let is_padding = digit > group.len();
            text.push(if is_padding { '=' } else { DIGITS[(bits >> (18 - 6 * digit) & 63) as usize].into() });
        }
    }
    text.push_str("\r\n");
}
