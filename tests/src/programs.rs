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

/// Both programs. Cargo tells a test only of the programs of its own package, so this asks cargo
/// to bring the two up to date first: nothing to do when `make` has just built them.
fn built() -> &'static (PathBuf, PathBuf) {
    static BUILT: OnceLock<(PathBuf, PathBuf)> = OnceLock::new();
    BUILT.get_or_init(|| {
        let profile = profile_directory();
        if env::var_os("TESSERA_TEST_PROGRAMS").is_none() {
            build(profile.parent().expect("a profile's folder is in the target's"));
        }
        let programs = (profile.join("tessera-server"), profile.join("tessera"));
        for program in [&programs.0, &programs.1] {
            assert!(program.exists(), "{} was not built", program.display());
        }
        programs
    })
}

/// `target/release`, from `target/release/deps/this_test-0123`.
fn profile_directory() -> PathBuf {
    if let Some(directory) = env::var_os("TESSERA_TEST_PROGRAMS") {
        return PathBuf::from(directory);
    }
    let test = env::current_exe().expect("a running test has a path");
    let deps = test.parent().expect("a program is in a folder");
    deps.parent().expect("deps is in the profile's folder").to_path_buf()
}

fn build(target_directory: &Path) {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--release", "-p", "tessera-server", "-p", "tessera-client"])
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
