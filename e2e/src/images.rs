//! Container images, packed here: no registry is needed.
//!
//! Two images are enough: `pause`, which holds a pod's namespaces, and `tools`, a static busybox
//! with all its applets (`ping`, `nc`, `wget`, `httpd`, `ip`, …) that serves both IP families.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::binaries::Binaries;

/// The image that holds a pod's namespaces open.
pub const PAUSE: &str = "localhost/signpost/pause:1";
/// The image of test pods: busybox and its applets.
pub const TOOLS: &str = "localhost/signpost/tools:1";

const BUSYBOX: &str = "busybox";

/// Packs both images into `folder`, and gives the archives' paths.
pub(crate) fn pack(binaries: &Binaries, folder: &Path) -> Result<Vec<PathBuf>> {
    let pause = PathBuf::from(binaries.path("pause")?);
    let busybox = find_busybox()?;
    let sleep = ["/bin/sleep", "2147483647"];
    fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
    let pack =
        |name: &str, program: &Path, links: &[String], command: &[&str]| -> Result<PathBuf> {
            let content =
                fs::read(program).with_context(|| format!("reading {}", program.display()))?;
            ensure!(
                is_static(&content),
                "{} is not linked statically. Remedy: apt-get install busybox-static",
                program.display()
            );
            let file_name = program
                .file_name()
                .context("a program has a name")?
                .to_string_lossy();
            let layer = layer(&file_name, &content, links)?;
            let path = folder.join(format!("{file_name}.tar"));
            fs::write(&path, oci_archive(name, &layer, command)?)
                .with_context(|| format!("writing {}", path.display()))?;
            Ok(path)
        };
    Ok(vec![
        pack(PAUSE, &pause, &[], &["/bin/pause"])?,
        pack(TOOLS, &busybox, &applets(&busybox)?, &sleep)?,
    ])
}

fn find_busybox() -> Result<PathBuf> {
    ["/bin/busybox", "/usr/bin/busybox"]
        .iter()
        .map(PathBuf::from)
        .find(|path| path.exists())
        .context("no busybox on this machine. Remedy: apt-get install busybox-static")
}

/// Whether a program runs without a dynamic loader, which an image would have to carry.
fn is_static(program: &[u8]) -> bool {
    // The loader's path is in the program's interpreter section, which linkers put at its start.
    let start = &program[..program.len().min(4096)];
    !start.windows(4).any(|bytes| bytes == b"/ld-")
}

fn applets(busybox: &Path) -> Result<Vec<String>> {
    let output = Command::new(busybox)
        .arg("--list")
        .output()
        .context("running busybox --list")?;
    ensure!(
        output.status.success(),
        "busybox --list failed: {}",
        output.status
    );
    let listed = String::from_utf8_lossy(&output.stdout);
    Ok(listed
        .lines()
        .filter(|name| *name != BUSYBOX)
        .map(str::to_owned)
        .collect())
}

/// A layer with one static program in `/bin` and links to it.
fn layer(program_name: &str, content: &[u8], links: &[String]) -> Result<Vec<u8>> {
    let mut tar = tar::Builder::new(Vec::new());
    for folder in ["bin/", "etc/", "tmp/", "www/"] {
        let mut header = header(tar::EntryType::Directory, 0o1777, 0);
        tar.append_data(&mut header, folder, std::io::empty())?;
    }
    let passwd = b"root:x:0:0:root:/:/bin/sh\n";
    append_file(&mut tar, "etc/passwd", 0o644, passwd)?;
    append_file(&mut tar, &format!("bin/{program_name}"), 0o755, content)?;
    for link in links {
        let mut header = header(tar::EntryType::Symlink, 0o777, 0);
        tar.append_link(&mut header, format!("bin/{link}"), program_name)?;
    }
    Ok(tar.into_inner()?)
}

fn oci_archive(name: &str, layer: &[u8], command: &[&str]) -> Result<Vec<u8>> {
    let architecture = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "amd64"
    };
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "config": {"Cmd": command, "Env": ["PATH=/bin"]},
        "rootfs": {"type": "layers", "diff_ids": [format!("sha256:{}", sha256(layer))]},
    });
    let config = serde_json::to_vec(&config)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", &config),
        "layers": [descriptor("application/vnd.oci.image.layer.v1.tar", layer)],
    });
    let manifest = serde_json::to_vec(&manifest)?;
    let mut entry = descriptor("application/vnd.oci.image.manifest.v1+json", &manifest);
    entry["annotations"] = json!({"io.containerd.image.name": name});
    entry["platform"] = json!({"architecture": architecture, "os": "linux"});
    let index = serde_json::to_vec(&json!({"schemaVersion": 2, "manifests": [entry]}))?;

    let mut tar = tar::Builder::new(Vec::new());
    append_file(
        &mut tar,
        "oci-layout",
        0o644,
        br#"{"imageLayoutVersion":"1.0.0"}"#,
    )?;
    append_file(&mut tar, "index.json", 0o644, &index)?;
    for blob in [layer, &config, &manifest] {
        append_file(
            &mut tar,
            &format!("blobs/sha256/{}", sha256(blob)),
            0o644,
            blob,
        )?;
    }
    Ok(tar.into_inner()?)
}

fn descriptor(media_type: &str, blob: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": format!("sha256:{}", sha256(blob)), "size": blob.len()})
}

fn append_file(
    tar: &mut tar::Builder<Vec<u8>>,
    path: &str,
    mode: u32,
    content: &[u8],
) -> Result<()> {
    let mut header = header(tar::EntryType::Regular, mode, content.len() as u64);
    tar.append_data(&mut header, path, content)
        .with_context(|| format!("packing {path}"))
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn sha256(content: &[u8]) -> String {
    format!("{:x}", Sha256::digest(content))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archive_names_blobs_by_their_digest() {
        let layer = layer("busybox", b"program", &["ping".to_owned()]).unwrap();
        let bytes = oci_archive(TOOLS, &layer, &["/bin/sleep"]).unwrap();
        let mut blobs = 0;
        for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
            let mut entry = entry.unwrap();
            let path = entry.path().unwrap().display().to_string();
            if let Some(digest) = path.strip_prefix("blobs/sha256/") {
                let mut content = Vec::new();
                std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
                assert_eq!(sha256(&content), digest);
                blobs += 1;
            }
        }
        assert_eq!(blobs, 3, "layer, configuration and manifest");
    }
}
