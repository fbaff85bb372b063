//! A whole site: what is torn of it is salvaged, then what is missing is named.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::loss::Losses;
use super::{Loss, SalvageError, salvage_table};
use crate::monitor::Monitor;
use crate::record::{ByteOrder, Layout};
use crate::site::btree::{DEFAULT_PAGE_SIZE, Table, TableError, TableWriter, can_be_torn};
use crate::site::check::{CheckError, Subject, references_of, room_keys, walk_table};
use crate::site::settled::table_names;
use crate::site::source::{Tables, table_number};

/// What came of a site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SalvagedSite {
    /// What is lost or can't be trusted, each once, in order of the subjects.
    pub losses: Vec<Loss>,
    /// The tables that were written anew. A site of these and of the whole ones is what can be had.
    pub salvaged_tables: Vec<PathBuf>,
    /// The tables that are whole, where they were.
    pub whole_tables: Vec<PathBuf>,
}

/// Walks over every table of the data directory `data`, writes those that are torn anew into the directory `into`, and names what is
/// missing in the result. Nothing in `data` is changed. What belongs together is found by the layout `told`, or else by the one that the tables show.
///
/// # Errors
/// When a table can't be read for another reason than damage, when `into` or `scratch` can't be written, or when the user interrupts.
pub fn salvage_site(
    data: &Path,
    told: Option<Layout>,
    into: &Path,
    scratch: &Path,
    monitor: &dyn Monitor,
) -> Result<SalvagedSite, SalvageError> {
    let mut losses = Losses::default();
    let (mut whole_tables, mut salvaged_tables, mut torn, mut hopeless) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for name in table_names(data).map_err(CheckError::unlisted(data))? {
        let source = data.join(&name);
        let walked = Table::open(&source).and_then(|table| walk_table(&table, monitor));
        match walked {
            Ok(_) => whole_tables.push(source),
            Err(TableError::Interrupted) => return Err(SalvageError::Interrupted),
            Err(error) if can_be_torn(&error) => {
                torn.extend(table_number(&name));
                let target = into.join(&name);
                monitor.warning(&format!("{error}; salvaging what can be had of it"));
                match salvage_table(&source, &target, scratch, monitor) {
                    Ok(salvaged) => {
                        if salvaged.losses.is_empty() && !salvaged.is_chain_whole {
                            let number = table_number(&name).unwrap_or_default();
                            losses.add(number, Subject::Table(number), &nothing_shown(&error));
                        }
                        losses.extend(salvaged.losses);
                    }
                    // One that was begun has something in it that could be had: then it is the disk that failed.
                    Err(SalvageError::Table(error)) if can_be_torn(&error) && !target.exists() => {
                        hopeless.push((target.clone(), error));
                    }
                    Err(error) => return Err(error),
                }
                salvaged_tables.push(target);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let is_hopeless = |path: &&PathBuf| hopeless.iter().any(|(hopeless, _)| hopeless == *path);
    let readable = whole_tables.iter().chain(salvaged_tables.iter().filter(|path| !is_hopeless(path)));
    let order = readable.clone().find_map(|path| Table::open(path).ok()).map(|table| table.byte_order());
    for (target, error) in &hopeless {
        write_empty(target, scratch, order.unwrap_or(ByteOrder::Little))?;
        let number = target.file_name().and_then(|name| name.to_str()).and_then(table_number).unwrap_or_default();
        losses.add(number, Subject::Table(number), &format!("nothing can be had of it: {}", error.without_path()));
    }
    let paths = whole_tables.iter().chain(&salvaged_tables).cloned();
    let tables = Tables::open_files(paths, told).map_err(|error| CheckError::from(Box::new(error)))?;
    name_rooms(&tables, &mut losses, monitor)?;
    let findings = references_of(&tables, &torn, scratch, monitor)?;
    for finding in findings.damage {
        losses.add_unless_known(finding.table, finding.subject, &finding.text);
    }
    losses.add_more(findings.more);
    Ok(SalvagedSite { losses: losses.finish(), salvaged_tables, whole_tables })
}

/// What is said of a torn table of which nothing is known to be lost, though its pages don't prove it.
fn nothing_shown(error: &TableError) -> String {
    format!("whatever could be had was taken, and nothing shows whether any is missing: {}", error.without_path())
}

/// Rooms that are known by their numbers only, because a list was lost, get their names.
fn name_rooms(tables: &Tables, losses: &mut Losses, monitor: &dyn Monitor) -> Result<(), SalvageError> {
    let numbers: BTreeSet<i64> = losses
        .subjects()
        .filter_map(|subject| if let Subject::RoomNumber(number) = subject { Some(*number) } else { None })
        .collect();
    for (number, key) in room_keys(tables, &numbers, monitor)? {
        losses.rename(&Subject::RoomNumber(number), Subject::Room(key));
    }
    Ok(())
}

fn write_empty(path: &Path, scratch: &Path, order: ByteOrder) -> Result<(), SalvageError> {
    TableWriter::create_for(path, scratch, 1 << 20, DEFAULT_PAGE_SIZE, order)?.finish()?;
    Ok(())
}
