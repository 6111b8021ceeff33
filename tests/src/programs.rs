//! Where the programs under test are.
//!
//! Knows cargo's target directory from the place of the running test. Does not know what the
//! programs do.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The server's program, `tessera-server`.
pub fn server() -> &'static Path {
    &built().0
}

/// The client's program, `tessera`.
pub fn client() -> &'static Path {
    &built().1
}

/// Both programs. Cargo tells a test only of the programs of its own package, so they are looked
/// for beside the test. `make` has just built them; where they are missing, the whole workspace
/// is built, since a part of it alone may want RocksDB with other features, and compile it again.
fn built() -> &'static (PathBuf, PathBuf) {
    static BUILT: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    BUILT.get_or_init(|| {
        let profile = profile_directory();
        let programs = (profile.join("tessera-server"), profile.join("tessera"));
        if !programs.0.exists() || !programs.1.exists() {
            build(
                profile
                    .parent()
                    .expect("a profile's folder is in the target's"),
            );
        }
        programs
    })
}

/// `target/release`, from `target/release/deps/this_test-0123`.
fn profile_directory() -> PathBuf {
    let test = env::current_exe().expect("a running test has a path");
    let deps = test.parent().expect("a program is in a folder");
    deps.parent()
        .expect("deps is in the profile's folder")
        .to_path_buf()
}

fn build(target_directory: &Path) {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "--workspace", "--bins"])
        .current_dir(workspace())
        .env("CARGO_TARGET_DIR", target_directory)
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the programs under test do not build");
}

/// The workspace's root.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("tests/ is in the workspace")
        .to_path_buf()
}
