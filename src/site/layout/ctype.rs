//! What the table of C structs is made of, and the one reader and the one writer that it drives. Offsets and sizes are computed by the rules
//! of C from the order of the members.

use std::collections::BTreeSet;

use super::release::FIRST;
use super::structs::FIRST_WITH_USE_NUMBERS;
use super::{Problem, TRIED, bytes};
use crate::record::{Fields, KeyPart, Kind, Layout, Value};

/// A type of C.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CType {
    /// `long`: 8 or 4 bytes.
    Long,
    /// `time_t`: 8 or 4 bytes.
    Time,
    /// `int`: 4 bytes.
    Int,
    /// `unsigned int`, `uid_t`: 4 bytes.
    Unsigned,
    /// `unsigned short`: 2 bytes.
    UnsignedShort,
    /// `char` holding a number. Read with a sign on all machines, though some have none: what Citadel keeps there is 0 to 127.
    Char,
    /// `unsigned char`.
    UnsignedChar,
    /// `char[n]`: text up to a NUL, or to the end of the array where there is none.
    Text(usize),
    /// A `long` that no release uses: it counts as padding.
    UnusedLong,
    /// A `char[n]` that no release uses: it counts as padding.
    Unused(usize),
}

impl CType {
    /// Size in bytes.
    pub fn size(self, layout: Layout) -> usize {
        match self {
            CType::Long | CType::UnusedLong => layout.word_bytes(),
            CType::Time => layout.time_bytes(),
            CType::Int | CType::Unsigned => 4,
            CType::UnsignedShort => 2,
            CType::Char | CType::UnsignedChar => 1,
            CType::Text(size) | CType::Unused(size) => size,
        }
    }

    fn alignment(self, layout: Layout) -> usize {
        match self {
            CType::Time => layout.time_alignment(),
            CType::Text(_) | CType::Unused(_) => 1,
            c_type => c_type.size(layout),
        }
    }

    fn is_signed(self) -> bool {
        !matches!(self, CType::Unsigned | CType::UnsignedShort | CType::UnsignedChar)
    }
}

/// A member of a struct.
#[derive(Clone, Copy, Debug)]
pub struct StructField {
    /// Its name in `record::schema`.
    pub name: &'static str,
    /// Its type.
    pub c_type: CType,
    /// The first release that has it.
    pub since: i64,
    /// The last release that has it.
    pub until: i64,
}

/// A struct of Citadel's `server.h`, with the members of all releases.
#[derive(Clone, Copy, Debug)]
pub struct StructLayout {
    /// Its name there.
    pub name: &'static str,
    /// Members at its beginning that repeat the key.
    pub head: &'static [CType],
    /// The other members, in their order.
    pub fields: &'static [StructField],
    /// A value that ends before the end of this member has nothing to go by. A longer one that is shorter than the struct is of an older
    /// release, and the rest counts as zero.
    pub least: &'static str,
}

/// How a server writes: its release and its machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// Its machine.
    pub layout: Layout,
    /// Its release.
    pub release: i64,
}

impl Dialect {
    /// What the pairs of table 07 are.
    pub fn kind_of_uses(self) -> Kind {
        if self.release < FIRST_WITH_USE_NUMBERS { Kind::Useid } else { Kind::Use }
    }

    /// Whether the release is newer than all that are known.
    pub fn is_newer(self) -> bool {
        self.release > TRIED
    }
}

/// That of the newest release there is.
impl From<Layout> for Dialect {
    fn from(layout: Layout) -> Self {
        Dialect { layout, release: TRIED }
    }
}

impl StructLayout {
    /// The members that the release has, and their offsets in bytes.
    pub fn members(&self, dialect: Dialect) -> impl Iterator<Item = (&'static StructField, usize)> {
        let Dialect { layout, release } = dialect;
        let mut end: usize = self.head.iter().map(|c_type| c_type.size(layout)).sum();
        self.fields.iter().filter(move |field| field.is_of(release)).map(move |field| {
            let offset = aligned(end, field.c_type.alignment(layout));
            end = offset + field.c_type.size(layout);
            (field, offset)
        })
    }

    /// Size of the struct in bytes.
    pub fn size(&self, dialect: Dialect) -> usize {
        let layout = dialect.layout;
        let mut alignment = self.head.iter().map(|c_type| c_type.alignment(layout)).max().unwrap_or(1);
        let mut end = 0;
        for (field, offset) in self.members(dialect) {
            alignment = alignment.max(field.c_type.alignment(layout));
            end = offset + field.c_type.size(layout);
        }
        aligned(end, alignment)
    }

    /// The sizes that it has had, in bytes: one record after the other, a site has those of all releases that it has seen.
    pub fn sizes(&self, layout: Layout) -> BTreeSet<usize> {
        let turns = self.fields.iter().flat_map(|field| [field.since, field.until.saturating_add(1)]);
        let releases = turns.filter(|release| (FIRST..=TRIED).contains(release)).chain([FIRST]);
        releases.map(|release| self.size(Dialect { layout, release })).collect()
    }

    /// The fewest bytes that can be understood.
    pub fn least(&self, dialect: Dialect) -> usize {
        let mut members = self.members(dialect);
        let last = members.find(|(field, _)| field.name == self.least);
        last.map_or(0, |(field, offset)| offset + field.c_type.size(dialect.layout))
    }
}

impl StructField {
    fn is_of(&self, release: i64) -> bool {
        (self.since..=self.until).contains(&release)
    }

    fn is_used(&self) -> bool {
        !matches!(self.c_type, CType::UnusedLong | CType::Unused(_))
    }

    /// What the member that these bytes begin with holds.
    fn read<'v>(&self, rest: &'v [u8], layout: Layout) -> Member<'v> {
        let stored = &rest[..self.c_type.size(layout)];
        match self.c_type {
            CType::Text(_) => Member::Text(stored.split(|byte| *byte == 0).next().unwrap_or_default()),
            c_type if c_type.is_signed() => Member::Int(bytes::read_signed(stored, layout.order)),
            // At most 4 bytes, so it never exceeds an i64.
            _ => Member::Int(bytes::read_unsigned(stored, layout.order) as i64),
        }
    }
}

/// What a member of a value holds.
enum Member<'v> {
    Text(&'v [u8]),
    Int(i64),
}

/// The next multiple of an alignment, which is a power of two: every record asks for it, and to divide would take long.
fn aligned(offset: usize, alignment: usize) -> usize {
    (offset + alignment - 1) & !(alignment - 1)
}

/// Reads the fields of a value. What a value lacks at its end counts as zero, as the server takes it; what it has beyond is not looked at.
/// Texts end at their first NUL. Members that came after the release are zero and empty; those that were gone by then are no fields.
pub fn decode(layout_of: &StructLayout, dialect: impl Into<Dialect>, value: &[u8]) -> Fields {
    let dialect = dialect.into();
    let layout = dialect.layout;
    let size = layout_of.size(dialect);
    let mut longer = Vec::new();
    let whole = match value.get(..size) {
        Some(whole) => whole,
        None => {
            longer.extend_from_slice(value);
            longer.resize(size, 0);
            &longer
        }
    };
    let mut fields = Fields::with_capacity(layout_of.fields.len());
    for (field, start) in layout_of.members(dialect).filter(|(field, _)| field.is_used()) {
        let value = match field.read(&whole[start..], layout) {
            Member::Text(text) => Value::String(text.to_vec()),
            Member::Int(number) => Value::Int(number),
        };
        fields.set(field.name, value);
    }
    for field in layout_of.fields.iter().filter(|field| field.since > dialect.release) {
        fields.set(field.name, nothing(field.c_type));
    }
    fields
}

/// How many fields `decode` gives for the members of a value, if each of them is what `fields` have; a value must have exactly the length of the struct.
pub(super) fn gives(layout_of: &StructLayout, dialect: Dialect, value: &[u8], fields: &Fields) -> Option<usize> {
    if value.len() != layout_of.size(dialect) {
        return None;
    }
    let mut found = 0;
    for (field, start) in layout_of.members(dialect).filter(|(field, _)| field.is_used()) {
        let is_same = match (field.read(&value[start..], dialect.layout), fields.get(field.name)?) {
            (Member::Text(text), Value::String(other)) => text == other,
            (Member::Int(number), Value::Int(other)) => number == *other,
            _ => false,
        };
        if !is_same {
            return None;
        }
        found += 1;
    }
    Some(found)
}

fn nothing(c_type: CType) -> Value {
    if matches!(c_type, CType::Text(_)) { Value::String(Vec::new()) } else { Value::Int(0) }
}

/// Writes a struct: `head` is the key, padding is zero. A field that the release doesn't have must be zero, empty or absent.
pub fn encode(
    layout_of: &StructLayout,
    dialect: impl Into<Dialect>,
    head: &[KeyPart],
    fields: &Fields,
) -> Result<Vec<u8>, Problem> {
    let dialect = dialect.into();
    let layout = dialect.layout;
    let struct_bytes = layout_of.size(dialect);
    let mut value = Vec::with_capacity(struct_bytes);
    if head.len() != layout_of.head.len() {
        return Err(Problem::FieldMissing { field: "the key" });
    }
    for (part, c_type) in head.iter().zip(layout_of.head) {
        match (part, c_type) {
            (KeyPart::Name(name), CType::Text(size)) => {
                check_text("the key", name, *size)?;
                value.extend_from_slice(name);
                value.resize(value.len() + size - name.len(), 0);
            }
            (KeyPart::Number(number), _) => bytes::push(&mut value, "the key", *number, c_type.size(layout), layout)?,
            _ => return Err(Problem::FieldMissing { field: "the key" }),
        }
    }
    value.resize(struct_bytes, 0);
    for (field, start) in layout_of.members(dialect).filter(|(field, _)| field.is_used()) {
        let size = field.c_type.size(layout);
        let place = &mut value[start..start + size];
        match (field.c_type, fields.get(field.name)) {
            (CType::Text(_), Some(Value::String(text))) => {
                check_text(field.name, text, size)?;
                place[..text.len()].copy_from_slice(text);
            }
            (CType::Text(_), _) => return Err(Problem::FieldMissing { field: field.name }),
            (c_type, Some(Value::Int(number))) => {
                bytes::check(field.name, *number, size, c_type.is_signed(), layout)?;
                bytes::write(*number, layout.order, place);
            }
            _ => return Err(Problem::FieldMissing { field: field.name }),
        }
    }
    for field in layout_of.fields.iter().filter(|field| !field.is_of(dialect.release)) {
        if fields.get(field.name).is_some_and(|value| *value != nothing(field.c_type)) {
            return Err(Problem::NotInRelease { field: field.name, release: dialect.release });
        }
    }
    Ok(value)
}

/// Whether a text fits into its place and would be read back as it is.
pub(super) fn check_text(field: &'static str, text: &[u8], limit: usize) -> Result<(), Problem> {
    if text.len() > limit {
        return Err(Problem::TextTooLong { field, bytes: text.len(), limit });
    }
    match text.iter().position(|byte| *byte == 0) {
        Some(offset) => Err(Problem::NulInText { field, offset }),
        None => Ok(()),
    }
}
