//! Forwarding between interfaces, in the network namespace of the calling thread.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use signpost_netlink::HOST_INTERFACE_PREFIX;
use tracing::info;

use crate::former::{Change, Former};
use crate::hand::Hand;

/// Forwarding of IPv4, and of IPv6, as a whole.
pub const FORWARDING: [&str; 2] = ["ipv4/ip_forward", "ipv6/conf/all/forwarding"];

/// The kernel's settings for the network, as files.
#[derive(Clone, Debug)]
pub struct Settings {
    folder: PathBuf,
    former: Former,
}

impl Settings {
    /// Those in `folder`, which is normally `/proc/sys/net`. Whoever looks into it finds the settings of
    /// his own network namespace, wherever the folder is mounted. What is changed is noted in `run_dir`.
    pub fn new(folder: &Path, run_dir: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            former: Former::new(run_dir),
        }
    }

    /// Where they are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What they were.
    pub fn former(&self) -> &Former {
        &self.former
    }

    /// Turns IPv4 forwarding on.
    pub fn forward_ipv4(&self, hand: &mut Hand) -> anyhow::Result<()> {
        let [forwarding, _] = FORWARDING;
        if self.read(forwarding)? != "1" {
            // The kernel turns off with it what routers do not do (`inet_forward_change`).
            let mut along = self.forwarding_of_interfaces("ipv4")?;
            along.extend(self.along("ipv4/conf/all/accept_redirects", "0"));
            self.set(forwarding, "1", along, hand)?;
        }
        Ok(())
    }

    /// Turns IPv6 forwarding on.
    ///
    /// A forwarding kernel no longer listens to router advertisements, from which many nodes have their
    /// default route, unless an interface has `accept_ra` 2. So interfaces that listen now keep on.
    pub fn forward_ipv6(&self, hand: &mut Hand) -> anyhow::Result<()> {
        let [_, forwarding] = FORWARDING;
        if self
            .read(forwarding)
            .context("the kernel runs without IPv6: enable it, or use no IPv6 pool for this node")?
            == "1"
        {
            return Ok(());
        }
        for name in self.interfaces("ipv6")?.filter(|name| name != "default") {
            let accept_ra = format!("ipv6/conf/{name}/accept_ra");
            // An interface may vanish meanwhile.
            if self.read(&accept_ra).is_ok_and(|value| value == "1") {
                self.set(&accept_ra, "2", Vec::new(), hand)?;
            }
        }
        let along = self.forwarding_of_interfaces("ipv6")?;
        self.set(forwarding, "1", along, hand)
    }

    /// The value of a setting, by its path in the folder.
    pub fn read(&self, setting: &str) -> anyhow::Result<String> {
        let path = self.folder.join(setting);
        let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
        Ok(text.trim().to_owned())
    }

    /// Gives a setting a value. `along` are settings that the kernel changes with it.
    pub fn set(
        &self,
        setting: &str,
        value: &str,
        along: Vec<Change>,
        hand: &mut Hand,
    ) -> anyhow::Result<()> {
        let change = Change {
            setting: setting.to_owned(),
            from: self.read(setting)?,
            to: value.to_owned(),
        };
        let (name, from) = (name(setting), change.from.clone());
        hand.make(format!("set {name} from {from} to {value}"), || {
            // First, so that nothing is changed of which nobody knows what it was.
            let changes: Vec<_> = std::iter::once(change).chain(along).collect();
            self.former.note(&changes)?;
            self.write(setting, value)?;
            info!("set {name} from {from} to {value}");
            Ok(())
        })
    }

    /// Sets back what was changed since the node booted, where it is still as it was changed to. Returns
    /// what people should hear of, and all that failed.
    pub fn restore(&self, hand: &mut Hand) -> (Vec<String>, Vec<anyhow::Error>) {
        let changes = match self.former.read() {
            Ok(changes) => changes,
            Err(error) => return (Vec::new(), vec![error]),
        };
        let (mut told, mut errors) = (Vec::new(), Vec::new());
        for setting in FORWARDING {
            let noted = changes.iter().any(|change| change.setting == setting);
            if !noted && self.read(setting).is_ok_and(|value| value == "1") {
                told.push(format!(
                    "{}: it is 1, and since the node booted there is no note that it was not",
                    name(setting)
                ));
            }
        }
        // Interfaces follow the settings of the whole, so all are read before any is set.
        let all = changes.into_iter();
        let now: Vec<_> = all.map(|it| (self.read(&it.setting), it)).collect();
        for (now, Change { setting, from, to }) in now {
            // That of an interface that is gone.
            let Ok(now) = now else { continue };
            let name = name(&setting);
            if now == from {
                // It is to stay so, whatever the whole has done to it.
                let went = self.read(&setting).is_ok_and(|value| value != from);
                if went && hand.acts() {
                    errors.extend(self.write(&setting, &from).err());
                }
            } else if now == to {
                let what = format!("set {name} from {now} to {from}");
                let outcome = hand.make(what, || self.write(&setting, &from));
                errors.extend(outcome.err());
            } else {
                told.push(format!(
                    "{name}: it was {from}, the agent set it to {to}, and somebody else to {now}"
                ));
            }
        }
        (told, errors)
    }

    fn write(&self, setting: &str, value: &str) -> anyhow::Result<()> {
        let path = self.folder.join(setting);
        fs::write(&path, value).with_context(|| {
            format!(
                "set {} to {value}: the agent needs the capability NET_ADMIN, and in a container the \
                 node's /proc/sys/net, which --sysctl-dir names",
                path.display()
            )
        })
    }

    /// What the kernel does to the interfaces' own forwarding when the whole is turned on. Those that
    /// forward already are among them: they would not any more when it is turned off.
    fn forwarding_of_interfaces(&self, family: &str) -> anyhow::Result<Vec<Change>> {
        let names = self.interfaces(family)?;
        let changes =
            names.filter_map(|name| self.along(&format!("{family}/conf/{name}/forwarding"), "1"));
        Ok(changes.collect())
    }

    /// A setting that the kernel is about to change; `None` if there is none.
    fn along(&self, setting: &str, to: &str) -> Option<Change> {
        Some(Change {
            setting: setting.to_owned(),
            from: self.read(setting).ok()?,
            to: to.to_owned(),
        })
    }

    /// The names of interfaces that have settings, and `default`. Those to pods are not among them:
    /// nothing that a pod advertises is for the node, and they come and go.
    fn interfaces(&self, family: &str) -> anyhow::Result<impl Iterator<Item = String>> {
        let context = || format!("list the interfaces' settings of {family}");
        let entries = fs::read_dir(self.folder.join(family).join("conf")).with_context(context)?;
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.with_context(context)?.file_name();
            names.push(name.to_string_lossy().into_owned());
        }
        let ours = |name: &String| name == "all" || name.starts_with(HOST_INTERFACE_PREFIX);
        Ok(names.into_iter().filter(move |name| !ours(name)))
    }
}

/// What people call a setting.
fn name(setting: &str) -> String {
    format!("net.{}", setting.replace('/', "."))
}
