//! How a machine lays out Citadel's structs (`format-spec/site.md`, section 2).

use std::fmt;
use std::str::FromStr;

/// Byte order of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Lowest byte first.
    Little,
    /// Highest byte first.
    Big,
}

/// How wide the types of C are. `int` has 4 bytes everywhere, and all types but `time_t` are aligned to their size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// `long`, `size_t` and `time_t` of 8 bytes.
    Lp64,
    /// `long`, `size_t` and `time_t` of 4 bytes.
    Ilp32,
    /// As `Ilp32`, but a `time_t` of 8 bytes, which i386 aligns to 4.
    Ilp32Time64I386,
    /// As `Ilp32`, but a `time_t` of 8 bytes, aligned to 8.
    Ilp32Time64,
}

/// How a machine lays out Citadel's structs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How wide its types are.
    pub model: Model,
    /// Byte order of all integers.
    pub order: ByteOrder,
}

impl Layout {
    /// What a server of 64 bits on x86-64 and ARM has.
    pub const LP64_LITTLE: Layout = Layout { model: Model::Lp64, order: ByteOrder::Little };

    /// Every layout that a Citadel server ever had, with its name and the machines that have it, as the user may call it too.
    pub const ALL: [(Layout, &'static str, &'static [&'static str]); 7] = [
        (Layout::LP64_LITTLE, "lp64-little", &["x86-64", "arm64", "riscv64"]),
        (Layout { model: Model::Lp64, order: ByteOrder::Big }, "lp64-big", &["s390x"]),
        (Layout { model: Model::Ilp32, order: ByteOrder::Little }, "ilp32-little", &["i386", "arm"]),
        (Layout { model: Model::Ilp32, order: ByteOrder::Big }, "ilp32-big", &["powerpc", "mips"]),
        (Layout { model: Model::Ilp32Time64I386, order: ByteOrder::Little }, "ilp32-time64-i386", &["i386-time64"]),
        (Layout { model: Model::Ilp32Time64, order: ByteOrder::Little }, "ilp32-time64-little", &["arm-time64"]),
        (
            Layout { model: Model::Ilp32Time64, order: ByteOrder::Big },
            "ilp32-time64-big",
            &["powerpc-time64", "mips-time64"],
        ),
    ];

    /// Size of `long` and `size_t` in bytes: 8 or 4.
    pub const fn word_bytes(self) -> usize {
        if matches!(self.model, Model::Lp64) { 8 } else { 4 }
    }

    /// Size of `time_t` in bytes: 8 or 4.
    pub const fn time_bytes(self) -> usize {
        if matches!(self.model, Model::Ilp32) { 4 } else { 8 }
    }

    /// What a `time_t` is aligned to, in bytes: 8 or 4.
    pub const fn time_alignment(self) -> usize {
        if matches!(self.model, Model::Ilp32 | Model::Ilp32Time64I386) { 4 } else { 8 }
    }

    /// Its name, as the user gives it.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(layout, ..)| *layout == self).map_or("ilp32-time64-i386", |(_, name, _)| name)
    }
}

/// In words: `64-bit little-endian`.
impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let order = match self.order {
            ByteOrder::Little => "little-endian",
            ByteOrder::Big => "big-endian",
        };
        write!(f, "{}-bit {order}", self.word_bytes() * 8)?;
        match self.model {
            Model::Lp64 | Model::Ilp32 => Ok(()),
            Model::Ilp32Time64I386 => f.write_str(" with 64-bit times as on i386"),
            Model::Ilp32Time64 => f.write_str(" with 64-bit times"),
        }
    }
}

/// A layout's name that there isn't.
#[derive(Debug, thiserror::Error)]
#[error("there is no layout \"{name}\"; the layouts are {}", Layout::names())]
pub struct UnknownLayout {
    /// The name as it was given.
    pub name: String,
}

impl Layout {
    /// All names, each with the machines that have it.
    pub fn names() -> String {
        let names: Vec<String> =
            Self::ALL.iter().map(|(_, name, machines)| format!("{name} ({})", machines.join(", "))).collect();
        names.join(", ")
    }
}

impl FromStr for Layout {
    type Err = UnknownLayout;

    fn from_str(name: &str) -> Result<Self, UnknownLayout> {
        Self::ALL
            .iter()
            .find(|(_, own, machines)| *own == name || machines.contains(&name))
            .map(|(layout, ..)| *layout)
            .ok_or_else(|| UnknownLayout { name: name.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_found_by_its_name_and_by_its_machines() {
        for (layout, name, machines) in Layout::ALL {
            assert_eq!(layout.name(), name);
            assert_eq!(name.parse::<Layout>().ok(), Some(layout));
            assert!(machines.iter().all(|machine| machine.parse::<Layout>().ok() == Some(layout)));
        }
        assert!("vax".parse::<Layout>().unwrap_err().to_string().contains("s390x"));
    }
}
