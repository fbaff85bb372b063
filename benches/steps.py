"""What is measured: the commands of ctdl-dump, and those that others would use for the same."""
import dataclasses
import os
import shlex
import shutil

PASSWORDS = "RESTIC_PASSWORD=x BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK=yes BORG_BASE_DIR={work}/borg-home RESTIC_CACHE_DIR={work}/restic-cache"


@dataclasses.dataclass(frozen=True)
class Step:
    """A command, and what must not be there when it begins."""

    name: str
    command: str
    fresh: tuple = ()
    # Files below the site or the work directory that the system is to forget before, so that they are read from the disk.
    cold: tuple = ()
    # Takes so long that one round must do.
    slow: bool = False


def steps(program, site, work):
    """The steps in the order of one round. What is not installed is left out."""
    program, site, work = (shlex.quote(str(path)) for path in (program, site, work))
    # What every command must do with: 128 MiB, and 8 MiB for each thread. More than that is refused to it, and it dies.
    program = f"ulimit -d {(128 + 8 * (os.cpu_count() or 1)) * 1024}; {program}"
    tar = f"tar -C {site} -cf - . | zstd -3 -T0 -q -f -o {work}/site.tar.zst"
    untar = f"mkdir {work}/untarred && zstd -dc {work}/site.tar.zst | tar -C {work}/untarred -xf - && sync -f {work}/untarred"
    export = f"{program} export -q --site {site} -o {work}/site.ctz"
    into = f"{program} import -q {work}/site.ctz --site {work}/imported"
    dump = f"for table in {site}/data/cdb.*; do db5.3_dump $table; done | zstd -3 -q -f -o {work}/dump.zst"
    load = (
        f"for table in {site}/data/cdb.0?; do db5.3_dump $table >{work}/dump; "
        f"db5.3_load -f {work}/dump {work}/loaded/${{table##*/}}; done"
    )
    known = PASSWORDS.format(work=work)
    found = [
        Step(TAR, tar),
        Step("export", export, fresh=("site.ctz",)),
        Step("export --no-fold", f"{program} export -q --no-fold --site {site} -o {work}/plain.ctz", fresh=("plain.ctz",)),
        Step("zstd -t, b3sum", f"zstd -tq {work}/site.ctz && b3sum --num-threads 1 {work}/site.ctz {work}/stored.tar {site}/data/cdb.* >/dev/null"),
        Step("verify", f"{program} verify -q {work}/site.ctz >/dev/null"),
        Step(UNTAR, untar, fresh=("untarred",)),
        Step("import", into, fresh=("imported",)),
        Step("import --no-read-back", f"{into} --no-read-back", fresh=("imported",)),
        Step("info", f"{program} info {work}/site.ctz >/dev/null"),
        Step("list room", f"{program} list {work}/site.ctz room >/dev/null"),
        Step("diff archive site", f"{program} diff -q {work}/site.ctz {site} >/dev/null"),
        Step(f"{TAR}, cold", tar, cold=("site",)),
        Step("export, cold", export, fresh=("site.ctz",), cold=("site",)),
        Step(f"{UNTAR}, cold", untar, fresh=("untarred",), cold=("site.tar.zst",)),
        Step("import, cold", into, fresh=("imported",), cold=("site.ctz",)),
        Step("restic backup", f"{known} restic -q init -r {work}/restic && {known} restic -q backup -r {work}/restic {site}", fresh=("restic", "restic-cache")),
        Step("restic restore", f"{known} restic -q restore latest -r {work}/restic --target {work}/restored && sync -f {work}/restored", fresh=("restored",)),
        Step("borg create", f"export {known}; borg init -e none {work}/borg && borg create -C zstd,3 {work}/borg::a {site}", fresh=("borg", "borg-home")),
        Step("borg extract", f"export {known}; mkdir {work}/extracted && cd {work}/extracted && borg extract {work}/borg::a && sync -f .", fresh=("extracted",)),
        Step("db5.3_dump, zstd -3", dump, slow=True),
        Step("db5.3_dump, db5.3_load", f"mkdir {work}/loaded && {load} && sync -f {work}/loaded", fresh=("loaded", "dump"), slow=True),
    ]
    tools = {"restic": "restic", "borg": "borg", "db5.3_dump": "db5.3_load", "zstd -t": "b3sum"}
    return [step for step in found if all(not step.name.startswith(name) or shutil.which(tool) for name, tool in tools.items())]


TAR, UNTAR = "tar, zstd -3 -T0", "zstd -d, tar x, sync"

# What is compared with what, and the goal for both ratios where there is one: for all sites, or by the name of the site.
RATIOS = [
    ("export", TAR, {"text": 1.0, "attachments": 0.6}),
    ("export --no-fold", TAR, None),
    ("export, cold", f"{TAR}, cold", None),
    ("verify", "import", 0.6),
    ("verify", "zstd -t, b3sum", 1.3),
    ("import", UNTAR, 1.5),
    ("import --no-read-back", UNTAR, 1.0),
    ("import, cold", f"{UNTAR}, cold", None),
    ("export", "restic backup", 1.0),
    ("import", "restic restore", 1.0),
    ("export", "borg create", 1.0),
    ("import", "borg extract", 1.0),
    ("export", "db5.3_dump, zstd -3", None),
    ("import", "db5.3_dump, db5.3_load", None),
]

# Which archive is compared with which by its size, and the goals by the name of the site.
SIZES = [("site.ctz", "site.tar.zst", {"text": 0.95, "attachments": 0.98})]
