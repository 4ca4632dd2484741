//! Files that others read while they are written.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use tracing::{debug, info};

use crate::hand::Hand;

/// Ending of files that are being written: not one that runtimes look for.
const SUFFIX: &str = ".tmp";

/// What the names of temporary files for `path` begin with: hidden.
fn prefix(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    format!(".{name}.")
}

/// Removes what writers of `path` left behind that were killed. One that is writing just now has to try
/// again.
pub fn clear_left_over(path: &Path) {
    let (folder, prefix) = (path.parent().unwrap_or(path), prefix(path));
    // Without a folder nothing was left there.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&prefix) && name.ends_with(SUFFIX) {
            match fs::remove_file(entry.path()) {
                Ok(()) => info!(file = %entry.path().display(), "removed a half-written file"),
                Err(error) => debug!(file = %entry.path().display(), %error, "left over"),
            }
        }
    }
}

/// Puts `content` at `path` with the permissions `mode`, so that whoever reads sees the old file or
/// the new one, never half of it, even after a power failure. The folder is created if need be; an
/// existing folder is never replaced, as container runtimes watch it.
pub fn write_atomically(path: &Path, content: &[u8], mode: u32) -> anyhow::Result<()> {
    let folder = path.parent().context("a file needs a folder")?;
    let write = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let mut temporary = tempfile::Builder::new()
            .prefix(&prefix(path))
            .suffix(SUFFIX)
            .tempfile_in(folder)?;
        temporary.write_all(content)?;
        temporary
            .as_file()
            .set_permissions(Permissions::from_mode(mode))?;
        temporary.as_file().sync_all()?;
        temporary.persist(path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|error| {
        let remedy = match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                "make room in the file system of its folder"
            }
            _ => "check that its folder is mounted writable",
        };
        // The error's own words may have the temporary name, which differs every time: then the same
        // fault would be told again and again.
        let cause = error.raw_os_error().map(io::Error::from_raw_os_error);
        let cause = cause.unwrap_or_else(|| io::Error::from(error.kind()));
        anyhow::Error::new(cause).context(format!("{} cannot be written: {remedy}", path.display()))
    })
}

/// Removes a file, if it is there. Tells whether it was.
pub fn remove(path: &Path, hand: &mut Hand) -> anyhow::Result<bool> {
    if fs::symlink_metadata(path).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
        return Ok(false);
    }
    let name = path.display();
    hand.make(format!("remove {name}"), || {
        fs::remove_file(path).with_context(|| {
            format!("{name} cannot be removed: check that its folder is mounted writable")
        })
    })?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_replaced_and_no_temporary_one_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("10-x.conflist");
        for content in ["one", "two"] {
            write_atomically(&path, content.as_bytes(), 0o644).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
        let entries = fs::read_dir(path.parent().unwrap()).unwrap().count();
        assert_eq!(entries, 1);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o644
        );
    }

    #[test]
    fn file_whose_folder_cannot_exist_is_named_with_a_remedy() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let path = folder.path().join("file").join("x");
        let error = write_atomically(&path, b"", 0o644).unwrap_err();
        assert!(error.to_string().contains("mounted writable"), "{error:#}");
    }

    #[test]
    fn only_what_a_killed_writer_left_is_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("10-x.conflist");
        clear_left_over(&folder.path().join("absent/10-x.conflist"));
        write_atomically(&path, b"", 0o644).unwrap();
        for name in [".10-x.conflist.aB3.tmp", "x.tmp", ".10-y.conflist.aB3.tmp"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        clear_left_over(&path);
        let entries = fs::read_dir(folder.path()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [".10-y.conflist.aB3.tmp", "10-x.conflist", "x.tmp"]);
    }

    #[test]
    fn the_same_fault_has_the_same_words() {
        // Not even root makes files there.
        let path = Path::new("/proc/self/fdinfo/10-x.conflist");
        let fault = || format!("{:#}", write_atomically(path, b"", 0o644).unwrap_err());
        assert_eq!(fault(), fault());
    }
}
