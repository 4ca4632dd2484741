//! The reference plugins that come after Signpost's, where the node has them and they are good.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::probe::{SOURCE, Verdict, judge};

/// A plugin that is chained.
#[derive(Debug)]
struct Kind {
    name: &'static str,
    /// What the runtime hands it.
    capability: &'static str,
    /// What does not work without it.
    without: &'static str,
    /// Whether people should know that the node has none.
    missed: bool,
}

/// In the order of the chain.
const KINDS: [Kind; 2] = [
    Kind {
        name: "portmap",
        capability: "portMappings",
        without: "hostPort of pods has no effect",
        missed: true,
    },
    Kind {
        name: "bandwidth",
        capability: "bandwidth",
        without: "the bandwidth annotations of pods have no effect",
        missed: false,
    },
];

/// Their names.
pub const NAMES: [&str; KINDS.len()] = [KINDS[0].name, KINDS[1].name];

/// Inode, length, mode, and times of the last changes of content and inode.
type Stamp = (u64, u64, u32, i64, i64);

/// The plugins in the node's folder.
#[derive(Debug)]
pub struct Chained {
    folder: PathBuf,
    known: [Option<(Option<Stamp>, Verdict)>; KINDS.len()],
}

/// What there is to chain.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Entries for the network configuration.
    pub plugins: Vec<Value>,
    /// Whether all of them speak the newest version.
    pub newest: bool,
    /// What people should know.
    pub warnings: Vec<String>,
}

impl Chain {
    /// Nothing.
    pub const EMPTY: Self = Self {
        plugins: Vec::new(),
        newest: true,
        warnings: Vec::new(),
    };
}

impl Chained {
    /// Looks for them in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            known: [const { None }; KINDS.len()],
        }
    }

    /// Those that can be used. A plugin is tried once, and again when its file has changed.
    pub fn look(&mut self) -> Chain {
        let mut chain = Chain::EMPTY;
        for (kind, known) in KINDS.iter().zip(&mut self.known) {
            let path = self.folder.join(kind.name);
            let metadata = fs::metadata(&path).or_else(|_| fs::symlink_metadata(&path));
            let metadata = metadata.ok();
            let stamp = metadata.as_ref().map(stamp);
            let verdict = match known {
                Some((seen, verdict)) if *seen == stamp => verdict.clone(),
                _ => judge(&path, metadata.as_ref()),
            };
            *known = Some((stamp, verdict.clone()));
            let Kind { name, without, .. } = kind;
            match verdict {
                Verdict::Good { .. } | Verdict::Unproven => {
                    chain.newest &= matches!(verdict, Verdict::Good { newest: true });
                    chain.plugins.push(json!({
                        "type": name,
                        "capabilities": {kind.capability: true},
                    }));
                }
                Verdict::Absent if kind.missed => chain.warnings.push(format!(
                    "{} is not there, so {without}: install the plugins of {SOURCE}",
                    path.display()
                )),
                Verdict::Absent => {}
                Verdict::Bad(why) => chain.warnings.push(format!(
                    "{} is left out, so {without}: {why}",
                    path.display()
                )),
            }
        }
        chain
    }
}

fn stamp(metadata: &Metadata) -> Stamp {
    (
        metadata.ino(),
        metadata.len(),
        metadata.mode(),
        metadata.mtime_nsec(),
        metadata.ctime_nsec(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEW: &str = r#"echo '{"cniVersion":"1.0.0","supportedVersions":["0.4.0","1.0.0"]}'"#;
    const OLD: &str = r#"echo '{"cniVersion":"0.4.0","supportedVersions":["0.3.1","0.4.0"]}'"#;

    const NEWEST: &str = r#"echo '{"cniVersion":"1.1.0","supportedVersions":["1.0.0","1.1.0"]}'"#;

    struct World {
        folder: tempfile::TempDir,
        chained: Chained,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let chained = Chained::new(folder.path());
            Self { folder, chained }
        }

        fn write(&self, name: &str, content: &str, mode: u32) {
            let path = self.folder.path().join(name);
            crate::file::write_atomically(&path, content.as_bytes(), mode).unwrap();
        }

        fn script(&self, name: &str, script: &str) {
            self.write(name, &format!("#!/bin/sh\n{script}\n"), 0o755);
        }

        /// The names that are chained, and all warnings.
        fn look(&mut self) -> (Vec<String>, String) {
            let chain = self.chained.look();
            let names = chain.plugins.iter().map(|plugin| {
                let name = plugin["type"].as_str().unwrap();
                name.to_owned()
            });
            (names.collect(), chain.warnings.join("\n"))
        }
    }

    #[test]
    fn chained_are_the_plugins_that_speak_our_version() {
        let mut world = World::new();
        world.script("portmap", &format!("cat > /dev/null; {NEW}"));
        world.script("bandwidth", NEW);
        let chain = world.chained.look();
        assert_eq!(
            chain.plugins,
            [
                json!({"type": "portmap", "capabilities": {"portMappings": true}}),
                json!({"type": "bandwidth", "capabilities": {"bandwidth": true}}),
            ]
        );
        assert!(chain.warnings.is_empty() && !chain.newest, "{chain:?}");
        world.script("portmap", NEWEST);
        assert!(!world.chained.look().newest, "bandwidth is older");
        world.script("bandwidth", NEWEST);
        assert!(world.chained.look().newest);
        world.write("bandwidth", "#!/no/such/loader\n", 0o755);
        assert!(!world.chained.look().newest, "nobody knows");
    }

    #[test]
    fn chained_is_nothing_that_is_missing_broken_or_too_old_and_it_is_said() {
        let mut world = World::new();
        let (names, said) = world.look();
        assert_eq!(names, Vec::<String>::new());
        assert!(
            said.contains("portmap is not there") && said.contains("hostPort"),
            "{said}"
        );
        assert!(!said.contains("bandwidth"), "{said}");
        for (content, mode, word) in [
            (format!("#!/bin/sh\n{NEW}"), 0o644, "chmod 755"),
            (format!("#!/bin/sh\n{OLD}"), 0o755, "0.4.0"),
            ("#!/bin/sh\nexit 1".to_owned(), 0o755, "it fails"),
            (
                "#!/bin/sh\necho '{}'".to_owned(),
                0o755,
                "supportedVersions",
            ),
            ("\u{7f}ELF of nowhere".to_owned(), 0o755, "for this machine"),
        ] {
            for plugin in ["portmap", "bandwidth"] {
                world.write(plugin, &content, mode);
            }
            let (names, said) = world.look();
            assert_eq!(names, Vec::<String>::new(), "{content}");
            assert_eq!(said.matches(word).count(), 2, "{said}");
            assert!(said.contains("bandwidth annotations"), "{said}");
        }
    }

    #[test]
    fn chained_is_tried_again_when_its_file_changes_and_only_then() {
        let mut world = World::new();
        let count = world.folder.path().join("count");
        let counted = |answer| format!("echo >> {}; {answer}", count.display());
        let runs = || fs::read_to_string(&count).unwrap().len();
        world.script("portmap", &counted(OLD));
        for _ in 0..3 {
            assert!(world.look().0.is_empty());
        }
        assert_eq!(runs(), 1);
        world.script("portmap", &counted(NEW));
        for _ in 0..3 {
            assert_eq!(world.look().0, ["portmap"]);
        }
        assert_eq!(runs(), 2);
        fs::remove_file(world.folder.path().join("portmap")).unwrap();
        assert!(world.look().0.is_empty());
    }

    #[test]
    fn chained_is_no_link_that_leads_out_of_the_folders_of_the_container() {
        let mut world = World::new();
        let link = world.folder.path().join("portmap");
        std::os::unix::fs::symlink("/no/such/portmap", link).unwrap();
        let (names, said) = world.look();
        assert!(
            names.is_empty() && said.contains("put a copy there"),
            "{said}"
        );
    }

    #[test]
    fn chained_is_what_cannot_be_tried_in_a_container() {
        let mut world = World::new();
        world.write("portmap", "#!/no/such/loader\n", 0o755);
        let (names, said) = world.look();
        assert_eq!(
            (names.as_slice(), said.as_str()),
            (["portmap".to_owned()].as_slice(), "")
        );
    }

    #[test]
    fn chained_is_nothing_that_does_not_answer_in_time() {
        let mut world = World::new();
        world.script("portmap", "exec sleep 60");
        let (names, said) = world.look();
        assert!(names.is_empty() && said.contains("within 5 s"), "{said}");
    }
}
