//! libdb's recovery, called by way of `shim.c`. The one file of the program with unsafe code.
#![allow(unsafe_code, reason = "a C function is called")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Mutex;

use super::{Kind, LibdbError};

/// As many bytes of what libdb says are kept; it says little more than which record it failed at.
const WORDS_BYTES: usize = 16 << 10;

/// libdb's settings belong to the process, and the shim keeps the directory beside them.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

unsafe extern "C" {
    fn ctdl_dump_recover(
        home: *const c_char,
        is_catastrophic: c_int,
        position: extern "C" fn(*mut c_void, c_int),
        context: *mut c_void,
        text: *mut c_char,
        size: usize,
        disk_error: *mut c_int,
    ) -> c_int;
}

type Position<'a> = &'a mut dyn FnMut(u8);

/// Recovers the tables in `data`, which must be an absolute path without links, and gives what libdb said though it succeeded. `position`
/// gets per cents.
///
/// # Errors
/// [`LibdbError::Disk`] if the disk is full or broken; [`LibdbError::Refused`] with all that libdb said.
pub fn recover(data: &Path, kind: Kind, mut position: Position<'_>) -> Result<Vec<String>, LibdbError> {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let home = CString::new(data.as_os_str().as_bytes())
        .map_err(|_| LibdbError::NotACopy { data: data.into(), reason: "its path has a zero byte".into() })?;
    let mut words = vec![0_u8; WORDS_BYTES];
    let mut disk_error = 0;
    // SAFETY: `home` ends with a zero byte and lives until the call returns; `words` has as many bytes as said, is not empty, and nobody else
    // uses it meanwhile; `position` is what `on_position` takes its context for, lives as long, and is called from this thread only. The lock
    // keeps other threads out.
    let code = unsafe {
        ctdl_dump_recover(
            home.as_ptr(),
            c_int::from(kind == Kind::Catastrophic),
            on_position,
            (&raw mut position).cast(),
            words.as_mut_ptr().cast(),
            words.len(),
            &mut disk_error,
        )
    };
    let said = CStr::from_bytes_until_nul(&words).unwrap_or_default().to_string_lossy();
    let said = said.lines().map(str::to_owned).collect();
    match (code, disk_error) {
        (0, _) => Ok(said),
        (_, 0) => Err(LibdbError::Refused { data: data.into(), kind, code, said }),
        _ => Err(LibdbError::Disk { data: data.into(), source: std::io::Error::from_raw_os_error(disk_error) }),
    }
}

extern "C" fn on_position(context: *mut c_void, percent: c_int) {
    // SAFETY: the context is the `position` of the call of `recover` above that is going on in this thread.
    let position = unsafe { &mut *context.cast::<Position<'_>>() };
    position(u8::try_from(percent.clamp(0, 100)).unwrap_or(100));
}
