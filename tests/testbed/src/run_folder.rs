//! The folder of one control plane or server: certificates, data, logs. It goes when its owner does, however that ends.
use std::{
    env,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::Context;

use crate::progress;

const KEEP: &str = "BOATHOOK_TESTBED_KEEP";
/// Waits for the end of its input, as [`crate::process`] explains. A program that is being killed may still write.
const REMOVE: &str = r#"read -r _; for _ in 1 2 3 4 5; do rm -rf -- "$0" 2>/dev/null && exit; sleep 1; done"#;

/// A folder that only its user can read.
pub(crate) struct RunFolder {
    path: PathBuf,
    /// None where the folder is kept.
    remover: Option<Child>,
}

impl RunFolder {
    /// Makes one.
    ///
    /// # Errors
    /// When the folder for temporary files cannot be written, or no process started.
    pub(crate) fn make() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("boathook-testbed-").tempdir();
        let path = folder.context("cannot make a temporary folder")?.keep();
        if env::var_os(KEEP).is_some_and(|keep| keep == "1") {
            progress(&format!("{KEEP}=1: the run folder {} stays", path.display()));
            return Ok(Self { path, remover: None });
        }
        let mut command = Command::new("sh");
        command.args(["-c", REMOVE]).arg(&path).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let remover = command.spawn().context("cannot start sh")?;
        Ok(Self { path, remover: Some(remover) })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        if let Some(remover) = &mut self.remover {
            drop(remover.stdin.take());
            // What could not be removed stays.
            let _ = remover.wait();
        }
    }
}
