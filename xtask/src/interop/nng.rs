use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::apt::Apt;
use crate::run::run;
use crate::workspace::Workspace;

/// For cmake: a compiler of Windows programs, and that their libraries are not those of this machine.
const TOOLCHAIN: &str = "\
set(CMAKE_SYSTEM_NAME Windows)
set(CMAKE_SYSTEM_PROCESSOR x86_64)
set(CMAKE_C_COMPILER x86_64-w64-mingw32-gcc)
set(CMAKE_RC_COMPILER x86_64-w64-mingw32-windres)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
";

/// Builds nng's own library for Windows from Debian's source, and the program with it that does as `sockets.py` does; where
/// that program is.
pub(super) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.target("nng");
    let library = folder.join("build/libnng.a");
    let source = folder.join("source");
    if !(library.is_file() && source.is_dir()) {
        make_library(&folder, &source)?;
    }
    let program = folder.join("nng.exe");
    let mut compile = Command::new("x86_64-w64-mingw32-gcc");
    compile
        .args(["-O2", "-Wall", "-Wextra", "-Werror", "-DNNG_STATIC_LIB", "-o"])
        .arg(&program)
        .arg("-I")
        .arg(source.join("include"))
        .arg(workspace.path("xtask/interop/nng.c"))
        .arg(&library)
        .args(["-lws2_32", "-lmswsock", "-ladvapi32"]);
    run(&mut compile)?;
    Ok(program)
}

fn make_library(folder: &Path, source: &Path) -> Result<()> {
    let mut apt = Apt::read()?;
    apt.require(&["cmake"], &[])?;
    if !source.is_dir() {
        let new = folder.join("new");
        let _ = fs::remove_dir_all(&new);
        fs::create_dir_all(&new)?;
        let archive = apt.source("nng", folder)?;
        run(Command::new("tar")
            .args(["--extract", "--strip-components=1", "--file"])
            .arg(archive)
            .arg("--directory")
            .arg(&new))?;
        // Whole, or not there.
        fs::rename(new, source)?;
    }
    let toolchain = folder.join("toolchain.cmake");
    fs::write(&toolchain, TOOLCHAIN)?;
    let build = folder.join("build");
    run(Command::new("cmake")
        .arg("-S")
        .arg(source)
        .arg("-B")
        .arg(&build)
        .arg(format!("-DCMAKE_TOOLCHAIN_FILE={}", toolchain.display()))
        .args([
            "-DCMAKE_BUILD_TYPE=Release",
            "-DCMAKE_C_FLAGS=-w",
            "-DBUILD_SHARED_LIBS=OFF",
        ])
        .args(["-DNNG_TESTS=OFF", "-DNNG_TOOLS=OFF"])
        .args(["-DNNG_TRANSPORT_WS=OFF", "-DNNG_ENABLE_HTTP=OFF"]))?;
    run(Command::new("cmake")
        .arg("--build")
        .arg(&build)
        .args(["--parallel", "2"]))
    .context("nng")
}
