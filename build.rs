//! Compiles the shim over libdb (`src/site/recovery/shim.c`), and finds libdb 5.3 itself, which is linked statically: the program must
//! recover a site also on a machine that has no libdb, or another release of it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::exit;

/// Names a directory that has `db.h` and `libdb-5.3.a`, by themselves or in `include/` and `lib/`; else the system's are taken.
const DIRECTORY: &str = "CTDL_DUMP_LIBDB_DIR";
const SHIM: &str = "src/site/recovery/shim.c";
const HEADER: &str = "db.h";
const LIBRARY: &str = "libdb-5.3.a";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={SHIM}");
    println!("cargo::rerun-if-env-changed={DIRECTORY}");
    let (headers, libraries) = match env::var_os(DIRECTORY).map(PathBuf::from) {
        Some(named) => (vec![named.join("include"), named.clone()], vec![named.join("lib"), named]),
        None => systems_directories(),
    };
    let include = directory_with(HEADER, &headers);
    let library = directory_with(LIBRARY, &libraries);
    for found in [include.join(HEADER), library.join(LIBRARY)] {
        println!("cargo::rerun-if-changed={}", found.display());
    }
    cc::Build::new().file(SHIM).include(include).std("gnu11").extra_warnings(true).compile("ctdl_dump_shim");
    println!("cargo::rustc-link-search=native={}", library.display());
    println!("cargo::rustc-link-lib=static=db-5.3");
}

/// Where Debian puts headers and static libraries for the machine that is compiled for, and where others do.
fn systems_directories() -> (Vec<PathBuf>, Vec<PathBuf>) {
    let machine = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let multiarch = format!("{}-linux-gnu", if machine == "x86" { "i386" } else { &machine });
    let headers = [format!("/usr/include/{multiarch}"), "/usr/include".into(), "/usr/local/include".into()];
    let libraries = [format!("/usr/lib/{multiarch}"), "/usr/lib64".into(), "/usr/lib".into(), "/usr/local/lib".into()];
    (headers.map(PathBuf::from).into(), libraries.map(PathBuf::from).into())
}

fn directory_with(name: &str, directories: &[PathBuf]) -> PathBuf {
    let found = directories.iter().find(|directory| directory.join(name).is_file());
    found.cloned().unwrap_or_else(|| missing(name, directories))
}

fn missing(name: &str, directories: &[PathBuf]) -> ! {
    let searched: Vec<_> = directories.iter().map(|directory| Path::display(directory).to_string()).collect();
    println!(
        "cargo::error=Berkeley DB 5.3 is needed to build ctdl-dump, and its {name} is in none of {}.",
        searched.join(", ")
    );
    println!(
        "cargo::error=Install the package libdb5.3-dev (Debian, Ubuntu), or name the directory that has {HEADER} and {LIBRARY} in {DIRECTORY}."
    );
    exit(1);
}
