//! Files that others read while they are written.

use std::fs::{self, File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::Context as _;

/// Puts `content` at `path` with the permissions `mode`, so that whoever reads sees the old file or
/// the new one, never half of it, even after a power failure. The folder is created if need be; an
/// existing folder is never replaced, as container runtimes watch it.
pub fn write_atomically(path: &Path, content: &[u8], mode: u32) -> anyhow::Result<()> {
    let folder = path.parent().context("a file needs a folder")?;
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        // Hidden and without the ending that runtimes look for.
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut temporary = tempfile::Builder::new()
            .prefix(&format!(".{name}."))
            .suffix(".tmp")
            .tempfile_in(folder)?;
        temporary.write_all(content)?;
        temporary
            .as_file()
            .set_permissions(Permissions::from_mode(mode))?;
        temporary.as_file().sync_all()?;
        temporary.persist(path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    };
    write().with_context(|| {
        format!(
            "{} cannot be written: check that its folder is mounted writable",
            path.display()
        )
    })
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
}
